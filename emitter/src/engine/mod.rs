//! The emitter's logic without sockets, clocks or randomness: for simulation, and for carrying
//! beats over something else than this crate's own UDP thread.
//!
//! An [`Engine`] is driven by whoever owns it, always in the same order:
//!
//! 1. hand in what was received ([`Engine::handle_datagram`]) and act on what it says *before* the
//!    next step: a new desired state is to be remembered on disk before a beat reports it;
//! 2. call [`Engine::poll_transmit`] until it has nothing more to send;
//! 3. wait until [`Engine::poll_timeout`], or until something is received.
//!
//! Time, the session id and the seed of the jitter come in as arguments, so the same inputs give
//! the same datagrams, byte for byte. The rules are those of `SPEC.md`, whose sections are named
//! where they apply.
//!
//! ```
//! use heartline::engine::{Engine, EngineConfig, Keys, Moment, Tally};
//! use heartline_protocol::{AgentName, KeyEpoch, MasterKey, TokenScope, Token};
//!
//! let agent = AgentName::new("mail")?;
//! let key = MasterKey::new([7; 32]).scope_key(KeyEpoch(1), "mail");
//! let token = Token { epoch: KeyEpoch(1), scope: TokenScope::new("mail")?, key };
//! let keys = Keys::new(&token, &agent)?;
//!
//! let now = Moment::from_nanos(0);
//! let mut engine = Engine::new(EngineConfig::new(agent, keys, 0x5be1), now);
//! let (mut work, mut datagram) = (Tally::default(), Vec::new());
//! assert!(engine.poll_transmit(now, &mut work, &mut datagram));  // the first beat, at once
//! assert!(!engine.poll_transmit(now, &mut work, &mut datagram)); // and no more for now
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answers;
mod config;
mod identity;
mod keys;
mod messages;
mod moment;
mod outbox;
mod pace;
#[cfg(test)]
mod tests;
mod workload;

use std::time::Duration;

use heartline_protocol::limits::{CHALLENGE_LEN, GENERATION_MAX, INTERVAL_MS};
use heartline_protocol::{AgentName, Body, Datagram, DatagramError};

pub use self::config::{Desired, EngineConfig};
pub(crate) use self::identity::fit;
pub use self::identity::{Fit, Identity};
pub use self::keys::{Keys, OutOfScope};
pub use self::moment::Moment;
use self::outbox::Outbox;
use self::pace::Pace;
pub use self::workload::{Tally, Vitals, Work, Workload};

/// First wait before a beat is repeated that nobody has ever answered.
const RETRY_UNHEARD: Duration = Duration::from_secs(1);
/// First wait before a beat is repeated that was not live (`SPEC.md`, section 5), or a goodbye.
const RETRY_UNCONFIRMED: Duration = Duration::from_millis(100);
/// First wait before news is repeated: longer than the collector may take to commit the work that
/// rides with it.
const RETRY_NEWS: Duration = Duration::from_millis(400);
/// How many beats carry the identity unasked.
const IDENTITY_BEATS: u32 = 3;

/// One session of one emitter: what to send, when, and what the answers mean.
#[derive(Debug)]
pub struct Engine {
    agent: AgentName,
    keys: Keys,
    session: u64,
    interval_ms: u32,
    identity: Identity,
    identity_due: IdentityDue,
    started: Moment,
    /// Of the last message sent.
    sequence: u64,
    /// Highest sequence that was answered.
    answered: u64,
    challenge: [u8; CHALLENGE_LEN],
    contact: Contact,
    was_confirmed: bool,
    applied: Desired,
    /// First sequence that carries what the collector must hear soon, while it is unanswered.
    news_from: Option<u64>,
    outbox: Outbox,
    pace: Pace,
    stage: Stage,
    last_answer: Option<Moment>,
    unanswered_since: Option<Moment>,
}

/// How the collector takes this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// It has never answered.
    Unheard,
    /// Its newest answer was that the message was not live.
    Unconfirmed,
    /// Its newest answer was to a live message.
    Confirmed,
}

/// What a datagram meant to the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The desired state is a new one. To be remembered before anything more is sent.
    pub desired: Option<Desired>,
    /// This segment, which was pending, is now on disk.
    pub durable_segment: Option<u64>,
}

#[derive(Debug, PartialEq, Eq)]
enum IdentityDue {
    /// On so many more of the first beats.
    First(u32),
    /// On the next beat: the collector asked.
    Asked,
    No,
}

impl IdentityDue {
    /// Whether the beat that is being written carries the identity.
    fn take(&mut self) -> bool {
        let (now, then) = match self {
            Self::First(left) if *left > 1 => (true, Self::First(*left - 1)),
            Self::First(_) | Self::Asked => (true, Self::No),
            Self::No => (false, Self::No),
        };
        *self = then;
        now
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// Saying goodbye, until an answer or the deadline. `from`: sequence of the first goodbye for
    /// what is pending now; `answered`: that one was answered and its segment is durable.
    Closing {
        deadline: Moment,
        from: Option<u64>,
        answered: bool,
    },
    Closed,
}

impl Engine {
    /// Starts a session; its first beat is due now.
    #[must_use]
    pub fn new(config: EngineConfig, now: Moment) -> Self {
        let interval_ms = config.interval_ms.clamp(*INTERVAL_MS.start(), *INTERVAL_MS.end());
        let interval = Duration::from_millis(u64::from(interval_ms));
        Self {
            agent: config.agent,
            keys: config.keys,
            session: config.session,
            interval_ms,
            identity: config.identity.fitted().0,
            identity_due: IdentityDue::First(IDENTITY_BEATS),
            started: now,
            sequence: 0,
            answered: 0,
            challenge: [0; CHALLENGE_LEN],
            contact: Contact::Unheard,
            was_confirmed: false,
            applied: Desired {
                generation: config.remembered.generation.min(GENERATION_MAX),
                ..config.remembered
            },
            news_from: None,
            outbox: Outbox::default(),
            pace: Pace::new(interval, config.jitter_seed, now),
            stage: Stage::Open,
            last_answer: None,
            unanswered_since: None,
        }
    }

