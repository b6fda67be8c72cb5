//! Writes a line piece by piece, each in its style and never beyond the end.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Block, Clear, Widget};

use crate::state::AppState;
use crate::text::{TextAlign, fit, strip_unsafe, width};
use crate::theme::{ScreenGlyphs, StyleRole, ThemeName};

/// The state to draw, and the cells to draw it on.
pub(super) struct ScreenFrame<'a> {
    pub state: &'a AppState,
    pub buffer: &'a mut Buffer,
}

/// A cursor on a line of the screen.
pub(super) struct RowWriter<'a> {
    buffer: &'a mut Buffer,
    theme: ThemeName,
    glyphs: &'static ScreenGlyphs,
    x: u16,
    y: u16,
    end: u16,
}

impl ScreenFrame<'_> {
    /// Returns a writer at the beginning of a row of an area; `None` when the area has no such row.
    pub(super) fn line(&mut self, area: Rect, row: u16) -> Option<RowWriter<'_>> {
        let area = area.intersection(self.buffer.area);
        (row < area.height && area.width > 0).then(|| RowWriter {
            theme: self.state.theme,
            glyphs: self.state.glyphs,
            x: area.x,
            y: area.y + row,
            end: area.right(),
            buffer: self.buffer,
        })
    }

    /// Highlights the selected rows of a list.
    pub(super) fn select_rows(&mut self, area: Rect, row: u16, rows: u16) {
        let selected = Rect { y: area.y + row, height: rows, ..area };
        self.buffer.set_style(selected.intersection(area), self.state.theme.selection());
    }

    /// Draws a box with a title over what was there. Returns the area inside.
    pub(super) fn draw_box(&mut self, area: Rect, title: &str) -> Rect {
        let area = area.intersection(self.buffer.area);
        Clear.render(area, self.buffer);
        let block = Block::bordered()
            .border_set(self.state.glyphs.border)
            .border_style(self.state.theme.style(StyleRole::Border));
        let inner = block.inner(area);
        block.render(area, self.buffer);
        if area.width > 4 && !title.is_empty() {
            let line = Rect { x: area.x + 2, width: area.width - 4, height: 1, ..area };
            if let Some(mut out) = self.line(line, 0) {
                out.put(StyleRole::Title, &format!(" {title} "));
            }
        }
        inner
    }
}

impl RowWriter<'_> {
    pub(super) fn put(&mut self, role: StyleRole, text: &str) -> &mut Self {
        self.put_styled(self.theme.style(role), text)
    }

    pub(super) fn put_styled(&mut self, style: Style, text: &str) -> &mut Self {
        let text = strip_unsafe(text);
        let room = usize::from(self.remaining());
        if room == 0 {
            return self;
        }
        let taken = width(&text);
        if taken <= room {
            self.buffer.set_stringn(self.x, self.y, &text, room, style);
            self.x += u16::try_from(taken).unwrap_or(0);
        } else {
            let cut = fit(&text, room, TextAlign::Left, self.glyphs.more);
            self.buffer.set_stringn(self.x, self.y, &cut, room, style);
            self.x = self.end;
        }
        self
    }

    /// Writes text in a fixed width.
    pub(super) fn cell(
        &mut self,
        role: StyleRole,
        text: &str,
        columns: u16,
        align: TextAlign,
    ) -> &mut Self {
        let columns = columns.min(self.remaining());
        let text = fit(text, usize::from(columns), align, self.glyphs.more);
        self.put(role, &text)
    }

    /// Leaves columns as they are.
    pub(super) fn gap(&mut self, columns: u16) -> &mut Self {
        self.x = self.x.saturating_add(columns).min(self.end);
        self
    }

    /// Writes a dimmed label and its value.
    pub(super) fn put_labelled(&mut self, label: &str, role: StyleRole, value: &str) -> &mut Self {
        self.put(StyleRole::Dim, label).gap(u16::from(!label.is_empty())).put(role, value).gap(2)
    }

    /// Writes pieces at the end of the line, which then ends before them.
    pub(super) fn put_right(&mut self, pieces: &[(StyleRole, &str)]) -> &mut Self {
        let taken: usize = pieces.iter().map(|(_, text)| width(&strip_unsafe(text))).sum();
        let from = self.end.saturating_sub(u16::try_from(taken).unwrap_or(u16::MAX)).max(self.x);
        let (x, end) = (self.x, self.end);
        self.x = from;
        for (role, text) in pieces {
            self.put(*role, text);
        }
        self.x = x;
        self.end = from.saturating_sub(1).max(x).min(end);
        self
    }

    /// Returns the columns that are left.
    pub(super) fn remaining(&self) -> u16 {
        self.end.saturating_sub(self.x)
    }

    pub(super) fn column(&self) -> u16 {
        self.x
    }
}
