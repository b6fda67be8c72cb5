//! Events as plain lines, for `watch --plain`, `events` and the demo.

use heartline_operator::message::{Event, EventKind};
use heartline_operator::text::{EventText, age, timestamp};
use heartline_vocabulary::State;

use crate::style::StateFormatter;

/// Columns of an agent's name; longer ones push the rest to the right.
const NAME_WIDTH: usize = 20;

/// Formats an event: `2026-04-01T14:30:02.120Z  mail.7  HEALTHY → LATE  after 1h12m  3 beats missed (interval 30s)`.
///
/// The collector has scrubbed all text in an event.
pub(crate) fn event_line(event: &Event, formatter: StateFormatter) -> String {
    let text = EventText::of(event);
    let what = text.headline.text(formatter.arrow());
    let lasted = text.lasted_ms.map(|ms| format!("after {}", age(ms)));
    let by = text.by.as_ref().map(|by| format!("by {by}"));
    let cause = cause(event, &text);
    let mut line = line(event.at_ms, &text.agent, &format!("{what}{}", state_in_full(event)));
    for more in [lasted, Some(cause), by].into_iter().flatten().filter(|more| !more.is_empty()) {
        line.push_str("  ");
        line.push_str(&more);
    }
    line
}

/// Formats a line of the program itself among events, by `(link)`.
pub(crate) fn note_line(at_ms: i64, note: &str) -> String {
    line(at_ms, "(link)", note)
}

fn line(at_ms: i64, agent: &str, headline: &str) -> String {
    format!("{}  {agent:<NAME_WIDTH$}  {headline}", timestamp(at_ms))
}

/// Returns what the word of the state that was reached leaves out.
fn state_in_full(event: &Event) -> String {
    match &event.kind {
        EventKind::Transition { to: State::Degraded, reason: Some(_), .. } => " (degraded)".into(),
        EventKind::Transition { to: State::Unreachable, reason: Some(reason), .. } => {
            format!(" ({})", reason.name())
        }
        _ => String::new(),
    }
}

/// Returns the cause; of a gap also its times.
fn cause(event: &Event, text: &EventText) -> String {
    match &event.kind {
        EventKind::Transition { cause: None, .. } => String::new(),
        EventKind::Gap { from_ms, to_ms, .. } => {
            let (from, to) = (timestamp(*from_ms), timestamp(*to_ms));
            format!("{}  from {from} to {to}", text.cause)
        }
        _ => text.cause.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heartline_operator::sample;
    use heartline_operator::text::GlyphSet;

    #[test]
    fn every_event_is_one_plain_line() {
        let formatter = StateFormatter(GlyphSet::Unicode);
        let lines: Vec<_> = sample::events_of_every_kind()
            .iter()
            .map(|event| event_line(event, formatter))
            .collect();
        assert!(lines.iter().all(|line| !line.contains(['\n', '\u{1b}'])));
        insta::assert_snapshot!(lines.join("\n"));
    }
}
