//! An event as one plain line, for `watch --plain`, `events` and the demo.

use heartline_operator::message::{Action, Event, EventKind, GapCause, Reason, State};
use heartline_operator::{age_ms, session_text, text};

use crate::paint::{Paint, state_word};

/// Columns of an agent's name; longer ones push the rest to the right.
const NAME_WIDTH: usize = 20;

/// `2026-04-01T14:30:02.120Z  mail.7  HEALTHY → LATE  after 1h12m  3 beats missed (interval 30s)`.
///
/// All text in an event was scrubbed by the collector when it came in.
pub(crate) fn event_line(event: &Event, paint: Paint) -> String {
    let who = event.agent.as_deref().unwrap_or("(collector)");
    let what = words(&event.kind, paint);
    format!("{}  {who:<NAME_WIDTH$}  {what}", text::timestamp(event.at_ms))
}

/// A line of the program itself among events: `(link)`.
pub(crate) fn note_line(at_ms: i64, what: &str) -> String {
    format!("{}  {:<NAME_WIDTH$}  {what}", text::timestamp(at_ms), "(link)")
}

fn words(kind: &EventKind, paint: Paint) -> String {
    match kind {
        EventKind::Transition { from, from_reason, to, reason, lasted_ms, by, cause } => {
            let mut line = format!(
                "{} {} {}",
                state_word(*from, *from_reason),
                paint.arrow(),
                full_state(*to, *reason)
            );
            if let Some(ms) = lasted_ms {
                line.push_str(&format!("  after {}", text::age(*ms)));
            }
            for more in [cause.clone(), by.as_ref().map(|by| format!("by {by}"))] {
                line.extend(more.map(|more| format!("  {more}")));
            }
            line
        }
        EventKind::Command { action, generation, by, reason } => {
            let reason = if reason.is_empty() { String::new() } else { format!("  \"{reason}\"") };
            format!("{} ordered (#{generation})  by {by}{reason}", verb(*action))
        }
        EventKind::Obeyed { action, generation, delivered_ms, obeyed_ms } => format!(
            "{} obeyed (#{generation})  delivered in {}, obeyed in {}",
            verb(*action),
            span(*delivered_ms),
            span(*obeyed_ms)
        ),
        EventKind::Disobeyed { generation } => {
            format!("kill DISOBEYED (#{generation})  it went on completing work")
        }
        EventKind::Session { session, starts } => {
            format!("started (start {starts})  session {}", session_text(*session))
        }
        EventKind::Gap { from_ms, to_ms, cause } => format!(
            "NOT OBSERVED for {}  from {} to {}: {}",
            span(age_ms(*from_ms, *to_ms)),
            text::timestamp(*from_ms),
            text::timestamp(*to_ms),
            gap_cause(*cause)
        ),
        EventKind::Registered => "first seen".to_owned(),
        EventKind::Forgotten { by } => format!("forgotten  by {by}"),
    }
}

/// The state that was reached, with the reason where its word does not say it.
fn full_state(state: State, reason: Option<Reason>) -> String {
    let word = state_word(state, reason);
    match (state, reason) {
        (State::Degraded, Some(_)) => format!("{word} (degraded)"),
        (State::Unreachable, Some(reason)) => format!("{word} ({})", reason.name()),
        _ => word.to_owned(),
    }
}

/// A span of time in ms, where fractions of a second matter: `8 ms`, `1.2 s`, `6m12s`.
pub(crate) fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms / 100 % 10),
        _ => text::age(ms),
    }
}

pub(crate) fn verb(action: Action) -> &'static str {
    match action {
        Action::Kill => "kill",
        Action::Resume => "resume",
    }
}

fn gap_cause(cause: GapCause) -> &'static str {
    match cause {
        GapCause::Down => "no collector ran",
        GapCause::Frozen => "the collector was frozen or starved",
        GapCause::KernelDrops => "the kernel dropped datagrams",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paint::{Charset, Colour};
    use crate::sample;

    #[test]
    fn every_event_is_one_plain_line() {
        let paint = Paint::new(Charset::Unicode, Colour::Ansi);
        let lines: Vec<_> = sample::events().iter().map(|event| event_line(event, paint)).collect();
        assert!(lines.iter().all(|line| !line.contains(['\n', '\u{1b}'])));
        insta::assert_snapshot!(lines.join("\n"));
    }
}
