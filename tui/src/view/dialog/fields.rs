//! The text fields of a dialog.

use ratatui::layout::{Position, Rect};

use super::super::frame::ScreenFrame;
use crate::state::{ConfirmDialog, DialogFocus, TextInput};
use crate::text::{TextAlign, width};
use crate::theme::StyleRole;

/// What stands in front of the phrase that must be typed.
pub(super) const LABEL: &str = "Type exactly";
/// Columns of a text field.
const FIELD_WIDTH: u16 = 40;
/// Columns behind a field, for a remark.
const REMARK_WIDTH: u16 = 12;

/// Draws the text fields, and what must be typed above the one for it. Returns the position of the
/// text cursor.
pub(super) fn draw_fields(
    frame: &mut ScreenFrame<'_>,
    dialog: &ConfirmDialog,
    phrase: &[String],
    area: Rect,
    first: u16,
) -> Option<Position> {
    let (fields, mut row) = (dialog.fields(), first);
    let mut at_reason = None;
    if fields.contains(&DialogFocus::Reason) {
        let missing = dialog.reason.text().trim().is_empty();
        let role = if missing { StyleRole::Warning } else { StyleRole::Dim };
        let reason = TextField {
            label: "Reason",
            input: &dialog.reason,
            is_focused: dialog.focus == DialogFocus::Reason,
        };
        at_reason = reason.draw(frame, area, row, (role, "required"));
        row += 1;
    }
    let role = if dialog.is_phrase_typed() { StyleRole::Healthy } else { StyleRole::Strong };
    for line in phrase {
        if let Some(mut out) = frame.line(area, row) {
            let (label, text) = line.split_at(line.len() - line.trim_start_matches(LABEL).len());
            out.gap(1).put(StyleRole::Text, label).put(role, text);
        }
        row += 1;
    }
    let mut at_typed = None;
    if fields.contains(&DialogFocus::Phrase) {
        let typed = TextField {
            label: "",
            input: &dialog.typed,
            is_focused: dialog.focus == DialogFocus::Phrase,
        };
        at_typed = typed.draw(frame, area, row, (role, ""));
    }
    at_reason.or(at_typed)
}

/// A labelled text field.
struct TextField<'a> {
    label: &'a str,
    input: &'a TextInput,
    is_focused: bool,
}

impl TextField<'_> {
    /// Draws the field and a remark behind it. Returns the position of the text cursor, if the field
    /// has the focus.
    fn draw(
        &self,
        frame: &mut ScreenFrame<'_>,
        area: Rect,
        row: u16,
        remark: (StyleRole, &str),
    ) -> Option<Position> {
        let mut out = frame.line(area, row)?;
        let label_role = if self.is_focused { StyleRole::Key } else { StyleRole::Text };
        out.gap(1).cell(label_role, self.label, 7, TextAlign::Left).gap(1);
        let columns = FIELD_WIDTH.min(out.remaining().saturating_sub(REMARK_WIDTH)).max(10);
        let part = self.input.visible_part(columns);
        out.put(StyleRole::Text, "[");
        let start = out.column();
        let pad = usize::from(columns).saturating_sub(width(part.text));
        out.cell(
            StyleRole::Strong,
            &format!("{}{}", part.text, "_".repeat(pad)),
            columns,
            TextAlign::Left,
        );
        out.put(StyleRole::Text, "]").gap(2);
        if width(remark.1) <= usize::from(out.remaining()) {
            out.put(remark.0, remark.1);
        }
        self.is_focused.then(|| Position::new(start + part.cursor, area.y + row))
    }
}
