//! New failures: what announces them on every screen, for a minute.

use std::collections::VecDeque;

use heartline_operator::message::{Event, EventKind};
use heartline_vocabulary::State;

/// How long a failure is new, in ms.
pub(crate) const NEW_FOR_MS: i64 = 60_000;

/// The most failures that are kept.
const ANNOUNCED_MAX: usize = 1_000;

/// Failures of the last minute, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Attention {
    announced: VecDeque<Announcement>,
    /// The terminal rings for each.
    pub rings: bool,
}

/// An agent that fell into trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub agent: String,
    pub state: State,
    pub at_ms: i64,
}

impl Attention {
    /// `rings`: the terminal does for each failure.
    pub(crate) fn new(rings: bool) -> Self {
        Self { announced: VecDeque::new(), rings }
    }

    /// Takes in events as they come; returns the failures among them. What is well again is not announced any more.
    pub(crate) fn take_in(&mut self, events: &[Event]) -> Vec<Announcement> {
        let mut new = Vec::new();
        for event in events {
            let Some(agent) = &event.agent else { continue };
            let state = match &event.kind {
                EventKind::Transition { to, .. } => *to,
                EventKind::Forgotten { .. } => State::Unknown,
                _ => continue,
            };
            self.announced.retain(|it| it.agent != *agent);
            if !state.is_trouble() {
                continue;
            }
            if self.announced.len() >= ANNOUNCED_MAX {
                self.announced.pop_front();
            }
            let announcement = Announcement { agent: agent.clone(), state, at_ms: event.at_ms };
            self.announced.push_back(announcement.clone());
            new.push(announcement);
        }
        new
    }

    /// Forgets what is not new any more; returns whether anything was.
    pub(crate) fn expire(&mut self, now_ms: i64) -> bool {
        let before = self.announced.len();
        self.announced.retain(|it| now_ms - it.at_ms < NEW_FOR_MS);
        self.announced.len() < before
    }

    /// Forgets everything: somebody has seen it.
    pub(crate) fn dismiss(&mut self) -> bool {
        let was_any = !self.announced.is_empty();
        self.announced.clear();
        was_any
    }

    /// Returns the newest failure, and how many more there are.
    pub(crate) fn newest(&self) -> Option<(&Announcement, usize)> {
        self.announced.back().map(|it| (it, self.announced.len() - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(agent: &str, to: State, at_ms: i64) -> Event {
        let kind = EventKind::Transition {
            from: State::Healthy,
            from_reason: None,
            to,
            reason: None,
            lasted_ms: None,
            by: None,
            cause: None,
            last_lines: Vec::new(),
        };
        Event { cursor: at_ms, at_ms, agent: Some(agent.to_owned()), kind }
    }

    #[test]
    fn failures_are_new_for_a_minute_or_until_they_are_over() {
        let mut attention = Attention::default();
        let events = [event("a", State::Degraded, 0), event("b", State::Unreachable, 5_000)];
        assert_eq!(attention.take_in(&events).len(), 2);
        let (newest, more) = attention.newest().unwrap();
        assert_eq!((newest.agent.as_str(), more), ("b", 1));
        assert!(attention.take_in(&[event("b", State::Healthy, 6_000)]).is_empty());
        assert_eq!(attention.newest().unwrap().0.agent, "a");
        // It got worse, and is new again.
        attention.take_in(&[event("a", State::Unreachable, 50_000)]);
        assert!(!attention.expire(70_000));
        assert!(attention.expire(110_000));
        assert!(attention.newest().is_none() && !attention.dismiss());
    }
}
