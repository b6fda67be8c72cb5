//! All that the core keeps of one agent. A million of these must fit: rare things are boxed.

use heartline_vocabulary::Phase;

use crate::attended::ObservedTime;
use crate::command::{DesiredState, PushSchedule};
use crate::input::ReturnAddress;
use crate::path::PackedReturnAddress;
use crate::session::{Session, Superseded};
use crate::stranger::UnverifiedSessions;
use crate::time::MonoTime;
use heartline_vocabulary::AgentRowId;
use heartline_vocabulary::Identity;
use heartline_vocabulary::WorkTotals;
use heartline_vocabulary::{AgentStatus, ExitStatus};

/// No backlog was reported.
pub(crate) const NO_QUEUE: u32 = u32::MAX;

/// One agent.
pub(crate) struct Agent {
    pub(crate) name: Box<str>,
    pub(crate) id: AgentRowId,
    pub(crate) limits: u16,

    pub(crate) standing: AgentStatus,
    /// When `standing` became true.
    pub(crate) since: MonoTime,
    /// The standing before the collector started, and since when, until the first judgement.
    pub(crate) restored: Option<Box<(AgentStatus, MonoTime)>>,

    /// When the last live message came; shown, never judged by.
    pub(crate) last_live: MonoTime,
    /// From when silence counts: the last live message.
    pub(crate) silent_from: ObservedTime,
    /// When the last authentic message with a new sequence came, live or not.
    pub(crate) heard_at: ObservedTime,
    /// When the first message after the last live one came that proved nothing fresh.
    pub(crate) doubted_from: ObservedTime,
    /// A live message has come since the collector started.
    pub(crate) settled: bool,
    /// Until when two processes speak as this agent.
    pub(crate) conflict_until: ObservedTime,
    /// It said goodbye, or its supervisor reported its exit; a new session clears it.
    pub(crate) ended: Option<Box<ProcessEnd>>,

    pub(crate) interval_ms: u32,
    pub(crate) in_flight: u32,
    pub(crate) queue: u32,
    pub(crate) phase: Phase,
    pub(crate) progress_at: MonoTime,
    pub(crate) oldest_task_at: MonoTime,
    pub(crate) step: Option<Box<str>>,

    pub(crate) session: Session,
    pub(crate) superseded: Option<Box<Superseded>>,
    /// Sessions that have not been live yet, since the current one became that.
    pub(crate) strangers: Option<Box<UnverifiedSessions>>,
    pub(crate) starts: u32,
    /// The current session has sent its identity.
    pub(crate) identity_known: bool,
    pub(crate) identity: Option<Identity>,
    /// Where the last live message came from.
    pub(crate) address: Option<PackedReturnAddress>,

    pub(crate) desired: Option<Box<DesiredState>>,
    /// The highest generation ever given out for this agent, or reported by it.
    pub(crate) generation: u64,
    pub(crate) pushes: Option<Box<PushSchedule>>,
    pub(crate) totals: WorkTotals,
    /// Beats received and lost since the last work row.
    pub(crate) beats: u32,
    pub(crate) lost_noted: u32,
    pub(crate) question: Option<Box<PendingAck>>,
    pub(crate) allowance: RateLimit,
    /// It stands in the list of changed agents.
    pub(crate) changed: bool,
    pub(crate) first_seen: MonoTime,
}

/// Which of an agent's sessions a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionKind {
    Current,
    Superseded,
    Unknown,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcessEnd {
    Shutdown,
    Crashed(ExitStatus),
}

/// A message whose answer waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PendingAck {
    pub(crate) from: ReturnAddress,
    pub(crate) session: u64,
    pub(crate) sequence: u64,
    pub(crate) interval_ms: u32,
    pub(crate) len: u16,
}

/// How many more answers an agent gets in this second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RateLimit {
    second: u32,
    used: u16,
}

/// Most answers to one agent in one second: far above what any emitter asks for, and too few to be
/// a weapon in the hands of one that is replayed.
pub(crate) const ANSWERS_PER_SECOND: u16 = 64;

