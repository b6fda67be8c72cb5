//! Writes one line, piece by piece, each in its colour and never beyond its end.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Block, Clear, Widget};

use crate::look::{Align, Glyphs, Role, Theme, clean, fit, width};
use crate::state::State;

/// A place on a line.
pub(super) struct Pen<'a> {
    buffer: &'a mut Buffer,
    theme: Theme,
    glyphs: &'static Glyphs,
    x: u16,
    y: u16,
    end: u16,
}

impl<'a> Pen<'a> {
    /// At the beginning of the `row`th line of an area; `None` when the area has no such line.
    pub(super) fn on(state: &State, area: Rect, row: u16, buffer: &'a mut Buffer) -> Option<Self> {
        let area = area.intersection(buffer.area);
        (row < area.height && area.width > 0).then(|| Self {
            theme: state.theme,
            glyphs: state.glyphs,
            x: area.x,
            y: area.y + row,
            end: area.right(),
            buffer,
        })
    }

    pub(super) fn put(&mut self, role: Role, text: &str) -> &mut Self {
        self.styled(self.theme.style(role), text)
    }

    pub(super) fn styled(&mut self, style: Style, text: &str) -> &mut Self {
        let text = clean(text);
        let room = usize::from(self.room());
        if room == 0 {
            return self;
        }
        let taken = width(&text);
        if taken <= room {
            self.buffer.set_stringn(self.x, self.y, &text, room, style);
            self.x += u16::try_from(taken).unwrap_or(0);
        } else {
            let cut = fit(&text, room, Align::Left, self.glyphs.more);
            self.buffer.set_stringn(self.x, self.y, &cut, room, style);
            self.x = self.end;
        }
        self
    }

    /// Puts text in a field of fixed width.
    pub(super) fn cell(&mut self, role: Role, text: &str, columns: u16, align: Align) -> &mut Self {
        let columns = columns.min(self.room());
        let text = fit(text, usize::from(columns), align, self.glyphs.more);
        self.put(role, &text)
    }

    pub(super) fn gap(&mut self, columns: u16) -> &mut Self {
        self.x = self.x.saturating_add(columns).min(self.end);
        self
    }

    /// A label in the background and its value in the foreground.
    pub(super) fn pair(&mut self, label: &str, role: Role, value: &str) -> &mut Self {
        self.put(Role::Dim, label).gap(u16::from(!label.is_empty())).put(role, value).gap(2)
    }

    /// Writes the pieces at the end of the line, and ends the line before them.
    pub(super) fn at_end(&mut self, pieces: &[(Role, &str)]) -> &mut Self {
        let taken: usize = pieces.iter().map(|(_, text)| width(&clean(text))).sum();
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

    pub(super) fn room(&self) -> u16 {
        self.end.saturating_sub(self.x)
    }

    pub(super) fn x(&self) -> u16 {
        self.x
    }
}

/// Draws a box with a title; returns what is inside. Whatever was below is wiped out.
pub(super) fn boxed(state: &State, area: Rect, title: &str, buffer: &mut Buffer) -> Rect {
    let area = area.intersection(buffer.area);
    Clear.render(area, buffer);
    let block = Block::bordered()
        .border_set(state.glyphs.border)
        .border_style(state.theme.style(Role::Border));
    let inner = block.inner(area);
    block.render(area, buffer);
    if area.width > 4 && !title.is_empty() {
        let line = Rect { x: area.x + 2, width: area.width - 4, height: 1, ..area };
        if let Some(mut pen) = Pen::on(state, line, 0, buffer) {
            pen.put(Role::Title, &format!(" {title} "));
        }
    }
    inner
}
