//! Work that does not go well: how soon it is found and how often it is not there, in random work of many
//! agents. `cargo run --release -p heartline-tests --bin judgement` does more of it and prints all.

use std::time::Duration;

use heartline_fleet::HealthRules;
use heartline_tests::judgement::{Outage, Tasks, Trial, Workload};
use heartline_vocabulary::Reason;

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);
/// Time of a trial's 120 agents that is a year of one.
const YEAR: Duration = Duration::from_secs(263_000);

const TWO_A_MINUTE: Tasks = Tasks::Random(2.0 / 60.0);
const ONE_AN_HOUR: Tasks = Tasks::Random(1.0 / 3_600.0);
const FIFTY_A_SECOND: Tasks = Tasks::Random(50.0);

fn work(tasks: Tasks, failing: f64) -> Workload {
    Workload { tasks, failing, outage: Outage::Never }
}

#[test]
fn nobody_is_failing_in_a_year_with_the_usual_failures() {
    for tasks in [TWO_A_MINUTE, ONE_AN_HOUR, FIFTY_A_SECOND] {
        let mut trial = Trial::new(HealthRules::default(), 1);
        trial.run(&work(tasks, 0.05), YEAR);
        assert_eq!(trial.alarms_a_year(Reason::Failing), 0.0, "{tasks:?}");
    }
}

#[test]
fn half_a_minute_without_what_all_tasks_need_is_no_alarm() {
    let mut trial = Trial::new(HealthRules::default(), 6);
    let workload = Workload { outage: Outage::Daily, ..work(FIFTY_A_SECOND, 0.05) };
    trial.run(&workload, YEAR);
    assert_eq!(trial.alarms_a_year(Reason::Failing), 0.0);
}

#[test]
fn failing_agents_are_found_as_soon_as_their_tasks_tell() {
    for (tasks, failing, median, p95) in [
        (TWO_A_MINUTE, 1.0, 5 * MINUTE, 8 * MINUTE),
        (TWO_A_MINUTE, 0.91, 6 * MINUTE, 9 * MINUTE),
        (TWO_A_MINUTE, 0.5, 13 * MINUTE, 25 * MINUTE),
        (ONE_AN_HOUR, 1.0, 5 * HOUR, 12 * HOUR),
        (FIFTY_A_SECOND, 1.0, MINUTE, MINUTE),
        (FIFTY_A_SECOND, 0.91, MINUTE, MINUTE),
        (FIFTY_A_SECOND, 0.5, 2 * MINUTE, 2 * MINUTE),
    ] {
        let mut trial = Trial::new(HealthRules::default(), 2);
        trial.run(&work(tasks, 0.05), HOUR);
        let found = trial.find(&work(tasks, failing), Reason::Failing, 3 * p95);
        assert!(found.agents >= 115, "{tasks:?} {failing}: {found:?}");
        assert!(found.median <= median && found.p95 <= p95, "{tasks:?} {failing}: {found:?}");
    }
}

#[test]
fn a_share_below_the_rate_is_not_found_at_any_volume() {
    let mut trial = Trial::new(HealthRules::default(), 3);
    let found = trial.find(&work(FIFTY_A_SECOND, 0.2), Reason::Failing, DAY);
    assert_eq!(found.agents, 0);
}

#[test]
fn agents_that_work_as_they_always_do_are_not_idle() {
    for tasks in [TWO_A_MINUTE, Tasks::OfficeHours(2.0 / 60.0)] {
        let mut trial = Trial::new(HealthRules::default(), 4);
        trial.run(&work(tasks, 0.0), 9 * DAY);
        assert_eq!(trial.alarms_a_year(Reason::Idle), 0.0, "{tasks:?}");
    }
}

#[test]
fn an_agent_whose_work_stays_away_is_idle_soon() {
    let mut trial = Trial::new(HealthRules::default(), 5);
    trial.run(&work(TWO_A_MINUTE, 0.0), 8 * DAY);
    let found = trial.find(&work(Tasks::None, 0.0), Reason::Idle, HOUR);
    // It is new, and has twice as long.
    assert!(found.agents == 120 && found.median <= 36 * MINUTE, "{found:?}");
}
