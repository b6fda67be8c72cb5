//! A read-only view of an agent.

use std::net::SocketAddr;

use heartline_vocabulary::{Phase, WorkTotals};

use crate::agent::{Agent, NO_QUEUE};
use crate::agent_table::AgentIndex;
use crate::command::DesiredState;
use crate::return_address::ReturnAddress;
use crate::time::MonoTime;
use heartline_vocabulary::Action;
use heartline_vocabulary::AgentRowId;
use heartline_vocabulary::AgentStatus;
use heartline_vocabulary::Identity;

/// A read-only view of an agent.
#[derive(Clone, Copy)]
pub struct AgentView<'a> {
    pub index: AgentIndex,
    agent: &'a Agent,
}

/// A command that still kills, or is not obeyed yet.
#[derive(Clone, Copy, Debug)]
pub struct CommandProgress<'a> {
    pub action: Action,
    pub desired: &'a DesiredState,
    /// Tasks that a kill still waits for.
    pub draining: u32,
}

impl<'a> AgentView<'a> {
    pub(crate) fn new(index: AgentIndex, agent: &'a Agent) -> Self {
        Self { index, agent }
    }

    /// Returns the agent's id.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.agent.name
    }

    /// Returns the number of the agent in both databases.
    #[must_use]
    pub fn id(&self) -> AgentRowId {
        self.agent.id
    }

    /// Returns its state and the reason for it.
    #[must_use]
    pub fn status(&self) -> AgentStatus {
        self.agent.status
    }

    /// Returns when its status became true.
    #[must_use]
    pub fn since(&self) -> MonoTime {
        self.agent.since
    }

    /// Returns when it was first seen.
    #[must_use]
    pub fn first_seen(&self) -> MonoTime {
        self.agent.first_seen
    }

    /// Returns when its last live message came.
    #[must_use]
    pub fn last_live(&self) -> Option<MonoTime> {
        self.agent.last_live.known()
    }

    /// Returns when its work last made progress.
    #[must_use]
    pub fn progress_at(&self) -> Option<MonoTime> {
        self.agent.progress_at.known()
    }

    /// Returns when its oldest task in flight began.
    #[must_use]
    pub fn oldest_task_at(&self) -> Option<MonoTime> {
        self.agent.oldest_task_at.known()
    }

    /// Returns the number of tasks in flight.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.agent.in_flight
    }

    /// Returns the length of its backlog.
    #[must_use]
    pub fn queue(&self) -> Option<u32> {
        (self.agent.queue != NO_QUEUE).then_some(self.agent.queue)
    }

    /// Returns its current step, or what it waits for. Scrubbed.
    #[must_use]
    pub fn step(&self) -> Option<&'a str> {
        self.agent.step.as_deref()
    }

    /// Returns the phase that it reports.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.agent.phase
    }

    /// Returns the time between its beats, in ms.
    #[must_use]
    pub fn interval_ms(&self) -> u32 {
        self.agent.interval_ms
    }

    /// Returns its current session; 0 before the first.
    #[must_use]
    pub fn session(&self) -> u64 {
        self.agent.session.id
    }

    /// Returns how often it has started.
    #[must_use]
    pub fn starts(&self) -> u32 {
        self.agent.starts
    }

    /// Returns the number of messages of this session that arrived since the collector started.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.agent.session.received
    }

    /// Returns the number of messages of this session that never arrived since the collector started.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.agent.session.lost()
    }

    /// Returns the last segment of its current session that was counted, and the last one on disk.
    #[must_use]
    pub fn segments(&self) -> (u64, u64) {
        (self.agent.session.applied, self.agent.session.durable)
    }

    /// Returns the identity that it reported.
    #[must_use]
    pub fn identity(&self) -> Option<&'a Identity> {
        self.agent.identity.as_ref()
    }

    /// Returns where its last live message came from.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.agent.address.map(|packed| ReturnAddress::from(packed).peer)
    }

    /// Returns its work since it was first seen.
    #[must_use]
    pub fn totals(&self) -> &'a WorkTotals {
        &self.agent.totals
    }

    /// Returns its desired state, if one was ever set.
    #[must_use]
    pub fn desired(&self) -> Option<&'a DesiredState> {
        self.agent.desired.as_deref()
    }

    /// Returns the newest command, while it kills or until it is obeyed.
    #[must_use]
    pub fn command(&self) -> Option<CommandProgress<'a>> {
        let desired = self.agent.desired.as_deref()?;
        if !desired.killed && desired.obeyed_ms.is_some() {
            return None;
        }
        let action = desired.action();
        let draining = if desired.killed { self.agent.in_flight } else { 0 };
        Some(CommandProgress { action, desired, draining })
    }
}
