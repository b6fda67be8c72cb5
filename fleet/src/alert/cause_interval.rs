//! The interval in which the cause of trouble lies.

use std::time::Duration;

use heartline_vocabulary::Reason;

use crate::agent::Agent;
use crate::gap::ObservationClock;
use crate::time::MonoTime;

/// The interval in which the cause of trouble lies: from the last sign that all was well to the moment at
/// which the next one was missing.
///
/// Judgements of one cause do not line up: agents that beat every five minutes are unreachable three quarters of
/// an hour after those that beat every five seconds. What they have in common is when they were last heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CauseInterval {
    /// The last sign that all was well.
    pub from: MonoTime,
    /// When the next one was due, with its jitter.
    pub to: MonoTime,
}

/// How far two intervals may be apart and still count as one cause.
const TOLERANCE: Duration = Duration::from_secs(2);

impl CauseInterval {
    /// Returns the interval of a cause that acted at one moment.
    pub(crate) const fn moment(at: MonoTime) -> Self {
        Self { from: at, to: at }
    }

    /// Returns the interval for trouble of `agent` that began at `since`.
    ///
    /// 1. Silent, late, one-way: from the last live beat to the next one's time. Where it was not heard since the
    ///    collector started, it may have died at any time since it was last known to live.
    /// 2. Stalled: from the last progress, for an interval.
    /// 3. Failing, slow, fast: from about the last good task before the bad ones, which is unknown and taken to be
    ///    an interval before the first of them, or three times the time between two tasks, to the judgement.
    /// 4. Idle: from the last progress to the judgement.
    /// 5. Everything else was reported, or noticed, at the moment itself.
    pub(crate) fn of(
        agent: &Agent,
        reason: Option<Reason>,
        since: MonoTime,
        clock: ObservationClock,
    ) -> Self {
        let jittered = Duration::from_millis(u64::from(agent.interval_ms) * 11 / 10);
        match reason {
            Some(Reason::Late | Reason::Silent | Reason::OneWay) => {
                let silent_since = clock.mono(agent.silent_since).known().unwrap_or(since);
                let from = agent.last_live.known().unwrap_or(silent_since).min(since);
                Self { from, to: (from.max(silent_since) + jittered).min(since).max(from) }
            }
            Some(Reason::Stalled) => {
                let from = agent.least_progress_at().unwrap_or(since).min(since);
                Self { from, to: (from + jittered).min(since) }
            }
            Some(reason @ (Reason::Failing | Reason::Slow | Reason::Fast)) => {
                let Some(tally) = agent.bad_tasks(reason) else { return Self::moment(since) };
                let between = since.since(tally.since) / tally.tasks.max(1);
                let before = jittered.max(between.saturating_mul(3));
                let before_ms = u64::try_from(before.as_millis()).unwrap_or(u64::MAX);
                Self { from: tally.since.minus_millis(before_ms).min(since), to: since }
            }
            Some(Reason::Idle) => {
                let from = agent.progress_at.known().unwrap_or(since).min(since);
                Self { from, to: since }
            }
            _ => Self::moment(since),
        }
    }

    /// Returns whether one cause may lie in both.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.from <= other.to + TOLERANCE && other.from <= self.to + TOLERANCE
    }

    /// Returns what both have in common; of two that do not quite touch, what lies between them.
    pub(crate) fn narrowed(self, other: Self) -> Self {
        let (from, to) = (self.from.max(other.from), self.to.min(other.to));
        Self { from: from.min(to), to: from.max(to) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(from: i64, to: i64) -> CauseInterval {
        let at = |s: i64| MonoTime::from_millis(s * 1_000);
        CauseInterval { from: at(from), to: at(to) }
    }

    #[test]
    fn intervals_of_one_cause_overlap_whenever_they_were_judged() {
        let (often, rarely) = (seconds(100, 106), seconds(0, 330));
        assert!(often.overlaps(rarely) && rarely.overlaps(often));
        assert_eq!(often.narrowed(rarely), often);
        assert!(often.overlaps(seconds(108, 120)), "2 s apart");
        assert_eq!(often.narrowed(seconds(108, 120)), seconds(106, 108));
        assert!(!often.overlaps(seconds(109, 120)));
    }
}
