//! The protocol engine of an emitter: what to send, when, and what the answers mean. Without
//! sockets, clocks or randomness, it is shared by the `heartline` crate and the simulation.
//!
//! An [`Engine`] is driven by its owner, always in this order:
//!
//! 1. pass in received datagrams ([`Engine::handle_datagram`]) and store the desired states *before*
//!    the next step, if they changed: they must be on disk before a beat reports them;
//! 2. call [`Engine::poll_transmit`] until it returns false;
//! 3. wait until [`Engine::poll_timeout`], or until a datagram is received.
//!
//! Time, the session id and the seed of the jitter are arguments, so the same inputs give the same
//! datagrams, byte for byte. The rules are those of `SPEC.md`, whose sections are named in
//! comments.
//!
//! ```
//! use heartline_engine::{AgentKeys, Engine, EngineConfig, InMemoryMetrics, MonoNanos};
//! use heartline_protocol::{AgentName, KeyEpoch, MasterKey, Token, TokenScope};
//!
//! let agent = AgentName::new("mail")?;
//! let key = MasterKey::new([7; 32]).scope_key(KeyEpoch(1), "mail");
//! let token = Token { epoch: KeyEpoch(1), scope: TokenScope::new("mail")?, key };
//! let keys = AgentKeys::new(&token, &agent)?;
//!
//! let now = MonoNanos::new(0);
//! let mut engine = Engine::new(EngineConfig::new(agent, keys, 0x5be1), now);
//! let (mut metrics, mut datagram) = (InMemoryMetrics::default(), Vec::new());
//! assert!(engine.poll_transmit(now, &mut metrics, &mut datagram)); // the first beat
//! assert!(!engine.poll_transmit(now, &mut metrics, &mut datagram)); // nothing more is due
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod applied;
mod config;
mod exit;
mod identity;
mod local_collector;
mod metrics;
mod receive;
mod schedule;
mod segment;
mod spending_limit;
mod time;
mod transmit;

use std::time::Duration;

use heartline_protocol::limits::{CHALLENGE_LEN, INTERVAL_MS};
use heartline_protocol::{AgentName, BudgetLeft, ControlId};

pub use self::address::{AddressError, COLLECTORS_MAX, CollectorAddress};
pub use self::applied::AppliedStates;
pub use self::config::{AgentKeys, EngineConfig, OutOfScopeError, parse_interval_ms};
use self::exit::ExitReportState;
pub use self::exit::ProcessExit;
pub use self::identity::IdentityConfig;
pub use self::local_collector::LocalCollector;
pub use self::metrics::{BeatVitals, InMemoryMetrics, MetricsSource};
use self::schedule::SendSchedule;
use self::segment::PendingSegment;
pub use self::segment::SegmentBuilder;
pub use self::spending_limit::SpendingLimit;
pub use self::time::MonoNanos;

/// Number of first beats that carry the identity, unless an answer confirms it earlier.
const IDENTITY_BEATS: u32 = 3;

/// An emitter's side of the protocol, in one session at a time. A clone of it is what a snapshot of
/// memory keeps.
#[derive(Clone, Debug)]
pub struct Engine {
    agent: AgentName,
    keys: AgentKeys,
    session: u64,
    interval_ms: u32,
    stall_after_ms: Option<u32>,
    identity: IdentityConfig,
    /// Number of next beats that carry the identity.
    identity_beats: u32,
    started: MonoNanos,
    last_sent_sequence: u64,
    highest_acked_sequence: u64,
    /// Of the acks to live messages.
    highest_live_sequence: u64,
    challenge: [u8; CHALLENGE_LEN],
    connection: ConnectionState,
    was_confirmed: bool,
    /// Control id of the collector, once it was received.
    control: Option<ControlId>,
    /// Control ids of other collectors that the emitter hears.
    other_controls: Vec<ControlId>,
    applied: AppliedStates,
    /// First sequence that carries an urgent change, while none from there on is acknowledged.
    unacked_change: Option<u64>,
    segment: PendingSegment,
    /// Of the tightest budget, as the collector told it last.
    spending_limit: Option<SpendingLimit>,
    schedule: SendSchedule,
    exit: ExitReportState,
    shutdown: ShutdownState,
    last_answer: Option<MonoNanos>,
    unanswered_since: Option<MonoNanos>,
    is_session_taken: bool,
}

