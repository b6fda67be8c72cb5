//! An event in words.

use super::{span, state_word};
use crate::message::{Event, EventKind};
use crate::{age_ms, session_text};
use heartline_vocabulary::{Action, GapCause};

/// The words of one event. Text of agents and operators in it was scrubbed by the collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventText {
    /// The agent's id, or `(collector)`.
    pub agent: String,
    /// What happened.
    pub what: What,
    /// How long the state before it lasted, in ms.
    pub lasted_ms: Option<u64>,
    /// Why; empty when nothing is known.
    pub cause: String,
    /// The operator who did it.
    pub by: Option<String>,
    /// Who found it out: `collector` or `agent`.
    pub source: &'static str,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// One state after another, by their words.
    Change {
        /// The one before.
        from: &'static str,
        /// The one reached.
        to: &'static str,
    },
    /// Anything else.
    Said(String),
}

impl EventText {
    /// The words of this event.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        let agent = event.agent.clone().unwrap_or_else(|| "(collector)".to_owned());
        let (what, cause) = (what(&event.kind), cause(&event.kind));
        let (lasted_ms, by) = match &event.kind {
            EventKind::Transition { lasted_ms, by, .. } => (*lasted_ms, by.clone()),
            EventKind::Command { by, .. } | EventKind::Forgotten { by } => (None, Some(by.clone())),
            _ => (None, None),
        };
        let source = match &event.kind {
            EventKind::Obeyed { .. } | EventKind::Disobeyed { .. } | EventKind::Session { .. } => {
                "agent"
            }
            _ => "collector",
        };
        Self { agent, what, lasted_ms, cause, by, source }
    }

    /// The operator who did it, or who found it out.
    #[must_use]
    pub fn who(&self) -> &str {
        self.by.as_deref().unwrap_or(self.source)
    }
}

impl What {
    /// The same as one text, with this arrow between two states.
    #[must_use]
    pub fn text(&self, arrow: &str) -> String {
        match self {
            Self::Change { from, to } => format!("{from} {arrow} {to}"),
            Self::Said(said) => said.clone(),
        }
    }
}

/// The word for a command.
#[must_use]
pub const fn verb(action: Action) -> &'static str {
    match action {
        Action::Kill => "kill",
        Action::Resume => "resume",
    }
}

fn what(kind: &EventKind) -> What {
    What::Said(match kind {
        EventKind::Transition { from, from_reason, to, reason, .. } => {
            return What::Change {
                from: state_word(*from, *from_reason),
                to: state_word(*to, *reason),
            };
        }
        EventKind::Command { action, generation, .. } => {
            format!("{} ordered (#{generation})", verb(*action))
        }
        EventKind::Obeyed { action, generation, .. } => {
            format!("{} obeyed (#{generation})", verb(*action))
        }
        EventKind::Disobeyed { generation } => format!("kill DISOBEYED (#{generation})"),
        EventKind::Session { starts, .. } => format!("started (#{starts})"),
        EventKind::Gap { .. } => "NOT OBSERVED".to_owned(),
        EventKind::Registered => "first seen".to_owned(),
        EventKind::Forgotten { .. } => "forgotten".to_owned(),
    })
}

fn cause(kind: &EventKind) -> String {
    match kind {
        EventKind::Transition { cause: Some(cause), .. } => cause.clone(),
        EventKind::Transition { reason: Some(reason), .. } => reason.name().to_owned(),
        EventKind::Command { reason, .. } if !reason.is_empty() => format!("\"{reason}\""),
        EventKind::Obeyed { delivered_ms, obeyed_ms, .. } => {
            format!("delivered in {}, obeyed in {}", span(*delivered_ms), span(*obeyed_ms))
        }
        EventKind::Disobeyed { .. } => "it went on completing work".to_owned(),
        EventKind::Session { session, .. } => format!("session {}", session_text(*session)),
        EventKind::Gap { from_ms, to_ms, cause } => {
            format!("for {}: {}; nobody is blamed", span(age_ms(*from_ms, *to_ms)), gap(*cause))
        }
        _ => String::new(),
    }
}

const fn gap(cause: GapCause) -> &'static str {
    match cause {
        GapCause::Down => "no collector ran",
        GapCause::Frozen => "the collector was frozen or starved",
        GapCause::KernelDrops => "the kernel dropped datagrams",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sample, text::age};

    #[test]
    fn every_kind_of_event_has_words() {
        let line = |event: &Event| {
            let words = EventText::of(event);
            let lasted = words.lasted_ms.map_or_else(|| "-".to_owned(), age);
            let (agent, what) = (&words.agent, words.what.text("->"));
            format!("{agent} | {what} | {lasted} | {} | {}", words.cause, words.who())
        };
        let lines: Vec<_> = sample::events_of_every_kind().iter().map(line).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
