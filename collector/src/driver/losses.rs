//! What was dropped, refused or shed in the last minute, by cause.

use std::collections::VecDeque;
use std::time::Duration;

use heartline_fleet::MonoTime;
use heartline_operator::message::LossCount;
use heartline_vocabulary::{DATAGRAM_COUNTERS, DatagramCounter, DatagramCounters};

/// Time between two samples, and how long they are kept.
const SAMPLED_EVERY: Duration = Duration::from_secs(5);
const KEPT_FOR: Duration = Duration::from_secs(60);

/// Everything that can be lost, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Losses {
    pub(super) datagrams: DatagramCounters,
    /// Details that were left out of history.
    pub(super) details: u64,
    /// Work that was not taken, and is sent again.
    pub(super) work: u64,
}

/// The losses of the last minute: differences to samples.
#[derive(Debug, Default)]
pub(super) struct LossLog {
    samples: VecDeque<(MonoTime, Losses)>,
}

impl Losses {
    /// Returns all counts in one order, each with its name and label.
    fn counts(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        let own = [
            ("details_shed", "details left out of history", self.details),
            ("work_shed", "work asked for again", self.work),
        ];
        losses().map(|it| (it.name, it.label, it.read(&self.datagrams))).chain(own)
    }
}

fn losses() -> impl Iterator<Item = &'static DatagramCounter> {
    DATAGRAM_COUNTERS.iter().filter(|counter| counter.loss.is_some())
}

impl LossLog {
    /// Takes a sample, if one is due.
    pub(super) fn sample(&mut self, losses: Losses, now: MonoTime) {
        let is_due = |(at, _): &(MonoTime, Losses)| now.since(*at) >= SAMPLED_EVERY;
        if self.samples.back().is_none_or(is_due) {
            self.samples.push_back((now, losses));
        }
        // One that is older than a minute stays, to be compared with.
        while self.samples.get(1).is_some_and(|(at, _)| now.since(*at) >= KEPT_FOR) {
            self.samples.pop_front();
        }
    }

    /// Returns what the counts were a minute ago; before there was a minute, at the start.
    pub(super) fn minute_ago(&self) -> Losses {
        self.samples.front().map(|(_, losses)| *losses).unwrap_or_default()
    }

    /// Returns all causes with their counts.
    pub(super) fn counts(&self, now: &Losses) -> Vec<LossCount> {
        let before = self.minute_ago();
        let pairs = now.counts().zip(before.counts());
        let count =
            |((name, label, total), (_, _, before)): ((&str, &str, u64), (&str, &str, u64))| {
                LossCount {
                    name: name.to_owned(),
                    label: label.to_owned(),
                    last_minute: total.saturating_sub(before),
                    total,
                }
            };
        pairs.map(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_minute_is_counted_and_forgotten() {
        let at = |s: i64| MonoTime::from_millis(s * 1_000);
        let losses = |kernel_dropped| Losses {
            datagrams: DatagramCounters { kernel_dropped, ..DatagramCounters::default() },
            ..Losses::default()
        };
        let mut log = LossLog::default();
        let mut last_minute = |s: i64, dropped: u64| {
            log.sample(losses(dropped), at(s));
            let counts = log.counts(&losses(dropped));
            let kernel = counts.iter().find(|it| it.name == "kernel_dropped").unwrap();
            assert_eq!(kernel.total, dropped);
            kernel.last_minute
        };
        assert_eq!(last_minute(0, 0), 0);
        assert_eq!((1..=10).map(|s| last_minute(s, 3)).max(), Some(3));
        assert_eq!((11..=59).map(|s| last_minute(s, 3)).min(), Some(3));
        assert_eq!((60..=75).map(|s| last_minute(s, 3)).last(), Some(0));
        assert_eq!(last_minute(76, 5), 2);
        assert!(log.samples.len() < 16, "few are kept");
    }
}
