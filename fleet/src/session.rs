//! The sessions of one agent: the current one, and those that it superseded.

use heartline_protocol::ReplayWindow;

use crate::time::MonoTime;

/// One run of an agent's emitter, as long as anything about it matters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    /// Its random id.
    pub(crate) id: u64,
    pub(crate) window: ReplayWindow,
    /// The last segment of it that was counted.
    pub(crate) applied: u64,
    /// The last segment of it that is on disk; never above `applied`.
    pub(crate) durable: u64,
    /// Until when a challenge that it was given can be echoed.
    pub(crate) challenged_until: MonoTime,
    /// The highest sequence whose content was taken: what is overtaken says nothing new.
    pub(crate) told: u64,
    /// The first sequence number seen.
    pub(crate) first_sequence: u64,
    /// How many different messages arrived.
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
            told: 0,
            first_sequence: 0,
            received: 0,
        }
    }

    /// Takes a sequence number in; says whether it was new.
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

    /// Messages that were sent since the first one seen, and never arrived.
    pub(crate) fn lost(&self) -> u64 {
        let sent = if self.received == 0 {
            0
        } else {
            (self.window.highest() - self.first_sequence).saturating_add(1)
        };
        sent.saturating_sub(self.received)
    }
}

/// How many superseded sessions an agent keeps at least: what they counted, and that they are old.
const KEPT: usize = 8;
/// How many it keeps at most while their challenges could still be echoed.
const KEPT_MAX: usize = 64;

/// The sessions that were superseded, newest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Superseded(Vec<Session>);

impl Superseded {
    /// Those of before this start, newest first.
    pub(crate) fn restored(sessions: impl Iterator<Item = Session>) -> Self {
        Self(sessions.take(KEPT_MAX).collect())
    }

    /// Whether work of any of them is on its way to the disk.
    pub(crate) fn has_work_under_way(&self) -> bool {
        self.0.iter().any(|session| session.applied > session.durable)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Session> {
        self.0.iter().find(|session| session.id == id)
    }

    /// Takes out the session of that id.
    pub(crate) fn take(&mut self, id: u64) -> Option<Session> {
        let at = self.0.iter().position(|session| session.id == id)?;
        Some(self.0.remove(at))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.0.iter_mut()
    }

    /// Until when a challenge of any of them can be echoed.
    pub(crate) fn challenged_until(&self) -> MonoTime {
        let moments = self.0.iter().map(|session| session.challenged_until);
        moments.max().unwrap_or(MonoTime::NEVER_YET)
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Session> {
        self.0.iter_mut().find(|session| session.id == id)
    }

    /// Makes room for one more. A session goes only when no recording of it can be live any more:
    /// otherwise a replay would look like a new start. `false`: there is no room now.
    pub(crate) fn has_room(&mut self, now: MonoTime) -> bool {
        while self.0.len() >= KEPT {
            if self.0.last().is_some_and(|oldest| oldest.challenged_until > now) {
                return self.0.len() < KEPT_MAX;
            }
            self.0.pop();
        }
        true
    }

    pub(crate) fn push(&mut self, session: Session) {
        self.0.insert(0, session);
    }
}
