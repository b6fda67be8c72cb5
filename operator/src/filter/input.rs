//! The input of a filter: an agent, or an event with its agent.

use std::borrow::Cow;

use crate::message::{AgentEntry, CommandStatus, Event, EventKind};

use heartline_vocabulary::{Reason, State};

/// An agent, or an event and its agent if that is known.
pub(super) struct FilterInput<'a> {
    pub(super) entry: Option<&'a AgentEntry>,
    pub(super) event: Option<&'a Event>,
    pub(super) now_ms: i64,
}

impl<'a> FilterInput<'a> {
    pub(super) fn agent(entry: &'a AgentEntry, now_ms: i64) -> Self {
        Self { entry: Some(entry), event: None, now_ms }
    }

    pub(super) fn event(event: &'a Event, entry: Option<&'a AgentEntry>, now_ms: i64) -> Self {
        Self { entry, event: Some(event), now_ms }
    }

    pub(super) fn name(&self) -> Option<&'a str> {
        match self.event {
            Some(event) => event.agent.as_deref(),
            None => self.entry.map(|entry| entry.agent.as_str()),
        }
    }

    pub(super) fn state(&self) -> Option<State> {
        match self.event {
            Some(Event { kind: EventKind::Transition { to, .. }, .. }) => Some(*to),
            Some(_) => None,
            None => self.entry.map(|entry| entry.vitals.state),
        }
    }

    pub(super) fn reason(&self) -> Option<Reason> {
        match self.event {
            Some(Event { kind: EventKind::Transition { reason, .. }, .. }) => *reason,
            Some(_) => None,
            None => self.entry.and_then(|entry| entry.vitals.reason),
        }
    }

    /// Returns the operator who killed it; of an event, who caused it.
    pub(super) fn by(&self) -> Option<&'a str> {
        match self.event.map(|event| &event.kind) {
            Some(EventKind::Transition { by, .. }) => by.as_deref(),
            Some(EventKind::Command { by, .. } | EventKind::Forgotten { by }) => Some(by),
            Some(_) => None,
            None => self.command().map(|command| command.by.as_str()),
        }
    }

    /// Returns the cause in the words of an operator or the collector.
    pub(super) fn cause(&self) -> Option<Cow<'a, str>> {
        match self.event.map(|event| &event.kind) {
            Some(EventKind::Transition { cause, reason, .. }) => {
                let reason = reason.map(|reason| Cow::Borrowed(reason.name()));
                cause.as_deref().map(Cow::Borrowed).or(reason)
            }
            Some(EventKind::Command { reason, .. }) => Some(Cow::Borrowed(reason)),
            Some(_) => None,
            None => {
                let reason = || self.reason().map(|reason| Cow::Borrowed(reason.name()));
                let words = self.command().map(|command| Cow::Borrowed(command.reason.as_str()));
                words.or_else(reason)
            }
        }
    }

    fn command(&self) -> Option<&'a CommandStatus> {
        self.entry.and_then(|entry| entry.vitals.command.as_deref())
    }
}
