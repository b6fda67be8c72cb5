//! Messages that are authentic and not proven fresh, and how many of them are answered.
//!
//! They are the first beats of a new start, and recordings. A recording can be sent for ever, by
//! anybody, so the answers to them are shared out:
//!
//! 1. a sequence is answered once in its session, and not after a newer one of it;
//! 2. each session has answers of its own, and so has each source address;
//! 3. where answers are scarce, live messages come first, then what comes from the host of the last
//!    live message, then all else.

use std::net::SocketAddr;

use heartline_protocol::ReplayWindow;

use crate::ack::{ANSWERS, Freshness, PendingAck};
use crate::agent::SessionKind;
use crate::context::AgentMut;
use crate::rate_limit::{Rate, RateLimit};
use crate::time::MonoTime;

/// The sessions of an agent whose messages were not proven fresh, with what was received of those that
/// were never live here.
#[derive(Debug, Default)]
pub(crate) struct UnprovenSessions {
    sessions: Vec<UnprovenSession>,
    sources: Vec<(SocketAddr, RateLimit)>,
}

#[derive(Debug)]
struct UnprovenSession {
    id: u64,
    window: ReplayWindow,
    answers: RateLimit,
}

/// Largest number of sessions and of source addresses that are told apart.
const SESSIONS_MAX: usize = 64;
const SOURCES_MAX: usize = 16;
/// Answers to one session that is not the current one: a new start needs one, or some where
/// datagrams are lost.
const SESSION_ANSWERS: Rate = Rate { period_ms: 500, burst: 8 };
/// Answers to the current one, which may beat every 100 ms.
const CURRENT_ANSWERS: Rate = Rate { period_ms: 125, burst: 16 };
/// Answers to one source address.
const SOURCE_ANSWERS: Rate = Rate { period_ms: 200, burst: 10 };
/// Answers that are left to live messages.
const RESERVE_FOR_LIVE: u32 = 8;
/// Answers that are left to them and to the host of the last live message.
pub(crate) const RESERVE_FOR_HOME: u32 = 16;

/// How a message's sequence relates to what was received of its session before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Newest,
    /// After a newer one.
    Overtaken,
    /// It was received before, or is too old to tell.
    Repeated,
}

impl Arrival {
    /// Returns how `sequence` relates to a window that has not taken it yet.
    pub(crate) fn of(sequence: u64, window: &ReplayWindow) -> Self {
        match window.is_new(sequence) {
            false => Self::Repeated,
            true if sequence > window.highest() => Self::Newest,
            true => Self::Overtaken,
        }
    }
}

impl UnprovenSessions {
    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Returns what was received of a session before it was live.
    pub(crate) fn window(&self, session: u64) -> Option<&ReplayWindow> {
        self.sessions.iter().find(|it| it.id == session).map(|it| &it.window)
    }

    /// Removes a session, which is live from now on, and returns what was received of it.
    pub(crate) fn take(&mut self, session: u64) -> Option<ReplayWindow> {
        let at = self.sessions.iter().position(|it| it.id == session)?;
        Some(self.sessions.swap_remove(at).window)
    }

    /// Records a message of a session that was never live.
    pub(crate) fn accept(&mut self, session: u64, sequence: u64) -> Arrival {
        let window = &mut self.session(session).window;
        let arrival = Arrival::of(sequence, window);
        window.accept(sequence);
        arrival
    }

    fn session(&mut self, id: u64) -> &mut UnprovenSession {
        let known = self.sessions.iter().position(|it| it.id == id);
        let at = known.unwrap_or_else(|| {
            let new = UnprovenSession {
                id,
                window: ReplayWindow::default(),
                answers: RateLimit::default(),
            };
            if self.sessions.len() < SESSIONS_MAX {
                self.sessions.push(new);
                return self.sessions.len() - 1;
            }
            // The place depends on the session, which is random: sessions in rotation don't all
            // push each other out.
            let at = (id % SESSIONS_MAX as u64) as usize;
            self.sessions[at] = new;
            at
        });
        &mut self.sessions[at]
    }