    /// When [`Engine::poll_transmit`] will next have something to do; `None` once all is said.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Moment> {
        match self.stage {
            Stage::Open => Some(self.pace.due()),
            Stage::Closing { deadline, .. } => Some(self.pace.due().min(deadline)),
            Stage::Closed => None,
        }
    }

    /// Writes the message that is due into `out`. Says whether there was one.
    pub fn poll_transmit(
        &mut self,
        now: Moment,
        workload: &mut dyn Workload,
        out: &mut Vec<u8>,
    ) -> bool {
        match self.stage {
            Stage::Closed => return false,
            Stage::Closing { deadline, .. } if now >= deadline => {
                self.stage = Stage::Closed;
                return false;
            }
            _ if now < self.pace.due() => return false,
            _ => {}
        }
        let work_left = self.outbox.fill(workload);
        let written = match &mut self.stage {
            Stage::Closing { answered: true, .. } if !work_left => {
                self.stage = Stage::Closed;
                return false;
            }
            Stage::Closing { from, answered, .. } if self.was_confirmed => {
                from.get_or_insert(self.sequence + 1);
                *answered = false;
                self.write_goodbye(now, out)
            }
            // Who was never live is first made known, by a beat, even if it is about to end.
            _ => self.write_beat(now, &workload.vitals(now), out),
        };
        self.sequence += 1;
        self.unanswered_since.get_or_insert(now);
        self.pace.sent(now, self.retry());
        written.is_ok()
    }

    /// Takes in a datagram.
    ///
    /// # Errors
    /// [`DatagramError`] when it is not from this agent's collector or not for this session. Nothing has
    /// changed then, and there is nothing to do but to count it.
    pub fn handle_datagram(&mut self, bytes: &[u8], now: Moment) -> Result<Heard, DatagramError> {
        let datagram = Datagram::parse(bytes)?;
        let claimed = datagram.claimed();
        if claimed.kind.is_upward() {
            return Err(DatagramError::BadKind);
        }
        if claimed.agent != self.agent.as_str() {
            return Err(DatagramError::BadAgent);
        }
        let verified = datagram.verify(&self.keys.down)?;
        let body = verified.decode()?;
        if verified.header.session != self.session {
            return Ok(Heard::default());
        }
        Ok(match body {
            Body::Ack(ack) => self.on_ack(&verified.header, ack, now),
            Body::Push(push) => self.on_push(push, now),
            Body::Beat(_) | Body::Goodbye(_) | Body::ExitReport(_) => {
                return Err(DatagramError::BadKind);
            }
        })
    }

    /// Something has changed that the collector should hear before the next turn: the next beat is
    /// due at once, and is repeated soon if it is not answered.
    pub fn news(&mut self, now: Moment) {
        if self.stage == Stage::Open {
            self.news_from = Some(self.sequence + 1);
            self.pace.reset_retries();
            self.pace.at_once(now);
        }
    }

    /// Begins to say goodbye: what is left to count goes out, again and again until it is on disk
    /// or `patience` is over. From then on [`Engine::poll_timeout`] gives `None`.
    pub fn goodbye(&mut self, now: Moment, patience: Duration) {
        if self.stage == Stage::Open {
            let deadline = now.plus(patience);
            self.stage = Stage::Closing { deadline, from: None, answered: false };
            self.pace.now(now);
        }
    }

    /// From now on speaks with other keys: the token was replaced.
    pub fn rekey(&mut self, keys: Keys) {
        self.keys = keys;
    }

    /// The first wait before the next message, if that is not to wait for its turn.
    fn retry(&self) -> Option<Duration> {
        match (&self.stage, self.contact) {
            (Stage::Closing { .. }, _) | (_, Contact::Unconfirmed) => Some(RETRY_UNCONFIRMED),
            (_, Contact::Unheard) => Some(RETRY_UNHEARD),
            (_, Contact::Confirmed) => self.news_from.map(|_| RETRY_NEWS),
        }
    }
}

/// What can be asked of an engine at any time.
impl Engine {
    /// How the collector takes this session.
    #[must_use]
    pub fn contact(&self) -> Contact {
        self.contact
    }

    /// The desired state that is applied.
    #[must_use]
    pub fn applied(&self) -> Desired {
        self.applied
    }

    /// The session's id.
    #[must_use]
    pub fn session(&self) -> u64 {
        self.session
    }

    /// Sequence of the last message sent; 0 before the first.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Number of the segment that waits to become durable.
    #[must_use]
    pub fn pending_segment(&self) -> Option<u64> {
        self.outbox.pending()
    }

    /// When the collector last answered.
    #[must_use]
    pub fn last_answer(&self) -> Option<Moment> {
        self.last_answer
    }

    /// When the first message was sent that came after the last answer.
    #[must_use]
    pub fn unanswered_since(&self) -> Option<Moment> {
        self.unanswered_since
    }

    /// Time between beats, in ms.
    #[must_use]
    pub fn interval_ms(&self) -> u32 {
        self.interval_ms
    }
}
