//! When the last beat before a silence came, as the transition tells that it was judged by.

use std::time::Duration;

use heartline_vocabulary::{AgentStatus, GapCause, Reason};

use super::recording::RecordedAgent;
use crate::agent_table::{AgentIndex, AgentTable};
use crate::cause::MissedBeats;
use crate::judge::intervals;
use crate::thresholds::{HealthRules, HealthThresholds, ThresholdTable};
use crate::time::MonoTime;

/// The gaps so far, in order.
#[derive(Debug, Default)]
pub(super) struct KnownGaps(Vec<(MonoTime, MonoTime, GapCause)>);

/// What the silences of an agent are worked out by.
#[derive(Debug)]
pub(super) struct SilentAgent {
    health: HealthThresholds,
    interval_ms: u32,
    status: AgentStatus,
    since: MonoTime,
}

/// The begin of a silence.
#[derive(Debug)]
pub(super) struct SilenceBegin {
    pub(super) at: MonoTime,
    /// When the agent was last known to live, where the silence began with a start of the collector.
    pub(super) last_live: Option<MonoTime>,
}

/// Returns whether a status is judged by how long nothing was heard.
pub(super) fn is_silence(status: AgentStatus) -> bool {
    matches!(status.reason, Some(Reason::Late | Reason::Silent | Reason::OneWay))
}

/// Returns after which silence an agent is in `status`.
pub(super) fn limit(
    table: &ThresholdTable,
    index: AgentIndex,
    agents: &AgentTable,
    status: AgentStatus,
) -> Duration {
    agents.get(index).map_or(Duration::ZERO, |agent| {
        intervals(agent.interval_ms, factor(&table.get(agent.thresholds).health, status))
    })
}

fn factor(health: &HealthThresholds, status: AgentStatus) -> f64 {
    match status.reason {
        Some(Reason::Late) => health.late_factor,
        _ => health.unreachable_factor,
    }
}

impl KnownGaps {
    pub(super) fn push(&mut self, from: MonoTime, to: MonoTime, cause: GapCause) {
        self.0.push((from, to, cause));
    }

    /// Returns the moment so much observed time before another one.
    fn before(&self, at: MonoTime, span: Duration) -> MonoTime {
        let mut from = at - span;
        for &(gap_from, gap_to, cause) in self.0.iter().rev() {
            if gap_to <= from {
                break;
            }
            if cause != GapCause::Down {
                from = from - gap_to.since(gap_from);
            }
        }
        from
    }

    /// Returns the begin of the newest time in which no collector ran.
    fn last_down(&self) -> Option<MonoTime> {
        let down = self.0.iter().rev().find(|(_, _, cause)| *cause == GapCause::Down);
        down.map(|&(from, ..)| from)
    }
}

impl SilentAgent {
    pub(super) fn of(health: &HealthRules, agent: &RecordedAgent) -> Self {
        let interval_ms = match agent.interval_ms {
            0 => heartline_protocol::limits::INTERVAL_DEFAULT_MS,
            known => known,
        };
        let health = health.thresholds(&agent.agent);
        Self { health, interval_ms, status: agent.status, since: agent.since }
    }

    /// Takes in that the agent is in another status; returns when its silence began, where that tells it.
    pub(super) fn enter(
        &mut self,
        to: AgentStatus,
        at: MonoTime,
        cause: &str,
        gaps: &KnownGaps,
    ) -> Option<SilenceBegin> {
        let before = std::mem::replace(&mut self.status, to);
        let since = std::mem::replace(&mut self.since, at);
        if !is_silence(to) || is_silence(before) {
            return None;
        }
        let missed = MissedBeats::parse(cause);
        let mut factor = factor(&self.health, to);
        if let Some(missed) = &missed {
            if !missed.is_of(self.interval_ms) {
                self.interval_ms = missed.interval_ms;
            }
            // Other rules may have held then.
            if missed.beats != factor.floor() as u32 {
                factor = f64::from(missed.beats);
            }
        }
        let begun = gaps.before(at, intervals(self.interval_ms, factor)).max(since).min(at);
        let is_since_start = missed.is_none() && to.reason == Some(Reason::Silent);
        let last_live = gaps.last_down().filter(|_| is_since_start).map(|it| it.min(begun));
        Some(SilenceBegin { at: begun, last_live })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENT: AgentStatus = AgentStatus::unreachable(Reason::Silent);

    fn s(seconds: i64) -> MonoTime {
        MonoTime::from_millis(seconds * 1_000)
    }

    /// An agent that beats every 30 s, healthy since the begin.
    fn agent() -> SilentAgent {
        let recorded = RecordedAgent {
            interval_ms: 30_000,
            status: AgentStatus::HEALTHY,
            since: s(0),
            ..RecordedAgent::unknown("a".into())
        };
        SilentAgent::of(&HealthRules::default(), &recorded)
    }

    fn begin(at: MonoTime, cause: &str, gaps: &KnownGaps) -> (MonoTime, Option<MonoTime>) {
        let begun = agent().enter(SILENT, at, cause, gaps).expect("it is a silence");
        (begun.at, begun.last_live)
    }

    #[test]
    fn a_silence_begins_so_many_intervals_before_it_is_judged() {
        let none = KnownGaps::default();
        assert_eq!(begin(s(400), "10 beats missed (interval 30s)", &none), (s(100), None));
        // Other rules held then, and another interval.
        assert_eq!(begin(s(400), "5 beats missed (interval 30s)", &none), (s(250), None));
        assert_eq!(begin(s(400), "10 beats missed (interval 1s)", &none), (s(390), None));
        assert_eq!(begin(s(40), "10 beats missed (interval 30s)", &none), (s(0), None));
        let mut late = agent();
        let cause = "3 beats missed (interval 30s)";
        let begun = late.enter(AgentStatus::degraded(Reason::Late), s(190), cause, &none);
        assert_eq!(begun.map(|it| it.at), Some(s(100)));
        assert!(late.enter(SILENT, s(400), "10 beats missed (interval 30s)", &none).is_none());
        assert!(late.enter(AgentStatus::HEALTHY, s(500), "a live beat", &none).is_none());
    }

    #[test]
    fn time_that_was_not_observed_is_no_part_of_a_silence() {
        let mut gaps = KnownGaps::default();
        gaps.push(s(20), s(50), GapCause::KernelDrops);
        gaps.push(s(120), s(180), GapCause::Frozen);
        assert_eq!(begin(s(460), "10 beats missed (interval 30s)", &gaps), (s(100), None));
        gaps.push(s(500), s(600), GapCause::Down);
        let since_start = "not heard for 5m00s since the collector started";
        assert_eq!(begin(s(900), since_start, &gaps), (s(600), Some(s(500))));
    }
}