/// State of a session as the collector's newest answer shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// No answer was received yet.
    Unanswered,
    /// The newest answer was to a message that was not live.
    Unconfirmed,
    /// The newest answer was to a live message.
    Confirmed,
}

/// Progress of the session's end.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ShutdownState {
    Open,
    Closing {
        deadline: MonoNanos,
        /// Sequence of the first goodbye that carries the segment now pending.
        first_goodbye: Option<u64>,
        /// That goodbye was acknowledged, and its segment is durable.
        acked: bool,
    },
    Closed,
}

impl Engine {
    /// Starts a session; its first beat is due now.
    pub fn new(config: EngineConfig, now: MonoNanos) -> Self {
        let interval_ms = config.interval_ms.clamp(*INTERVAL_MS.start(), *INTERVAL_MS.end());
        let interval = Duration::from_millis(u64::from(interval_ms));
        Self {
            agent: config.agent,
            keys: config.keys,
            session: config.session,
            interval_ms,
            stall_after_ms: config.stall_after_ms,
            identity: config.identity.fitted(),
            identity_beats: IDENTITY_BEATS,
            started: now,
            last_sent_sequence: 0,
            highest_acked_sequence: 0,
            highest_live_sequence: 0,
            challenge: [0; CHALLENGE_LEN],
            connection: ConnectionState::Unanswered,
            was_confirmed: false,
            control: None,
            other_controls: Vec::new(),
            applied: config.applied,
            unacked_change: None,
            segment: PendingSegment::default(),
            spending_limit: None,
            schedule: SendSchedule::new(interval, config.jitter_seed, now),
            exit: ExitReportState::default(),
            shutdown: ShutdownState::Open,
            last_answer: None,
            unanswered_since: None,
            is_session_taken: false,
        }
    }

    /// Returns when [`Engine::poll_transmit`] next has something to do; `None` once closed.
    pub fn poll_timeout(&self) -> Option<MonoNanos> {
        match self.shutdown {
            ShutdownState::Open => Some(self.schedule.next_due()),
            ShutdownState::Closing { deadline, .. } => Some(self.schedule.next_due().min(deadline)),
            ShutdownState::Closed => None,
        }
    }

    /// Makes the next beat due at once, and repeats it soon while unacknowledged: something has
    /// changed that the collector should learn before the interval is over.
    pub fn notify_change(&mut self, now: MonoNanos) {
        if self.shutdown == ShutdownState::Open {
            self.unacked_change = Some(self.last_sent_sequence + 1);
            self.schedule.retry_early(now);
        }
    }

    /// Begins to end the session: goodbyes carry the remaining work until it is durable or
    /// `timeout` is over. After that [`Engine::poll_timeout`] returns `None`.
    pub fn close(&mut self, now: MonoNanos, timeout: Duration) {
        if self.shutdown == ShutdownState::Open {
            let deadline = now.plus(timeout);
            self.shutdown = ShutdownState::Closing { deadline, first_goodbye: None, acked: false };
            self.schedule.send_now(now);
        }
    }

    /// Reports the end of the process that this emitter speaks for, until that is acknowledged. Its beats
    /// go on, so that commands arrive, but not after an exit without a fault. The next process begins with
    /// [`Self::begin_process`].
    pub fn report_exit(&mut self, exit: ProcessExit, now: MonoNanos) {
        if self.shutdown == ShutdownState::Open {
            self.exit = ExitReportState::new(exit);
            self.schedule.send_now(now);
        }
    }

    /// Makes the next message due now, if the end of the process is acknowledged: for work that came
    /// after the segment that the report carried.
    pub fn send_rest(&mut self, now: MonoNanos) {
        if self.shutdown == ShutdownState::Open && self.is_exit_acknowledged() {
            self.schedule.send_now(now);
        }
    }

