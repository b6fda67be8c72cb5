//! What a config file would have told of the past: history is read from the collector, judged again in this process by
//! the engine of alerts, and compared with what was told.
//!
//! - `history`: what is read, page by page
//! - `recording`: that as the engine takes it
//! - `outcome`: what follows, by incident, sink and day, beside what was told

mod document;
mod history;
mod outcome;
mod recording;

use heartline_config::Config;
use heartline_fleet::{AlertReplay, MonoTime, ReplaySetup};

pub(crate) use history::AlertHistory;
use outcome::ReplayTally;

#[cfg(test)]
pub(crate) use history::ToldAlerts;
pub(crate) use outcome::{ReplayOutcome, ReplayedIncident};

/// Judges a history by a config file.
pub(crate) fn judge(history: &AlertHistory, config: &Config) -> ReplayOutcome {
    let setup = ReplaySetup {
        rules: config.alerts.rules(),
        health: config.rules.clone(),
        begin: moment(history.from_ms),
        agents: recording::agents(history),
    };
    let events = recording::events(history, &config.alerts);
    let mut tally = ReplayTally::new(history);
    let names = AlertReplay::run(setup, events, moment(history.until_ms), |row| tally.take(row));
    tally.finish(history, &names)
}

/// Returns a wall-clock time as the engine counts it here.
fn moment(at_ms: i64) -> MonoTime {
    MonoTime::from_millis(at_ms)
}

/// Returns the wall-clock time of a [`moment`].
fn wall_ms(at: MonoTime) -> i64 {
    at.nanos().div_euclid(1_000_000)
}
