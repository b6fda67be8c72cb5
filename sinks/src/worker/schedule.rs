//! When a sink is sent something. Pure: times and random numbers are arguments.

use std::time::Duration;

use super::SinkHealth;
use crate::{Outcome, Permanence};

/// Longest time between two attempts at first.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Shortest time between two attempts that failed.
const BACKOFF_MIN: Duration = Duration::from_millis(50);

/// How long attempts follow each other closely.
const CLOSE_FOR: Duration = Duration::from_secs(15 * 60);

/// Time between attempts after that.
const PATIENT: Duration = Duration::from_secs(5 * 60);

/// Time between attempts at a sink that refuses everything.
const PROBE: Duration = Duration::from_secs(15 * 60);

/// Time of nothing but refusals after which a sink is left alone.
const REFUSED_MAX: Duration = Duration::from_secs(24 * 3_600);

/// The schedule of one sink. Times are those of a clock that nobody sets.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    /// Nothing is sent before.
    not_before: Duration,
    /// Attempts that failed since something was taken.
    failures: u32,
    failing_since: Option<Duration>,
    refused_since: Option<Duration>,
    health: SinkHealth,
}

impl Schedule {
    /// Returns when something may be sent; `None`: not before the next start.
    pub(super) fn not_before(&self) -> Option<Duration> {
        match self.health {
            SinkHealth::Disabled { .. } => None,
            _ => Some(self.not_before),
        }
    }

    pub(super) fn health(&self) -> &SinkHealth {
        &self.health
    }

    /// Takes in the outcome of an attempt; `random` is in 0..1.
    ///
    /// 1. What was taken clears everything; the sink may ask for a pause nevertheless.
    /// 2. A message that is refused was answered: the sink works.
    /// 3. Later: after 1, 2, 4 … 60 s with full jitter for 15 minutes, then every 5 minutes. The sink's own
    ///    wish holds where it is longer. From the 15 minutes on the sink counts as broken.
    /// 4. A sink that refuses everything is broken, and tried every 15 minutes. One that says that it is gone,
    ///    or says nothing else for 24 hours, is disabled.
    pub(super) fn attempted(&mut self, outcome: &Outcome, now: Duration, random: f64) {
        match outcome {
            Outcome::Delivered { pause, .. } => {
                let not_before = now + pause.unwrap_or_default();
                *self = Self { not_before, ..Self::default() };
            }
            Outcome::MessageRefused { .. } => *self = Self { not_before: now, ..Self::default() },
            Outcome::Retry { after, why, .. } => {
                self.refused_since = None;
                let failing_since = *self.failing_since.get_or_insert(now);
                let is_close = now.saturating_sub(failing_since) < CLOSE_FOR;
                let own = if is_close { self.backoff(random) } else { PATIENT };
                self.failures = self.failures.saturating_add(1);
                self.not_before = now + own.max(after.unwrap_or_default());
                self.health = match is_close {
                    true => std::mem::take(&mut self.health),
                    false => SinkHealth::Broken { why: why.clone() },
                };
            }
            Outcome::SinkRefused { why, permanence } => {
                self.failing_since.get_or_insert(now);
                let refused_since = *self.refused_since.get_or_insert(now);
                self.not_before = now + PROBE;
                let is_final = *permanence == Permanence::Final
                    || now.saturating_sub(refused_since) >= REFUSED_MAX;
                let why = why.clone();
                self.health = match is_final {
                    true => SinkHealth::Disabled { why },
                    false => SinkHealth::Broken { why },
                };
            }
        }
    }

    fn backoff(&self, random: f64) -> Duration {
        let longest = Duration::from_secs(1 << self.failures.min(6)).min(BACKOFF_MAX);
        longest.mul_f64(random.clamp(0.0, 1.0)).max(BACKOFF_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);
    const H: Duration = Duration::from_secs(3_600);

    fn retry(after: Option<Duration>) -> Outcome {
        Outcome::Retry { after, arrival: crate::Arrival::No, why: "busy".into() }
    }

    fn refused(permanence: Permanence) -> Outcome {
        Outcome::SinkRefused { why: "no".into(), permanence }
    }

    fn taken(pause: Option<Duration>) -> Outcome {
        Outcome::Delivered { answer: String::new(), pause }
    }

    #[test]
    fn attempts_back_off_and_then_go_on_patiently() {
        let mut schedule = Schedule::default();
        let mut now = Duration::ZERO;
        let mut waits = Vec::new();
        while now < 20 * 60 * S {
            schedule.attempted(&retry(None), now, 1.0);
            let next = schedule.not_before().unwrap();
            waits.push((next - now).as_secs());
            let is_broken = matches!(schedule.health(), SinkHealth::Broken { .. });
            assert_eq!(is_broken, now >= CLOSE_FOR, "{now:?}");
            now = next;
        }
        assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(waits[8..].iter().all(|it| [60, 300].contains(it)));
        assert_eq!(waits.last(), Some(&300));
        schedule.attempted(&taken(None), now, 1.0);
        assert_eq!((schedule.not_before(), schedule.health()), (Some(now), &SinkHealth::Works));
    }

    #[test]
    fn jitter_is_full_and_what_the_sink_asks_for_holds() {
        let wait = |random, after| {
            let mut schedule = Schedule { failures: 4, ..Schedule::default() };
            schedule.attempted(&retry(after), H, random);
            schedule.not_before().unwrap() - H
        };
        assert_eq!(wait(0.0, None), BACKOFF_MIN);
        assert_eq!(wait(0.5, None), 8 * S);
        assert_eq!(wait(0.5, Some(20 * S)), 20 * S);
        assert_eq!(wait(0.5, Some(S)), 8 * S);
        let mut schedule = Schedule::default();
        schedule.attempted(&taken(Some(3 * S)), H, 0.0);
        assert_eq!(schedule.not_before(), Some(H + 3 * S));
    }

    #[test]
    fn a_sink_that_refuses_is_probed_for_a_day() {
        let mut schedule = Schedule::default();
        let mut now = Duration::ZERO;
        let mut probes = 0;
        while let Some(next) = schedule.not_before() {
            now = next;
            schedule.attempted(&refused(Permanence::UntilRepaired), now, 0.5);
            assert_ne!(schedule.health(), &SinkHealth::Works);
            probes += 1;
        }
        assert_eq!((probes, now), (97, 24 * H));
        // Anything else in between begins the day anew.
        let mut schedule = Schedule::default();
        schedule.attempted(&refused(Permanence::UntilRepaired), Duration::ZERO, 0.5);
        schedule.attempted(&retry(None), 23 * H, 0.5);
        schedule.attempted(&refused(Permanence::UntilRepaired), 25 * H, 0.5);
        assert!(schedule.not_before().is_some());
        schedule.attempted(&Outcome::MessageRefused { why: "no".into() }, 26 * H, 0.5);
        assert_eq!((schedule.not_before(), schedule.health()), (Some(26 * H), &SinkHealth::Works));
    }

    #[test]
    fn a_sink_that_is_gone_is_left_alone_at_once() {
        let mut schedule = Schedule::default();
        schedule.attempted(&refused(Permanence::Final), S, 0.5);
        assert_eq!(schedule.not_before(), None);
        assert_eq!(schedule.health(), &SinkHealth::Disabled { why: "no".into() });
    }
}