    /// Replaces the identity, and sends it again if it is another one.
    pub fn set_identity(&mut self, identity: &IdentityConfig) {
        let fitted = identity.fitted();
        if self.identity != fitted {
            self.identity = fitted;
            self.identity_beats = IDENTITY_BEATS;
        }
    }

    /// Begins a session for the next process, or for the time until there is one.
    pub fn begin_process(&mut self, session: u64, now: MonoNanos) {
        self.exit = ExitReportState::default();
        self.begin_session(session, now);
    }

    /// Returns whether the session is over: the process has ended without a fault, and that is
    /// acknowledged. Nothing is sent any more.
    pub fn is_session_over(&self) -> bool {
        self.exit.is_clean() && self.is_exit_acknowledged()
    }

    /// Returns whether the end of the process was reported and acknowledged, and its work is durable.
    pub fn is_exit_acknowledged(&self) -> bool {
        self.exit.is_acknowledged() && self.segment.number().is_none()
    }

    /// Returns whether another process was found to speak in this session: this one was restored from a
    /// snapshot of memory, or is a copy. It is not heard until [`Self::begin_session`].
    pub fn is_session_taken(&self) -> bool {
        self.is_session_taken
    }

    /// Goes on in a session of its own, whose id must be drawn anew: what other copies of this process
    /// draw must differ. Its first beat is due as soon as the limit of early messages allows.
    pub fn begin_session(&mut self, session: u64, now: MonoNanos) {
        self.segment.begin_session(self.highest_live_sequence);
        self.session = session;
        self.is_session_taken = false;
        self.identity_beats = IDENTITY_BEATS;
        (self.last_sent_sequence, self.highest_acked_sequence) = (0, 0);
        self.highest_live_sequence = 0;
        self.challenge = [0; CHALLENGE_LEN];
        self.connection = ConnectionState::Unanswered;
        self.was_confirmed = false;
        self.unacked_change = None;
        self.exit.begin_session();
        if let ShutdownState::Closing { first_goodbye, acked, .. } = &mut self.shutdown {
            (*first_goodbye, *acked) = (None, false);
        }
        self.schedule.retry_early(now);
    }

    /// Replaces the keys, after the token was replaced.
    pub fn rekey(&mut self, keys: AgentKeys) {
        self.keys = keys;
    }

    /// Returns the state of the session as the newest answer shows it.
    pub fn connection(&self) -> ConnectionState {
        self.connection
    }

    /// Returns the control id of the collector, once it was received.
    pub fn control(&self) -> Option<ControlId> {
        self.control
    }

    /// Sets the control ids of the other collectors that the emitter hears. Those lift their kills
    /// themselves: no command of this collector does.
    pub fn set_other_controls(&mut self, others: Vec<ControlId>) {
        self.other_controls = others;
    }

    /// Returns the desired states that are applied.
    pub fn applied(&self) -> &AppliedStates {
        &self.applied
    }

    /// Replaces the desired states that are applied, after the engine of another collector has
    /// applied one, and reports that soon.
    pub fn set_applied(&mut self, applied: &AppliedStates, now: MonoNanos) {
        if self.applied != *applied {
            self.applied.clone_from(applied);
            self.notify_change(now);
        }
    }

    /// Returns the session's id.
    pub fn session(&self) -> u64 {
        self.session
    }

    /// Returns the number of the segment that is not durable yet.
    pub fn pending_segment(&self) -> Option<u64> {
        self.segment.number()
    }

    /// Returns the limit of the tightest budget, while there is one.
    pub fn spending_limit(&self) -> Option<SpendingLimit> {
        self.spending_limit
    }

    /// Returns what is left of the tightest budget after all work that was taken into segments.
    pub fn budget_left(&self) -> Option<BudgetLeft> {
        let limit = self.spending_limit?;
        let amount = limit.left(self.segment.taken());
        Some(BudgetLeft { unit: limit.unit, amount, counts_pending: false })
    }

    /// Returns when the collector last answered.
    pub fn last_answer(&self) -> Option<MonoNanos> {
        self.last_answer
    }

    /// Returns when the first message after the last answer was sent.
    pub fn unanswered_since(&self) -> Option<MonoNanos> {
        self.unanswered_since
    }
}
