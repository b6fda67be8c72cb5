//! All that the core keeps of one agent, and how other packages read it. A million of these must fit:
//! rare things are boxed.

use crate::ack::PendingAck;
use crate::command::{CommandRecord, PushSchedule};
use crate::expectation::ExpectedWork;
use crate::gap::ObservedTime;
use crate::latency_limit::LatencyLimits;
use crate::pauses::Pauses;
use crate::process::ProcessState;
use crate::quality::WorkQuality;
use crate::rate_limit::RateLimit;
use crate::reported_state::ReportedState;
use crate::return_address::{PackedReturnAddress, ReturnAddress};
use crate::session::{Session, SupersededSessions};
use crate::throttle::Throttle;
use crate::time::MonoTime;
use heartline_protocol::{ControlId, DesiredState};
use heartline_vocabulary::{Action, AgentRowId, AgentStatus, Identity, Phase, WorkTotals};
use std::net::SocketAddr;

/// The value of [`Agent::queue`] when no backlog was reported.
pub(crate) const NO_QUEUE: u32 = u32::MAX;

/// One agent, to read; only the fleet changes it.
pub struct Agent {
    pub(crate) name: Box<str>,
    pub(crate) id: AgentRowId,
    /// Index of its thresholds in the [`crate::thresholds::ThresholdTable`].
    pub(crate) thresholds: u16,

    pub(crate) status: AgentStatus,
    /// Time at which `status` began.
    pub(crate) since: MonoTime,
    /// The status before the collector started, and since when, until the first judgement.
    pub(crate) restored: Option<Box<(AgentStatus, MonoTime)>>,

    /// Time of the last live message; shown, never judged by.
    pub(crate) last_live: MonoTime,
    /// Start of the silence that it is judged by: the last live message.
    pub(crate) silent_since: ObservedTime,
    /// Time of the last authentic message with a new sequence, live or not.
    pub(crate) heard_at: ObservedTime,
    /// Time of the first message after the last live one that was not proven fresh.
    pub(crate) unproven_since: ObservedTime,
    /// A live message was received since the collector started.
    pub(crate) heard_since_start: bool,
    /// End of the time in which it counts as reported by two processes.
    pub(crate) conflict_until: ObservedTime,
    /// What is known of its process, if anything is.
    pub(crate) process: Option<Box<ProcessState>>,

    pub(crate) interval_ms: u32,
    pub(crate) in_flight: u32,
    pub(crate) queue: u32,
    pub(crate) lost_observations: u64,
    pub(crate) phase: Phase,
    pub(crate) progress_at: MonoTime,
    /// When the task in flight that has been quiet for longest began, or took its last step.
    pub(crate) oldest_task_at: MonoTime,
    pub(crate) step: Option<Box<str>>,

    pub(crate) session: Session,
    /// Start of the tag of the newest message of the current session.
    pub(crate) newest_tag_prefix: u32,
    pub(crate) superseded: Option<Box<SupersededSessions>>,
    /// What is limited about it, if anything is.
    pub(crate) throttle: Option<Box<Throttle>>,
    pub(crate) starts: u32,
    /// The current session has sent its identity.
    pub(crate) identity_known: bool,
    pub(crate) identity: Option<Identity>,
    /// Source of the last live message.
    pub(crate) address: Option<PackedReturnAddress>,

    pub(crate) desired: Option<Box<CommandRecord>>,
    /// The highest generation given out for this agent; above that of `desired` while a command is
    /// on its way to the disk.
    pub(crate) generation: u64,
    /// What it reports of desired states, once there is anything.
    pub(crate) reported: Option<Box<ReportedState>>,
    pub(crate) push_schedule: Option<Box<PushSchedule>>,
    pub(crate) totals: WorkTotals,
    /// The tests of its work that are not at their begin.
    pub(crate) quality: Option<Box<WorkQuality>>,
    /// Its pauses, of which no step is part that a task takes.
    pub(crate) pauses: Pauses,
    /// Its tasks of late, where some are expected of it.
    pub(crate) expected: Option<Box<ExpectedWork>>,
    /// Limits of its latencies by its own past.
    pub(crate) own_latency_limits: LatencyLimits,
    /// Beats received since the last work row.
    pub(crate) beats_since_row: u32,
    /// Lost beats of the session that work rows have reported.
    pub(crate) lost_reported: u32,
    pub(crate) pending_ack: Option<Box<PendingAck>>,
    /// Answers to it.
    pub(crate) answers: RateLimit,
    /// Its messages that were judged.
    pub(crate) judged: RateLimit,
    /// The databases have it: it was live, or commanded.
    pub(crate) is_stored: bool,
    /// Identities of this session that history has.
    pub(crate) recorded_identities: u8,
    /// It is in `HandlerContext::changed`.
    pub(crate) changed: bool,
    pub(crate) first_seen: MonoTime,
}

/// The kind of an agent's session that a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionKind {
    Current,
    Superseded,
    Unknown,
}

