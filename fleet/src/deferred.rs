//! Answers that wait for the disk, but not for ever.

use std::collections::VecDeque;

use crate::roster::AgentIndex;

use crate::time::MonoTime;
use heartline_vocabulary::AgentRowId;

/// How long an answer waits for the disk. After that it goes without the new work's confirmation:
/// a slow disk must not keep challenges from agents, or they would all look one-way.
pub(crate) const PATIENCE_MS: u64 = 400;

/// One answer that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DelayedAck {
    pub(crate) until: MonoTime,
    pub(crate) index: AgentIndex,
    pub(crate) id: AgentRowId,
    pub(crate) sequence: u64,
}

/// Answers that wait, in the order of their patience.
#[derive(Debug, Default)]
pub(crate) struct DelayedAcks(VecDeque<DelayedAck>);

impl DelayedAcks {
    pub(crate) fn push(&mut self, waiting: DelayedAck) {
        self.0.push_back(waiting);
    }

    pub(crate) fn pop_due(&mut self, now: MonoTime) -> Option<DelayedAck> {
        if self.0.front()?.until > now { None } else { self.0.pop_front() }
    }

    pub(crate) fn next(&self) -> MonoTime {
        self.0.front().map_or(MonoTime::NEVER, |waiting| waiting.until)
    }
}