impl RateLimit {
    /// Takes one answer, if fewer than `most` were taken in this second.
    pub(crate) fn take(&mut self, now: MonoTime, most: u16) -> bool {
        let second = now.nanos().div_euclid(1_000_000_000) as u32;
        if second != self.second {
            *self = Self { second, used: 0 };
        }
        let allowed = self.used < most;
        self.used += u16::from(allowed);
        allowed
    }
}

impl Agent {
    /// An agent of which only the name is known yet.
    pub(crate) fn new(
        name: &str,
        id: AgentRowId,
        limits: u16,
        session: Session,
        now: MonoTime,
    ) -> Self {
        Self {
            name: name.into(),
            id,
            limits,
            standing: AgentStatus::UNKNOWN,
            since: now,
            restored: None,
            last_live: MonoTime::NEVER_YET,
            silent_from: ObservedTime::NEVER_YET,
            heard_at: ObservedTime::NEVER_YET,
            doubted_from: ObservedTime::NEVER_YET,
            settled: false,
            conflict_until: ObservedTime::NEVER_YET,
            ended: None,
            interval_ms: heartline_protocol::limits::INTERVAL_DEFAULT_MS,
            in_flight: 0,
            queue: NO_QUEUE,
            phase: Phase::Starting,
            progress_at: MonoTime::NEVER_YET,
            oldest_task_at: MonoTime::NEVER_YET,
            step: None,
            session,
            superseded: None,
            strangers: None,
            starts: 0,
            identity_known: false,
            identity: None,
            address: None,
            desired: None,
            generation: 0,
            pushes: None,
            totals: WorkTotals::default(),
            beats: 0,
            lost_noted: 0,
            question: None,
            allowance: RateLimit::default(),
            changed: false,
            first_seen: now,
        }
    }

    /// Loads every cache line of it.
    pub(crate) fn touch(&self) -> u64 {
        let instants = [self.since, self.last_live, self.progress_at, self.first_seen];
        let instants = instants.iter().fold(0, |sum, at| sum ^ at.nanos());
        let session = self.session.id ^ self.session.applied ^ self.session.received;
        let highest = self.session.window.highest();
        let counts = self.totals.ok ^ self.totals.tokens_out ^ self.generation;
        let small = self.interval_ms ^ self.queue ^ self.beats ^ self.allowance.second;
        instants as u64 ^ session ^ highest ^ counts ^ u64::from(small) ^ self.name.len() as u64
    }

    /// Loads the texts that its next message is compared with.
    pub(crate) fn touch_texts(&self) -> u64 {
        let last = |text: &str| text.as_bytes().last().map_or(0, |&byte| u64::from(byte));
        last(&self.name) ^ self.step.as_deref().map_or(0, last)
    }

    /// Whether its desired state is killed.
    pub(crate) fn is_killed(&self) -> bool {
        self.desired.as_ref().is_some_and(|desired| desired.killed)
    }

    /// Which of its sessions a message of session `id` belongs to.
    pub(crate) fn belongs(&self, id: u64) -> SessionKind {
        if self.starts > 0 && self.session.id == id {
            SessionKind::Current
        } else if self.superseded.as_ref().is_some_and(|old| old.get(id).is_some()) {
            SessionKind::Superseded
        } else {
            SessionKind::Unknown
        }
    }

    /// The session of that id, current or superseded.
    pub(crate) fn session_mut(&mut self, id: u64) -> Option<&mut Session> {
        if self.session.id == id {
            return Some(&mut self.session);
        }
        self.superseded.as_mut()?.get_mut(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_of_them_fit() {
        let bytes = size_of::<Option<Agent>>();
        assert!(bytes <= 384, "an agent takes {bytes} bytes");
    }

    #[test]
    fn answers_are_allowed_by_the_second() {
        let mut allowance = RateLimit::default();
        let taken = |allowance: &mut RateLimit, ms| {
            (0..100).filter(|_| allowance.take(MonoTime::from_millis(ms), 64)).count()
        };
        assert_eq!(taken(&mut allowance, 5_000), 64);
        assert_eq!(taken(&mut allowance, 5_999), 0);
        assert_eq!(taken(&mut allowance, 6_000), 64);
    }
}
