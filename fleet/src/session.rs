//! The sessions of one agent: the current one, those that it superseded, and those that were never
//! live.

use heartline_protocol::ReplayWindow;

use crate::time::MonoTime;

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
    /// Messages with different sequences that arrived.
    pub(crate) received: u64,
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
        }
    }

    /// Records a sequence; returns whether it was new.
    pub(crate) fn accept(&mut self, sequence: u64) -> bool {
        let is_new = self.window.accept(sequence);
        if is_new {
            if self.received == 0 {
                self.first_sequence = sequence;
            }
            self.first_sequence = self.first_sequence.min(sequence);
            self.received += 1;
        }
        is_new
    }

    /// Returns the number of messages that were sent since the first one seen and never arrived.
    pub(crate) fn lost(&self) -> u64 {
        let sent = if self.received == 0 {
            0
        } else {
            (self.window.highest() - self.first_sequence).saturating_add(1)
        };
        sent.saturating_sub(self.received)
    }
}

/// Superseded sessions that an agent keeps even when their challenges have expired.
const SUPERSEDED_MIN: usize = 8;
/// Largest number of superseded sessions that it keeps while their challenges can be echoed.
const SUPERSEDED_MAX: usize = 64;

/// The sessions that were superseded, newest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct SupersededSessions(Vec<Session>);

impl SupersededSessions {
    /// Returns the sessions of before this start, newest first.
    pub(crate) fn restored(sessions: impl Iterator<Item = Session>) -> Self {
        Self(sessions.take(SUPERSEDED_MAX).collect())
    }

    /// Returns whether work of any of them is on its way to the disk.
    pub(crate) fn has_uncommitted_work(&self) -> bool {
        self.0.iter().any(|session| session.applied > session.durable)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Session> {
        self.0.iter().find(|session| session.id == id)
    }

    /// Removes and returns the session of that id.
    pub(crate) fn take(&mut self, id: u64) -> Option<Session> {
        let at = self.0.iter().position(|session| session.id == id)?;
        Some(self.0.remove(at))
    }

    /// Returns the time until which a challenge of any of them can be echoed.
    pub(crate) fn challenged_until(&self) -> MonoTime {
        let moments = self.0.iter().map(|session| session.challenged_until);
        moments.max().unwrap_or(MonoTime::NEVER_YET)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Session> {
        self.0.iter_mut().find(|session| session.id == id)
    }

    /// Evicts expired sessions; returns whether there is room for one more. A session expires when no
    /// recording of it can be live any more: evicted earlier, a replay would look like a new start.
    pub(crate) fn make_room(&mut self, now: MonoTime) -> bool {
        while self.0.len() >= SUPERSEDED_MIN {
            if self.0.last().is_some_and(|oldest| oldest.challenged_until > now) {
                return self.0.len() < SUPERSEDED_MAX;
            }
            self.0.pop();
        }
        true
    }

    pub(crate) fn push(&mut self, session: Session) {
        self.0.insert(0, session);
    }
}

/// The newest few sessions of an agent that were never live here, with what was received of each:
/// new starts, and recordings of old ones.
///
/// A recording can be sent for ever. If it were acknowledged each time, it would use up the acks
/// that a new start of the agent waits for.
#[derive(Debug, Default)]
pub(crate) struct NeverLiveSessions(Vec<(u64, ReplayWindow)>);

/// Largest number of sessions that are told apart: the newest.
const NEVER_LIVE_MAX: usize = 4;

impl NeverLiveSessions {
    /// Records a message; returns whether its sequence was new in its session.
    pub(crate) fn accept(&mut self, session: u64, sequence: u64) -> bool {
        let known = self.0.iter().position(|&(known, _)| known == session);
        let at = known.unwrap_or_else(|| {
            self.0.truncate(NEVER_LIVE_MAX - 1);
            self.0.insert(0, (session, ReplayWindow::default()));
            0
        });
        self.0[at].1.accept(sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_new_once() {
        let mut never_live = NeverLiveSessions::default();
        assert!(never_live.accept(7, 1) && never_live.accept(7, 2) && never_live.accept(8, 1));
        assert!(!never_live.accept(7, 1) && !never_live.accept(8, 1));
        for session in 10..14 {
            assert!(never_live.accept(session, 1));
        }
        assert!(never_live.accept(7, 1), "only the newest few are remembered");
    }
}
