//! Sums of work that are compared.

use std::collections::BTreeMap;

use heartline_vocabulary::WorkTotals;

/// Totals, and the latencies that belong to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ScriptedWork {
    pub(super) totals: WorkTotals,
    /// Reports by the bucket of their latency.
    pub(super) reports: BTreeMap<u16, u64>,
    /// Tasks, whose latencies the emitter measures.
    pub(super) tasks: u64,
}

/// What a collector has stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StoredWork {
    pub(super) totals: WorkTotals,
    /// Observations by the bucket of their latency.
    pub(super) latencies: BTreeMap<u16, u64>,
}

impl ScriptedWork {
    /// Returns the number of reports and tasks.
    pub(super) fn count(&self) -> u64 {
        self.totals.ok + self.totals.failed
    }
}

impl StoredWork {
    /// Returns the number of latencies.
    pub(super) fn latency_count(&self) -> u64 {
        self.latencies.values().sum()
    }

    /// Returns whether it has as many tasks as the script, and as many latencies: those for which a
    /// segment has no room come with later ones.
    pub(super) fn is_complete(&self, scripted: &ScriptedWork) -> bool {
        let expected = scripted.count();
        self.totals.ok + self.totals.failed >= expected && self.latency_count() >= expected
    }
}
