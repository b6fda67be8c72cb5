//! The reads of an agent: its fields as other packages see them.

use std::net::SocketAddr;

use heartline_vocabulary::{Action, AgentRowId, AgentStatus, Identity, Phase, WorkTotals};

use crate::agent::{Agent, NO_QUEUE};
use crate::command::DesiredState;
use crate::return_address::ReturnAddress;
use crate::time::MonoTime;

/// A command that still kills, or is not obeyed yet.
#[derive(Clone, Copy, Debug)]
pub struct CommandProgress<'a> {
    pub action: Action,
    pub desired: &'a DesiredState,
    /// Tasks that a kill still waits for.
    pub draining: u32,
}

impl Agent {
    /// Returns the agent's id.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the number of the agent in both databases.
    pub fn id(&self) -> AgentRowId {
        self.id
    }

    /// Returns its state and the reason for it.
    pub fn status(&self) -> AgentStatus {
        self.status
    }

    /// Returns when its status became true.
    pub fn since(&self) -> MonoTime {
        self.since
    }

    /// Returns when it was first seen.
    pub fn first_seen(&self) -> MonoTime {
        self.first_seen
    }

    /// Returns when its last live message came.
    pub fn last_live(&self) -> Option<MonoTime> {
        self.last_live.known()
    }

    /// Returns when its work last made progress.
    pub fn progress_at(&self) -> Option<MonoTime> {
        self.progress_at.known()
    }

    /// Returns when its oldest task in flight began.
    pub fn oldest_task_at(&self) -> Option<MonoTime> {
        self.oldest_task_at.known()
    }

    /// Returns the number of tasks in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Returns the length of its backlog.
    pub fn queue(&self) -> Option<u32> {
        (self.queue != NO_QUEUE).then_some(self.queue)
    }

    /// Returns its current step, or what it waits for. Scrubbed.
    pub fn step(&self) -> Option<&str> {
        self.step.as_deref()
    }

    /// Returns the phase that it reports.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns the time between its beats, in ms.
    pub fn interval_ms(&self) -> u32 {
        self.interval_ms
    }

    /// Returns its current session; 0 before the first.
    pub fn session(&self) -> u64 {
        self.session.id
    }

    /// Returns how often it has started.
    pub fn starts(&self) -> u32 {
        self.starts
    }

    /// Returns the number of messages of this session that arrived since the collector started.
    pub fn received(&self) -> u64 {
        self.session.received
    }

    /// Returns the number of messages of this session that never arrived since the collector started.
    pub fn lost(&self) -> u64 {
        self.session.lost()
    }

    /// Returns the last segment of its current session that was counted, and the last one on disk.
    pub fn segments(&self) -> (u64, u64) {
        (self.session.applied, self.session.durable)
    }

    /// Returns the identity that it reported.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Returns where its last live message came from.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address.map(|packed| ReturnAddress::from(packed).peer)
    }

    /// Returns its work since it was first seen.
    pub fn totals(&self) -> &WorkTotals {
        &self.totals
    }

    /// Returns its desired state, if one was ever set.
    pub fn desired(&self) -> Option<&DesiredState> {
        self.desired.as_deref()
    }

    /// Returns the newest command, while it kills or until it is obeyed.
    pub fn command(&self) -> Option<CommandProgress<'_>> {
        let desired = self.desired.as_deref()?;
        if !desired.killed && desired.obeyed_ms.is_some() {
            return None;
        }
        let action = desired.action();
        let draining = if desired.killed { self.in_flight } else { 0 };
        Some(CommandProgress { action, desired, draining })
    }
}