    fn source(&mut self, peer: SocketAddr, now: MonoTime) -> &mut RateLimit {
        let known = self.sources.iter().position(|(known, _)| *known == peer);
        let at = known.unwrap_or_else(|| {
            if self.sources.len() < SOURCES_MAX {
                self.sources.push((peer, RateLimit::default()));
                return self.sources.len() - 1;
            }
            let used = |&at: &usize| self.sources[at].1.used_ms(SOURCE_ANSWERS, now);
            let at = (0..SOURCES_MAX).min_by_key(used).unwrap_or_default();
            self.sources[at] = (peer, RateLimit::default());
            at
        });
        &mut self.sources[at].1
    }

    /// Returns whether a session and its source have an answer left.
    fn is_answer_left(&mut self, rate: Rate, pending: &PendingAck, now: MonoTime) -> bool {
        self.session(pending.session).answers.allows(rate, 0, now)
            && self.source(pending.from.peer, now).allows(SOURCE_ANSWERS, 0, now)
    }

    fn charge_answer(&mut self, rate: Rate, pending: &PendingAck, now: MonoTime) {
        self.session(pending.session).answers.charge(rate, now);
        self.source(pending.from.peer, now).charge(SOURCE_ANSWERS, now);
    }
}

impl AgentMut<'_> {
    /// Answers a message that is not proven fresh with a challenge, if rules 1 to 3 allow it.
    pub(crate) fn answer_unproven(
        &mut self,
        kind: SessionKind,
        arrival: Arrival,
        pending: &PendingAck,
        now: MonoTime,
    ) {
        let agent = &mut *self.agent;
        let is_home = agent.address().is_some_and(|home| home.ip() == pending.from.peer.ip());
        let reserve = if is_home { RESERVE_FOR_LIVE } else { RESERVE_FOR_HOME };
        let rate = match kind {
            SessionKind::Current => CURRENT_ANSWERS,
            SessionKind::Superseded | SessionKind::Unknown => SESSION_ANSWERS,
        };
        let unproven = &mut agent.throttle.get_or_insert_default().unproven;
        let is_left = arrival == Arrival::Newest
            && agent.answers.allows(ANSWERS, reserve, now)
            && unproven.is_answer_left(rate, pending, now);
        if !is_left {
            self.context.counters.answers_withheld += 1;
            return;
        }
        unproven.charge_answer(rate, pending, now);
        self.send_ack(pending, Freshness::Unconfirmed, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_new_once() {
        let mut unproven = UnprovenSessions::default();
        assert_eq!(unproven.accept(7, 2), Arrival::Newest);
        assert_eq!(unproven.accept(7, 1), Arrival::Overtaken);
        assert_eq!(unproven.accept(8, 1), Arrival::Newest);
        for (session, sequence) in [(7, 1), (7, 2), (8, 1)] {
            assert_eq!(unproven.accept(session, sequence), Arrival::Repeated);
        }
    }

    #[test]
    fn a_session_keeps_what_was_received_of_it_when_it_is_live() {
        let mut unproven = UnprovenSessions::default();
        unproven.accept(7, 1);
        unproven.accept(8, 1);
        let window = unproven.take(7).expect("it is known");
        assert!(!window.is_new(1) && unproven.take(7).is_none() && !unproven.is_empty());
    }

    #[test]
    fn both_tables_are_bounded() {
        let mut unproven = UnprovenSessions::default();
        let now = MonoTime::from_millis(1_000);
        for n in 0..1_000_u16 {
            unproven.accept(u64::from(n), 1);
            unproven.source(SocketAddr::from(([10, 0, 0, 1], n)), now);
        }
        assert_eq!((unproven.sessions.len(), unproven.sources.len()), (SESSIONS_MAX, SOURCES_MAX));
        assert_eq!(unproven.accept(999, 1), Arrival::Repeated);
    }
}
