//! The sessions of one agent that were live: the current one, and those that it superseded.

use heartline_protocol::ReplayWindow;

use crate::time::MonoTime;
use crate::unproven::Arrival;

/// One run of an agent's emitter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    /// Random.
    pub(crate) id: u64,
    pub(crate) window: ReplayWindow,
    /// The last segment that was counted.
    pub(crate) applied: u64,
    /// The last segment that is on disk; never above `applied`.
    pub(crate) durable: u64,
    /// Time until which a challenge that it was sent can be echoed.
    pub(crate) challenged_until: MonoTime,
    /// The highest sequence whose content was applied: an overtaken message is older than it.
    pub(crate) last_sequence: u64,
    pub(crate) first_sequence: u64,
    /// Live messages with different sequences; stops at its largest value.
    pub(crate) received: u32,
    /// Messages since the first of these that arrived without being proven fresh.
    unconfirmed: u32,
}

impl Session {
    pub(crate) fn new(id: u64, applied: u64) -> Self {
        Self {
            id,
            window: ReplayWindow::default(),
            applied,
            durable: applied,
            challenged_until: MonoTime::NEVER_YET,
            last_sequence: 0,
            first_sequence: 0,
            received: 0,
            unconfirmed: 0,
        }
    }

    /// Records the sequence of a live message; returns whether it was new.
    pub(crate) fn accept(&mut self, sequence: u64) -> Arrival {
        let arrival = Arrival::of(sequence, &self.window);
        if self.window.accept(sequence) {
            if self.received == 0 {
                self.first_sequence = sequence;
            }
            self.first_sequence = self.first_sequence.min(sequence);
            self.received = self.received.saturating_add(1);
        }
        arrival
    }

    /// Records the sequence of a message that is not proven fresh; returns whether it was new.
    pub(crate) fn accept_unconfirmed(&mut self, sequence: u64) -> Arrival {
        let arrival = Arrival::of(sequence, &self.window);
        if self.window.accept(sequence) && self.received > 0 && sequence > self.first_sequence {
            self.unconfirmed = self.unconfirmed.saturating_add(1);
        }
        arrival
    }

    /// Takes the content of a live message; returns whether it was not overtaken in the network.
    pub(crate) fn advance_to(&mut self, sequence: u64) -> bool {
        let is_newest = sequence > self.last_sequence;
        self.last_sequence = self.last_sequence.max(sequence);
        is_newest
    }

    /// Returns the number of messages that were sent since the first live one and never arrived.
    pub(crate) fn lost(&self) -> u64 {
        let sent = if self.received == 0 {
            0
        } else {
            (self.window.highest() - self.first_sequence).saturating_add(1)
        };
        sent.saturating_sub(u64::from(self.received)).saturating_sub(u64::from(self.unconfirmed))
    }
}

/// Superseded sessions that an agent keeps even when their challenges have expired.
const SUPERSEDED_MIN: usize = 8;
/// Largest number of superseded sessions that it keeps while their challenges can be echoed.
const SUPERSEDED_MAX: usize = 64;

/// The sessions that were superseded.
#[derive(Clone, Debug)]
pub(crate) struct SupersededSessions {
    /// Newest first.
    sessions: Vec<Session>,
    challenges_voided: u32,
    /// Time until which a challenge of a session could be echoed that was evicted before, had it not
    /// been voided.
    evicted_until: MonoTime,
}

impl Default for SupersededSessions {
    fn default() -> Self {
        let evicted_until = MonoTime::NEVER_YET;
        Self { sessions: Vec::new(), challenges_voided: 0, evicted_until }
    }
}

impl SupersededSessions {
    /// Returns the sessions of before this start, newest first.
    pub(crate) fn restored(sessions: impl Iterator<Item = Session>) -> Self {
        Self { sessions: sessions.take(SUPERSEDED_MAX).collect(), ..Self::default() }
    }

    /// Returns whether work of any of them is on its way to the disk.
    pub(crate) fn has_uncommitted_work(&self) -> bool {
        self.sessions.iter().any(|session| session.applied > session.durable)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == id)
    }

    /// Removes and returns the session of that id.
    pub(crate) fn take(&mut self, id: u64) -> Option<Session> {
        let at = self.sessions.iter().position(|session| session.id == id)?;
        Some(self.sessions.remove(at))
    }

    /// Returns the time until which a challenge of any of them can be echoed.
    pub(crate) fn challenged_until(&self) -> MonoTime {
        let moments = self.sessions.iter().map(|session| session.challenged_until);
        moments.fold(self.evicted_until, MonoTime::max)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.id == id)
    }

    /// Returns how often the challenges of all sessions were voided.
    pub(crate) fn challenges_voided(&self) -> u32 {
        self.challenges_voided
    }

    /// Makes room for one more session, for the newest start is never refused.
    ///
    /// Sessions are evicted that have expired: no recording of theirs can be live any more. Where
    /// many starts leave none of them, every challenge of the agent is voided, and so none of its
    /// recordings proves anything: then the older half is evicted.
    pub(crate) fn make_room(&mut self, now: MonoTime) {
        let is_expired = |session: &Session| session.challenged_until <= now;
        while self.sessions.len() >= SUPERSEDED_MIN && self.sessions.last().is_some_and(is_expired)
        {
            self.sessions.pop();
        }
        if self.sessions.len() >= SUPERSEDED_MAX {
            self.challenges_voided = self.challenges_voided.wrapping_add(1);
            self.evicted_until = self.challenged_until();
            self.sessions.truncate(SUPERSEDED_MAX / 2);
        }
    }

    pub(crate) fn push(&mut self, session: Session) {
        self.sessions.insert(0, session);
    }
}
