//! The lists of the Agent screen, as of the moment that is shown.

use heartline_operator::message::{Event, SessionSummary};

use super::agent_charts::ShownTime;
use super::screens::AgentPane;
use super::{AgentScreen, AppState};

impl AppState {
    /// Returns whether the moment that is shown is now.
    pub(crate) fn shown_time(&self) -> ShownTime {
        if self.travel.is_past() { ShownTime::Still } else { ShownTime::Live }
    }

    /// Returns the events of the agent that is shown, newest first, without those that came later.
    pub(crate) fn agent_events<'a>(&self, screen: &'a AgentScreen) -> Vec<&'a Event> {
        let received = screen.detail.as_ref().map_or(&[][..], |detail| &detail.events);
        let past =
            screen.past_events.as_ref().filter(|past| Some(past.0) == self.travel.instant_ms());
        let events = past.map_or(received, |(_, events)| events).iter();
        events.filter(|event| !self.is_later(event.at_ms)).collect()
    }

    /// Returns its sessions, newest first, without those that began later. What ended later was running.
    pub(crate) fn agent_sessions(&self, screen: &AgentScreen) -> Vec<SessionSummary> {
        let sessions = screen.detail.iter().flat_map(|detail| &detail.sessions);
        let begun = sessions.filter(|session| !self.is_later(session.started_ms));
        let as_it_was = |session: &SessionSummary| {
            let mut session = session.clone();
            if session.last_beat_ms.is_some_and(|at_ms| self.is_later(at_ms)) {
                (session.ended, session.last_beat_ms) = (None, None);
            }
            session
        };
        begun.map(as_it_was).collect()
    }

    /// Returns the rows of the pane that has the keys; 0 where it has none to move through.
    pub(crate) fn agent_rows(&self) -> usize {
        let Some(screen) = &self.agent else { return 0 };
        match screen.focus {
            AgentPane::Events => self.agent_events(screen).len(),
            AgentPane::Sessions => self.agent_sessions(screen).len(),
            AgentPane::Charts | AgentPane::Details => 0,
        }
    }

    /// Returns the instant until which the events of the agent have to be asked for: what was received
    /// are the newest ones, and of the past may be none of them.
    pub(crate) fn missing_agent_events_ms(&self) -> Option<i64> {
        let (at_ms, screen) = (self.travel.instant_ms()?, self.agent.as_ref()?);
        let received = screen.past_events.as_ref().map(|past| past.0);
        (received != Some(at_ms)).then_some(at_ms)
    }

    /// Returns whether a time is after the instant that is shown, to the millisecond; live none is.
    fn is_later(&self, at_ms: i64) -> bool {
        self.travel.instant_ms().is_some_and(|instant_ms| at_ms > instant_ms)
    }
}
