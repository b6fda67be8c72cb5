//! The collector's own status: what it dropped, refused or did not observe is never hidden.

use heartline_vocabulary::{ConnectionCounters, DatagramCounters, StateCounts};
use serde::{Deserialize, Serialize};

use super::alert::AlertSummary;

/// The collector's own status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CollectorStatus {
    /// Its time now.
    pub at_ms: i64,
    pub started_ms: i64,
    pub version: String,
    pub host: String,
    /// Addresses it receives beats on.
    pub udp: Vec<String>,
    /// The file of the token that agents of its user find by themselves.
    pub token_file: String,
    pub summary: StateCounts,
    pub datagrams: DatagramCounters,
    /// Live beats a second, over the last seconds.
    pub beats_per_second: f32,
    pub history: HistoryHealth,
    /// End of the newest gap since its start.
    pub last_gap_ms: Option<i64>,
    /// Gaps, stretches of time that were not observed, since its start.
    pub gaps: u32,
    /// Warnings for operators: a clipped receive buffer, a database set aside.
    pub banners: Vec<String>,
    pub connections: ConnectionCounters,
    pub alerts: AlertSummary,
}

/// How long after its end a gap still counts as trouble of the collector.
const RECENT_GAP_MS: i64 = 5 * 60_000;

impl CollectorStatus {
    /// Returns what it warns of, in sentences.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let paused = match &self.history {
            HistoryHealth::Paused(why) => Some(format!("history is paused: {why}")),
            HistoryHealth::Kept => None,
        };
        paused.into_iter().chain(self.banners.iter().cloned())
    }

    /// Returns whether it may not see, or not keep, what happens: it warns of something, or did not observe for a
    /// while that is not long over.
    pub fn is_in_trouble(&self) -> bool {
        let gap = self.last_gap_ms.is_some_and(|end_ms| self.at_ms - end_ms < RECENT_GAP_MS);
        gap || self.warnings().next().is_some()
    }
}

/// The state of the history database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryHealth {
    /// Rows are written.
    #[default]
    Kept,
    /// Writing is paused, for this reason: a full disk. States, kills and alerts go on.
    Paused(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_in_trouble_while_it_warns_or_was_blind_lately() {
        let calm = CollectorStatus { at_ms: 10_000_000, ..CollectorStatus::default() };
        assert!(!calm.is_in_trouble());
        let gap = |ago_ms: i64| CollectorStatus {
            last_gap_ms: Some(calm.at_ms - ago_ms),
            ..calm.clone()
        };
        assert!(gap(RECENT_GAP_MS - 1).is_in_trouble() && !gap(RECENT_GAP_MS).is_in_trouble());
        let banner = CollectorStatus { banners: vec!["a small buffer".into()], ..calm.clone() };
        let history = HistoryHealth::Paused("the disk is full".into());
        let paused = CollectorStatus { history, ..banner.clone() };
        assert!(banner.is_in_trouble() && paused.is_in_trouble());
        let said: Vec<String> = paused.warnings().collect();
        assert_eq!(said, ["history is paused: the disk is full", "a small buffer"]);
    }
}
