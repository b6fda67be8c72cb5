//! An event in words.

use heartline_operator::message::{Action, Event, EventKind, GapCause};
use heartline_operator::text::age;

use super::{Glyphs, Role, of_state};

/// The words of one event. All from the collector, and cleaned again when they are drawn.
#[derive(Clone, Debug)]
pub(crate) struct EventWords {
    pub agent: String,
    /// The states of a transition.
    pub from: Option<&'static str>,
    pub to: Option<&'static str>,
    /// What it was, when it is no transition.
    pub what: String,
    pub lasted_ms: Option<u64>,
    pub cause: String,
    pub by: String,
}

impl EventWords {
    pub(crate) fn of(event: &Event) -> Self {
        let blank = Self {
            agent: event.agent.clone().unwrap_or_else(|| "(collector)".to_owned()),
            from: None,
            to: None,
            what: String::new(),
            lasted_ms: None,
            cause: String::new(),
            by: "collector".to_owned(),
        };
        match &event.kind {
            EventKind::Transition { from, from_reason, to, reason, lasted_ms, by, cause } => {
                let glyphs = Glyphs::of(super::Charset::Ascii);
                Self {
                    from: Some(of_state(*from, *from_reason, glyphs).label),
                    to: Some(of_state(*to, *reason, glyphs).label),
                    lasted_ms: *lasted_ms,
                    cause: cause
                        .clone()
                        .or_else(|| reason.map(|r| r.name().to_owned()))
                        .unwrap_or_default(),
                    by: by.clone().unwrap_or(blank.by.clone()),
                    ..blank
                }
            }
            EventKind::Command { action, generation, by, reason } => Self {
                what: format!("{} ordered (#{generation})", verb(*action)),
                cause: format!("\"{reason}\""),
                by: by.clone(),
                ..blank
            },
            other => Self { what: what(other), cause: why(other), by: who(other), ..blank },
        }
    }
}

fn what(kind: &EventKind) -> String {
    match kind {
        EventKind::Obeyed { action, generation, .. } => {
            format!("{} obeyed (#{generation})", verb(*action))
        }
        EventKind::Disobeyed { generation } => format!("kill DISOBEYED (#{generation})"),
        EventKind::Session { starts, .. } => format!("started (#{starts})"),
        EventKind::Gap { .. } => "NOT OBSERVED".to_owned(),
        EventKind::Registered => "first seen".to_owned(),
        EventKind::Forgotten { .. } => "forgotten".to_owned(),
        EventKind::Transition { .. } | EventKind::Command { .. } => kind.name().to_owned(),
    }
}

fn why(kind: &EventKind) -> String {
    match kind {
        EventKind::Obeyed { delivered_ms, obeyed_ms, .. } => {
            format!("delivered in {}, obeyed in {}", span(*delivered_ms), span(*obeyed_ms))
        }
        EventKind::Disobeyed { .. } => "it went on completing work".to_owned(),
        EventKind::Session { session, .. } => {
            format!("session {}", heartline_operator::session_text(*session))
        }
        EventKind::Gap { from_ms, to_ms, cause } => {
            let lasted = u64::try_from(to_ms.saturating_sub(*from_ms)).unwrap_or(0);
            format!("for {}: {}; nobody is blamed", span(lasted), gap_cause(*cause))
        }
        _ => String::new(),
    }
}

fn who(kind: &EventKind) -> String {
    match kind {
        EventKind::Forgotten { by } => by.clone(),
        EventKind::Obeyed { .. } | EventKind::Disobeyed { .. } | EventKind::Session { .. } => {
            "agent".to_owned()
        }
        _ => "collector".to_owned(),
    }
}

/// A span of time in ms where fractions of a second matter: `8 ms`, `1.2 s`, `6m12s`.
pub(crate) fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms / 100 % 10),
        _ => age(ms),
    }
}

fn gap_cause(cause: GapCause) -> &'static str {
    match cause {
        GapCause::Down => "no collector ran",
        GapCause::Frozen => "the collector was frozen or starved",
        GapCause::KernelDrops => "the kernel dropped datagrams",
    }
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Kill => "kill",
        Action::Resume => "resume",
    }
}

/// In which colour an event is told.
pub(crate) fn event_role(event: &Event) -> Role {
    match &event.kind {
        EventKind::Transition { to, reason, .. } => {
            of_state(*to, *reason, Glyphs::of(super::Charset::Ascii)).role
        }
        EventKind::Command { action: Action::Kill, .. } => Role::Killed,
        EventKind::Disobeyed { .. } => Role::Alert,
        EventKind::Gap { .. } => Role::Degraded,
        _ => Role::Text,
    }
}
