//! The text of an event.

use super::{span, state_word};
use crate::message::{Event, EventKind};
use crate::{age_ms, session_text};
use heartline_vocabulary::{Action, GapCause};

/// The text of one event. The collector has scrubbed what agents and operators wrote in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventText {
    /// The agent's id, or `(collector)`.
    pub agent: String,
    pub headline: EventHeadline,
    /// How long the state before it lasted.
    pub lasted_ms: Option<u64>,
    /// Empty when nothing is known.
    pub cause: String,
    /// Of a crash: what the process wrote last, oldest first.
    pub last_lines: Vec<String>,
    /// The operator who did it.
    pub by: Option<String>,
    /// Its observer: `collector` or `agent`.
    pub source: &'static str,
}

/// The headline of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventHeadline {
    /// The words of both states.
    Transition {
        from: &'static str,
        to: &'static str,
    },
    Text(String),
}

impl EventText {
    pub fn of(event: &Event) -> Self {
        let agent = event.agent.clone().unwrap_or_else(|| "(collector)".to_owned());
        let (headline, cause) = (headline(&event.kind), cause(&event.kind));
        let (lasted_ms, by) = match &event.kind {
            EventKind::Transition { lasted_ms, by, .. } => (*lasted_ms, by.clone()),
            EventKind::Command { by, .. } | EventKind::Forgotten { by } => (None, Some(by.clone())),
            _ => (None, None),
        };
        let last_lines = match &event.kind {
            EventKind::Transition { last_lines, .. } => last_lines.clone(),
            _ => Vec::new(),
        };
        let source = match &event.kind {
            EventKind::Obeyed { .. } | EventKind::Disobeyed { .. } | EventKind::Session { .. } => {
                "agent"
            }
            _ => "collector",
        };
        Self { agent, headline, lasted_ms, cause, last_lines, by, source }
    }

    /// Returns the operator who did it, or the observer.
    pub fn who(&self) -> &str {
        self.by.as_deref().unwrap_or(self.source)
    }
}

impl EventHeadline {
    /// Formats it with this arrow between two states.
    pub fn text(&self, arrow: &str) -> String {
        match self {
            Self::Transition { from, to } => format!("{from} {arrow} {to}"),
            Self::Text(text) => text.clone(),
        }
    }

    /// Returns the new state of a transition, or the text.
    pub fn outcome(&self) -> &str {
        match self {
            Self::Transition { to, .. } => to,
            Self::Text(text) => text,
        }
    }
}

/// Returns the verb of a command.
pub const fn verb(action: Action) -> &'static str {
    match action {
        Action::Kill => "kill",
        Action::Resume => "resume",
    }
}

fn headline(kind: &EventKind) -> EventHeadline {
    EventHeadline::Text(match kind {
        EventKind::Transition { from, from_reason, to, reason, .. } => {
            return EventHeadline::Transition {
                from: state_word(*from, *from_reason),
                to: state_word(*to, *reason),
            };
        }
        EventKind::Command { action, generation, .. } => {
            format!("{} requested (#{generation})", verb(*action))
        }
        EventKind::Obeyed { action, generation, .. } => {
            format!("{} obeyed (#{generation})", verb(*action))
        }
        EventKind::Disobeyed { generation } => format!("kill DISOBEYED (#{generation})"),
        EventKind::Session { starts, .. } => format!("started (#{starts})"),
        EventKind::Gap { .. } => "NOT OBSERVED".to_owned(),
        EventKind::ClockStep { .. } => "clock set".to_owned(),
        EventKind::Budget { budget, percent, .. } => format!("budget {budget} at {percent} %"),
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
            format!(
                "for {}: {}; deadlines were postponed",
                span(age_ms(*from_ms, *to_ms)),
                gap_cause_text(*cause)
            )
        }
        EventKind::ClockStep { by_ms } => clock_step_text(*by_ms),
        EventKind::Budget { words, .. } => words.clone(),
        _ => String::new(),
    }
}

/// Returns by how much the wall clock was set, in words.
pub fn clock_step_text(by_ms: i64) -> String {
    let direction = if by_ms < 0 { "back" } else { "forward" };
    format!("the collector's clock was set {direction} by {}", span(by_ms.unsigned_abs()))
}

/// Returns why time was not observed, in words.
pub const fn gap_cause_text(cause: GapCause) -> &'static str {
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
    fn every_kind_of_event_has_a_text() {
        let line = |event: &Event| {
            let text = EventText::of(event);
            let lasted = text.lasted_ms.map_or_else(|| "-".to_owned(), age);
            let (agent, headline) = (&text.agent, text.headline.text("->"));
            format!("{agent} | {headline} | {lasted} | {} | {}", text.cause, text.who())
        };
        let lines: Vec<_> = sample::events_of_every_kind().iter().map(line).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
