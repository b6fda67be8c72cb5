//! How an agent is seen from outside.

use std::net::SocketAddr;

use heartline_vocabulary::{Phase, WorkTotals};

use crate::agent::{Agent, NO_QUEUE};
use crate::command::DesiredState;
use crate::input::ReturnAddress;
use crate::roster::AgentIndex;
use crate::time::MonoTime;
use heartline_vocabulary::Action;
use heartline_vocabulary::AgentRowId;
use heartline_vocabulary::AgentStatus;
use heartline_vocabulary::Identity;

/// One agent, to look at.
#[derive(Clone, Copy)]
pub struct AgentView<'a> {
    /// Where it stands in the fleet.
    pub index: AgentIndex,
    agent: &'a Agent,
}

/// A command that still matters.
#[derive(Clone, Copy, Debug)]
pub struct CommandProgress<'a> {
    /// Kill or resume.
    pub action: Action,
    /// What is wanted, and how far it has come.
    pub desired: &'a DesiredState,
    /// Tasks still to end.
    pub draining: u32,
}

impl<'a> AgentView<'a> {
    pub(crate) fn new(index: AgentIndex, agent: &'a Agent) -> Self {
        Self { index, agent }
    }

    /// Its id.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.agent.name
    }

    /// Its durable id.
    #[must_use]
    pub fn id(&self) -> AgentRowId {
        self.agent.id
    }

    /// Its state, and why.
    #[must_use]
    pub fn standing(&self) -> AgentStatus {
        self.agent.standing
    }

    /// Since when.
    #[must_use]
    pub fn since(&self) -> MonoTime {
        self.agent.since
    }

    /// When it was first seen.
    #[must_use]
    pub fn first_seen(&self) -> MonoTime {
        self.agent.first_seen
    }

    /// When its last live message came.
    #[must_use]
    pub fn last_live(&self) -> Option<MonoTime> {
        self.agent.last_live.known()
    }

    /// When its work last made progress.
    #[must_use]
    pub fn progress_at(&self) -> Option<MonoTime> {
        self.agent.progress_at.known()
    }

    /// When its oldest task in flight began.
    #[must_use]
    pub fn oldest_task_at(&self) -> Option<MonoTime> {
        self.agent.oldest_task_at.known()
    }

    /// Tasks in flight.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.agent.in_flight
    }

    /// Length of its backlog.
    #[must_use]
    pub fn queue(&self) -> Option<u32> {
        (self.agent.queue != NO_QUEUE).then_some(self.agent.queue)
    }

    /// Its current step, or what it waits for. Scrubbed.
    #[must_use]
    pub fn step(&self) -> Option<&'a str> {
        self.agent.step.as_deref()
    }

    /// What it says it is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.agent.phase
    }

    /// Time between its beats, in ms.
    #[must_use]
    pub fn interval_ms(&self) -> u32 {
        self.agent.interval_ms
    }

    /// Its current session; 0 before the first.
    #[must_use]
    pub fn session(&self) -> u64 {
        self.agent.session.id
    }

    /// How often it has started.
    #[must_use]
    pub fn starts(&self) -> u32 {
        self.agent.starts
    }

    /// Messages of this session that arrived since the collector started.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.agent.session.received
    }

    /// Messages of this session that never arrived since the collector started.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.agent.session.lost()
    }

    /// Last segment of its current session that was counted, and last one that is on disk.
    #[must_use]
    pub fn segments(&self) -> (u64, u64) {
        (self.agent.session.applied, self.agent.session.durable)
    }

    /// Whether work of it is on its way to the disk. Forgotten now, and heard again, it would have
    /// that work counted under both of its durable ids.
    #[must_use]
    pub fn has_work_under_way(&self) -> bool {
        let (applied, durable) = self.segments();
        let superseded = self.agent.superseded.as_ref();
        applied > durable || superseded.is_some_and(|old| old.has_work_under_way())
    }

    /// Who it says it is.
    #[must_use]
    pub fn identity(&self) -> Option<&'a Identity> {
        self.agent.identity.as_ref()
    }

    /// Where its last live message came from.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.agent.address.map(|packed| ReturnAddress::from(packed).peer)
    }

    /// Its work since it was first seen.
    #[must_use]
    pub fn totals(&self) -> &'a WorkTotals {
        &self.agent.totals
    }

    /// Its desired state, if one was ever set.
    #[must_use]
    pub fn desired(&self) -> Option<&'a DesiredState> {
        self.agent.desired.as_deref()
    }

    /// The newest command, while it matters: while it kills, or until it is obeyed.
    #[must_use]
    pub fn command(&self) -> Option<CommandProgress<'a>> {
        let desired = self.agent.desired.as_deref()?;
        if !desired.killed && desired.obeyed_ms.is_some() {
            return None;
        }
        let action = if desired.killed { Action::Kill } else { Action::Resume };
        let draining = if desired.killed { self.agent.in_flight } else { 0 };
        Some(CommandProgress { action, desired, draining })
    }
}