impl Agent {
    /// Returns an agent of which only the name is known.
    pub(crate) fn new(
        name: &str,
        id: AgentRowId,
        thresholds: u16,
        session: Session,
        now: MonoTime,
    ) -> Self {
        Self {
            name: name.into(),
            id,
            thresholds,
            status: AgentStatus::UNKNOWN,
            since: now,
            restored: None,
            last_live: MonoTime::NEVER_YET,
            silent_since: ObservedTime::NEVER_YET,
            heard_at: ObservedTime::NEVER_YET,
            unproven_since: ObservedTime::NEVER_YET,
            heard_since_start: false,
            conflict_until: ObservedTime::NEVER_YET,
            process: None,
            interval_ms: heartline_protocol::limits::INTERVAL_DEFAULT_MS,
            in_flight: 0,
            queue: NO_QUEUE,
            lost_observations: 0,
            phase: Phase::Starting,
            progress_at: MonoTime::NEVER_YET,
            oldest_task_at: MonoTime::NEVER_YET,
            step: None,
            session,
            newest_tag_prefix: 0,
            superseded: None,
            throttle: None,
            starts: 0,
            identity_known: false,
            identity: None,
            address: None,
            desired: None,
            generation: 0,
            reported: None,
            push_schedule: None,
            totals: WorkTotals::default(),
            quality: None,
            pauses: Pauses::default(),
            expected: None,
            own_latency_limits: LatencyLimits::default(),
            beats_since_row: 0,
            lost_reported: 0,
            pending_ack: None,
            answers: RateLimit::default(),
            judged: RateLimit::default(),
            is_stored: false,
            recorded_identities: 0,
            changed: false,
            first_seen: now,
        }
    }

    /// Loads every cache line of the agent.
    pub(crate) fn prefetch(&self) -> u64 {
        let instants = [self.since, self.last_live, self.progress_at, self.first_seen];
        let instants = instants.iter().fold(0, |sum, at| sum ^ at.nanos());
        let session = self.session.id ^ self.session.applied ^ u64::from(self.session.received);
        let highest = self.session.window.highest();
        let counts = self.totals.ok ^ self.totals.tokens_out ^ self.generation;
        let small = self.interval_ms ^ self.queue ^ self.beats_since_row ^ self.answers.raw();
        instants as u64 ^ session ^ highest ^ counts ^ u64::from(small) ^ self.name.len() as u64
    }

    /// Loads the texts that its next message is compared with.
    pub(crate) fn prefetch_texts(&self) -> u64 {
        let last = |text: &str| text.as_bytes().last().map_or(0, |&byte| u64::from(byte));
        last(&self.name) ^ self.step.as_deref().map_or(0, last)
    }

    /// Returns the state that it is to be in.
    pub(crate) fn desired_state(&self, control: ControlId) -> DesiredState {
        let none = DesiredState { control: Some(control), ..DesiredState::default() };
        self.desired.as_ref().map_or(none, |command| command.state(control))
    }

    /// Returns when the work that has been quiet for longest last made progress: all of it, or a task
    /// in flight beside others that go on.
    pub(crate) fn least_progress_at(&self) -> Option<MonoTime> {
        let progress_at = self.progress_at.known()?;
        let task_at = self.oldest_task_at.known().filter(|_| self.in_flight > 0);
        Some(task_at.map_or(progress_at, |at| at.min(progress_at)))
    }

    /// Returns whether its desired state is killed.
    pub(crate) fn is_killed(&self) -> bool {
        self.desired.as_ref().is_some_and(|desired| desired.killed)
    }

    /// Returns whether work of it is on its way to the disk.
    pub(crate) fn has_uncommitted_work(&self) -> bool {
        let superseded = self.superseded.as_ref();
        self.session.applied > self.session.durable
            || superseded.is_some_and(|old| old.has_uncommitted_work())
    }

    /// Returns the kind of session that `id` is.
    pub(crate) fn session_kind(&self, id: u64) -> SessionKind {
        if self.starts > 0 && self.session.id == id {
            SessionKind::Current
        } else if self.superseded.as_ref().is_some_and(|old| old.get(id).is_some()) {
            SessionKind::Superseded
        } else {
            SessionKind::Unknown
        }
    }

    /// Returns the session of that id, current or superseded.
    pub(crate) fn session_mut(&mut self, id: u64) -> Option<&mut Session> {
        if self.session.id == id {
            return Some(&mut self.session);
        }
        self.superseded.as_mut()?.get_mut(id)
    }
}

/// A command that still kills, or is not obeyed yet.
#[derive(Clone, Copy, Debug)]
pub struct CommandProgress<'a> {
    pub action: Action,
    pub desired: &'a CommandRecord,
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

    /// Returns when the task in flight that has been quiet for longest began, or took its last step.
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

    /// Returns the phase that it reports; `None` until it was heard since the collector started.
    pub fn phase(&self) -> Option<Phase> {
        self.heard_since_start.then_some(self.phase)
    }

    /// Returns the observations that its emitter could not count since it started; `None` until it
    /// was heard since the collector started.
    pub fn lost_observations(&self) -> Option<u64> {
        self.heard_since_start.then_some(self.lost_observations)
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

    /// Returns the number of live messages of this session since the collector started.
    pub fn received(&self) -> u64 {
        u64::from(self.session.received)
    }

    /// Returns the number of messages of this session that never arrived since the collector started.
    pub fn lost(&self) -> u64 {
        self.session.lost()
    }

    /// Returns the last segment of its current session that was counted, and the last one on disk.
    pub fn segments(&self) -> (u64, u64) {
        (self.session.applied, self.session.durable)
    }

    /// Returns how often all challenges that were given to it were voided: it enters each challenge.
    pub(crate) fn challenges_voided(&self) -> u32 {
        self.superseded.as_ref().map_or(0, |superseded| superseded.challenges_voided())
    }

    /// Returns the identity that it reported.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Returns where its last live message came from.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address.map(|packed| ReturnAddress::from(packed).peer)
    }

    /// Returns whether it is in the databases: it was live, or commanded.
    pub fn is_stored(&self) -> bool {
        self.is_stored
    }

    /// Returns its work since it was first seen.
    pub fn totals(&self) -> &WorkTotals {
        &self.totals
    }

    /// Returns its desired state, if one was ever set.
    pub fn desired(&self) -> Option<&CommandRecord> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_of_them_fit() {
        let bytes = size_of::<Option<Agent>>();
        assert!(bytes <= 432, "an agent takes {bytes} bytes");
    }
}
