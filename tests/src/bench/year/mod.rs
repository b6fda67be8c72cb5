//! `bench year`: a year of 200 agents, and what people are told of it: how many messages, which of them are false and
//! what is missed, beside a message for each transition and beside Alertmanager's defaults.
//!
//! The core is the real one; its agents, network, hosts, operators and store are a model (`world.rs`), in which time is
//! a value. All of it follows from the seed. What is really wrong is known (`truth.rs`), so that each message can be
//! held against it.

mod agent;
mod alertmanager;
mod collector;
mod past;
mod plan;
mod report;
mod rules;
mod site;
mod store;
mod truth;
mod watch;
mod work;
mod world;

use anyhow::{Result, ensure};

use self::rules::YearRules;
use self::watch::Watch;
use self::world::World;
use crate::clock;

/// How much is tried.
#[derive(clap::Args)]
pub struct YearBenchArgs {
    /// Only checks that it runs, in a few seconds: two days, in which little happens.
    #[arg(long)]
    smoke: bool,
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u64).range(1..=365))]
    days: u64,
    #[arg(long, default_value_t = 20_261_127)]
    seed: u64,
    /// Says in rules what is expected of agents that work rarely, or in office hours.
    #[arg(long)]
    expect: bool,
    /// Prints each notice, each judgement, other than late, that no fault explains, and each missed fault.
    #[arg(long)]
    trace: bool,
}

pub(super) fn run(arguments: &YearBenchArgs) -> Result<()> {
    let days = if arguments.smoke { 2 } else { arguments.days };
    let rules = if arguments.expect { YearRules::Expecting } else { YearRules::Default };
    let mut world = World::new(days, arguments.seed, rules, Watch::new(arguments.trace));
    let cpu = clock::thread_cpu();
    world.run(days)?;
    let took = clock::thread_cpu().saturating_sub(cpu);
    let watch = &world.collector.watch;
    println!(
        "{days} days, seed {}: {} beats, {} transitions, {:.0} s of CPU",
        arguments.seed,
        world.beats,
        watch.transitions,
        took.as_secs_f64()
    );
    if arguments.trace {
        report::print_missed(watch);
    }
    report::print(watch, days);
    ensure!(watch.transitions > 0, "nothing happened");
    Ok(())
}
