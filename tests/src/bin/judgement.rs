//! Prints how soon work that does not go well is found, and how often it is not there.

use std::time::Duration;

use clap::Parser as _;
use heartline_fleet::HealthRules;
use heartline_tests::judgement::{Found, Outage, Tasks, Trial, Workload};
use heartline_vocabulary::Reason;

#[derive(clap::Parser)]
struct JudgementArgs {
    /// Years of one agent without a fault.
    #[arg(long, default_value_t = 5.0)]
    years: f64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// A year of one agent, as part of that of a trial's 120.
const YEAR_S: f64 = 365.25 * 86_400.0 / 120.0;

fn main() {
    let JudgementArgs { years, seed } = JudgementArgs::parse();
    let new = || Trial::new(HealthRules::default(), seed);
    let time = Duration::from_secs_f64(years * YEAR_S);
    let volumes = [("2 a minute", 2.0 / 60.0), ("1 an hour", 1.0 / 3_600.0), ("50 a second", 50.0)];
    for (volume, rate) in volumes {
        let tasks = Tasks::Random(rate);
        let work = |failing, outage| Workload { tasks, failing, outage };
        for outage in [Outage::Never, Outage::Daily] {
            let mut trial = new();
            trial.run(&work(0.05, outage), time);
            let alarms = trial.alarms_a_year(Reason::Failing);
            println!("{volume}, 5 % failing, outage {outage:?}: {alarms:.1} false alarms a year");
        }
        for failing in [1.0, 0.91, 0.5, 0.2] {
            let mut trial = new();
            trial.run(&work(0.05, Outage::Never), Duration::from_secs(3_600));
            let within = Duration::from_secs(3 * 86_400);
            let Found { agents, median, p95 } =
                trial.find(&work(failing, Outage::Never), Reason::Failing, within);
            println!("{volume}, {failing} failing: found of {agents} of 120; {median:?}, {p95:?}");
        }
        let mut trial = new();
        trial.run(&work(0.0, Outage::Never), time.max(Duration::from_secs(16 * 86_400)));
        let alarms = trial.alarms_a_year(Reason::Idle);
        let none = Workload { tasks: Tasks::None, ..work(0.0, Outage::Never) };
        let within = Duration::from_secs(3 * 86_400);
        let Found { agents, median, p95 } = trial.find(&none, Reason::Idle, within);
        println!(
            "{volume}: {alarms:.1} false alarms of idle a year; without work found of {agents} of 120; {median:?}, {p95:?}"
        );
    }
}
