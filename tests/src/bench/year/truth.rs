//! What is really wrong, and when: what notices are measured by.

use std::collections::BTreeSet;

use heartline_vocabulary::{AgentStatus, Reason};

use super::site::{AGENTS, DAY_MS, HOUR_MS, MINUTE_MS};

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FaultKind {
    /// Nothing is heard of its agents: the process or host is gone, or the network.
    Silence,
    /// The network comes and goes.
    Flapping,
    /// The process ended, and was started again at once.
    Crash,
    /// That, every minute.
    CrashLoop,
    /// A task hangs.
    Hang,
    /// Too many tasks fail.
    Failing,
    /// Tasks take five times as long.
    Slow,
    /// No work comes any more.
    NoWork,
}

/// Who wants to be told of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Attention {
    /// Nobody: it is over before anybody could do anything.
    Unwanted,
    /// It is right to tell and right not to.
    Optional,
    /// Somebody must be told.
    Needed,
}

/// Number of a fault, in the order of their begins.
pub(super) type FaultId = usize;

/// Something that is wrong.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    pub(super) members: BTreeSet<usize>,
    pub(super) begin_ms: u64,
    pub(super) end_ms: u64,
    attention: Attention,
    /// Most tasks that failed of one member.
    failed: u64,
}

/// All faults so far.
pub(super) struct Truth {
    pub(super) faults: Vec<Fault>,
    /// Of each agent, in the order of their begins.
    of_agent: Vec<Vec<FaultId>>,
}

/// So many failed tasks of one agent are enough to know.
const FAILED_MIN: u64 = 10;

impl FaultKind {
    fn explains(self, status: AgentStatus) -> bool {
        use Reason::{
            CrashLooping, Crashed, EmitterSilent, Failing, Flapping, Idle, Late, Silent, Slow,
            Stalled,
        };
        let Some(reason) = status.reason else { return false };
        match self {
            Self::Silence => matches!(reason, Late | Silent | Crashed | EmitterSilent),
            Self::Flapping => matches!(reason, Late | Silent | Flapping),
            Self::Crash => matches!(reason, Late | Silent | Crashed),
            Self::CrashLoop => matches!(reason, Late | Silent | Crashed | CrashLooping | Flapping),
            Self::Hang => reason == Stalled,
            Self::Failing => reason == Failing,
            Self::Slow => reason == Slow,
            Self::NoWork => reason == Idle,
        }
    }
}

impl Fault {
    /// Returns for how long after its end it may still come to light.
    fn grace_ms(&self) -> u64 {
        match self.kind {
            FaultKind::Silence | FaultKind::Crash | FaultKind::Hang | FaultKind::NoWork => {
                2 * MINUTE_MS
            }
            FaultKind::Flapping | FaultKind::CrashLoop => 15 * MINUTE_MS,
            FaultKind::Failing if self.attention == Attention::Unwanted => 10 * MINUTE_MS,
            // Work that comes once an hour tells of it late.
            FaultKind::Failing => DAY_MS,
            FaultKind::Slow => 2 * HOUR_MS,
        }
    }

    /// Returns who wants to be told. Of failing work that depends on whether there was any.
    pub(super) fn attention(&self) -> Attention {
        let is_unseen = self.kind == FaultKind::Failing && self.failed < FAILED_MIN;
        if is_unseen { self.attention.min(Attention::Optional) } else { self.attention }
    }
}

impl Truth {
    pub(super) fn new() -> Self {
        Self { faults: Vec::new(), of_agent: vec![Vec::new(); AGENTS] }
    }

    pub(super) fn begin(
        &mut self,
        kind: FaultKind,
        members: impl IntoIterator<Item = usize>,
        (begin_ms, end_ms): (u64, u64),
        attention: Attention,
    ) -> FaultId {
        let id = self.faults.len();
        let members: BTreeSet<usize> = members.into_iter().collect();
        for &member in &members {
            self.of_agent[member].push(id);
        }
        self.faults.push(Fault { kind, members, begin_ms, end_ms, attention, failed: 0 });
        id
    }

    /// Takes in how many tasks of one member have failed so far.
    pub(super) fn count_failed(&mut self, fault: FaultId, failed: u64) {
        let fault = &mut self.faults[fault];
        fault.failed = fault.failed.max(failed);
    }

    /// Returns the fault by which an agent is in `status` since then: of several the one that most needs to be told.
    pub(super) fn explain(
        &self,
        agent: usize,
        status: AgentStatus,
        since_ms: u64,
    ) -> Option<FaultId> {
        let explains = |id: &FaultId| {
            let fault = &self.faults[*id];
            let until_ms = fault.end_ms + fault.grace_ms();
            fault.kind.explains(status) && (fault.begin_ms..=until_ms).contains(&since_ms)
        };
        let recent = self.of_agent[agent].iter().rev().take(64).copied();
        recent.filter(explains).max_by_key(|&id| self.faults[id].attention())
    }
}
