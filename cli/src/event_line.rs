//! An event as one plain line, for `watch --plain`, `events` and the demo.

use heartline_operator::message::{Event, EventKind};

use heartline_operator::text::{self, EventText};
use heartline_vocabulary::State;

use crate::style::StateFormatter;

/// Columns of an agent's name; longer ones push the rest to the right.
const NAME_WIDTH: usize = 20;

/// `2026-04-01T14:30:02.120Z  mail.7  HEALTHY → LATE  after 1h12m  3 beats missed (interval 30s)`.
///
/// All text in an event was scrubbed by the collector when it came in.
pub(crate) fn event_line(event: &Event, formatter: StateFormatter) -> String {
    let words = EventText::of(event);
    let what = words.headline.text(formatter.arrow());
    let lasted = words.lasted_ms.map(|ms| format!("after {}", text::age(ms)));
    let by = words.by.as_ref().map(|by| format!("by {by}"));
    let cause = cause(event, &words);
    let mut line = line(event.at_ms, &words.agent, &format!("{what}{}", state_in_full(event)));
    for more in [lasted, Some(cause), by].into_iter().flatten().filter(|more| !more.is_empty()) {
        line.push_str("  ");
        line.push_str(&more);
    }
    line
}

/// A line of the program itself among events: `(link)`.
pub(crate) fn note_line(at_ms: i64, what: &str) -> String {
    line(at_ms, "(link)", what)
}

fn line(at_ms: i64, who: &str, what: &str) -> String {
    format!("{}  {who:<NAME_WIDTH$}  {what}", text::timestamp(at_ms))
}

/// Behind the word of the state that was reached: what the word leaves out.
fn state_in_full(event: &Event) -> String {
    match &event.kind {
        EventKind::Transition { to: State::Degraded, reason: Some(_), .. } => " (degraded)".into(),
        EventKind::Transition { to: State::Unreachable, reason: Some(reason), .. } => {
            format!(" ({})", reason.name())
        }
        _ => String::new(),
    }
}

/// Why; for a time that was not observed also when it was.
fn cause(event: &Event, words: &EventText) -> String {
    match &event.kind {
        EventKind::Transition { cause: None, .. } => String::new(),
        EventKind::Gap { from_ms, to_ms, .. } => {
            let (from, to) = (text::timestamp(*from_ms), text::timestamp(*to_ms));
            format!("{}  from {from} to {to}", words.cause)
        }
        _ => words.cause.clone(),
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
