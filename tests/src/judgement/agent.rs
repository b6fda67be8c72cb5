//! Agents with random work.

use std::time::Duration;

use fastrand::Rng;

use super::random::{binomial, poisson};

/// The work of an agent.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    pub tasks: Tasks,
    /// Share of the tasks that fail.
    pub failing: f64,
    pub outage: Outage,
}

/// When tasks come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tasks {
    /// At random, so many a second on average.
    Random(f64),
    /// The same on working days from 9 to 17.
    OfficeHours(f64),
    /// None any more.
    None,
}

/// What all tasks depend on fails as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    Never,
    /// For 30 s of each day, in which one beat reports and the next, too, where they straddle it.
    Daily,
}

const DAY_S: u64 = 86_400;
const OUTAGE_S: u64 = 30;

impl Workload {
    /// Draws the tasks that ended in the seconds until `until_s`: those that succeeded, and those that
    /// failed.
    pub(super) fn draw(&self, until_s: u64, span: Duration, rng: &mut Rng) -> (u64, u64) {
        let rate = match self.tasks {
            Tasks::Random(rate) => rate,
            Tasks::OfficeHours(rate) if is_office_hour(until_s) => rate,
            Tasks::OfficeHours(_) | Tasks::None => return (0, 0),
        };
        let span_s = span.as_secs();
        let in_outage_s = match self.outage {
            Outage::Never => 0,
            Outage::Daily => {
                // At another time each day.
                let begin_s = (until_s / DAY_S * 7_919 + 4_000) % (DAY_S - OUTAGE_S);
                let (from_s, to_s) = (until_s % DAY_S, until_s % DAY_S + span_s);
                to_s.min(begin_s + OUTAGE_S).saturating_sub(from_s.max(begin_s))
            }
        };
        let in_outage = poisson(rate * in_outage_s as f64, rng);
        let others = poisson(rate * (span_s - in_outage_s) as f64, rng);
        let failed = binomial(others, self.failing, rng);
        (others - failed, failed + in_outage)
    }
}

fn is_office_hour(at_s: u64) -> bool {
    let (day, hour) = (at_s / DAY_S % 7, at_s / 3_600 % 24);
    day < 5 && (9..17).contains(&hour)
}
