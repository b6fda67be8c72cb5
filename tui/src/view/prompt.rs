//! A line to type in a box, and what is said of it.

use ratatui::layout::Position;

use super::frame::ScreenFrame;
use super::{centred, room_for_overlay};
use crate::state::{Prompt, PromptAnswer, PromptPurpose};
use crate::text::wrap_at_most;
use crate::theme::StyleRole;

const WIDTH: u16 = 78;
/// Lines below the typed one.
const ANSWER_LINES: usize = 3;
/// What times there are.
const TIME_FORMS: &str =
    "14:05  14:05:30  -2h  yesterday 14:05  mon 09:00  2026-11-20  first  now  #7 (an outage)";

/// Draws the box. Returns the position of the text cursor.
pub(super) fn draw(frame: &mut ScreenFrame<'_>, prompt: &Prompt) -> Option<Position> {
    let state = frame.state;
    let (title, sign) = match &prompt.purpose {
        PromptPurpose::GoTo => ("Go to a time".to_owned(), "@"),
        PromptPurpose::Note { outage, acknowledges: false } => {
            (format!("Note on outage {outage}"), ":")
        }
        PromptPurpose::Note { outage, .. } => {
            (format!("Acknowledge outage {outage} (a remark, or nothing)"), ":")
        }
        PromptPurpose::Acknowledge { incident, .. } => {
            (format!("Acknowledge incident {incident}?"), " ")
        }
    };
    let height = (ANSWER_LINES as u16 + 3).min(room_for_overlay(state));
    let inner = frame.draw_box(centred(state, WIDTH, height), &title);
    let (role, text) = match (&prompt.answer, &prompt.purpose) {
        (PromptAnswer::Meaning(text), _) => (StyleRole::Healthy, text.as_str()),
        (PromptAnswer::Refusal(text), _) => (StyleRole::Unreachable, text.as_str()),
        (PromptAnswer::Empty, PromptPurpose::GoTo) => (StyleRole::Dim, TIME_FORMS),
        (PromptAnswer::Empty, PromptPurpose::Acknowledge { .. }) => (
            StyleRole::Dim,
            "It is kept with your name and the time. Reminders and escalation end; it is still told when \
             it is over.",
        ),
        (PromptAnswer::Empty, PromptPurpose::Note { .. }) => {
            (StyleRole::Dim, "It is kept with the outage, with your name and the time.")
        }
    };
    let columns = usize::from(inner.width.saturating_sub(2));
    for (row, line) in (1..).zip(wrap_at_most(text, columns, ANSWER_LINES)) {
        if let Some(mut out) = frame.line(inner, row) {
            out.gap(1).put(role, &line);
        }
    }
    let mut out = frame.line(inner, 0)?;
    if let PromptPurpose::Acknowledge { scope, .. } = &prompt.purpose {
        out.gap(1).put(StyleRole::Strong, scope);
        return None;
    }
    out.gap(1).put(StyleRole::Key, sign).gap(1);
    let start = out.column();
    let part = prompt.input.visible_part(out.remaining());
    out.put(StyleRole::Strong, part.text);
    Some(Position::new(start + part.cursor, inner.y))
}
