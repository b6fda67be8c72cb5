//! What is on the terminal, and the fewest bytes that turn it into the next frame.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::ansi::{self, Look};

/// The frame that the terminal shows.
#[derive(Debug)]
pub(crate) struct Canvas {
    shown: Buffer,
    cursor: Option<Position>,
    /// Nothing is known of what the terminal shows.
    unknown: bool,
}

impl Canvas {
    pub(crate) fn new() -> Self {
        Self { shown: Buffer::empty(Rect::ZERO), cursor: None, unknown: true }
    }

    /// The next frame is drawn whole.
    pub(crate) fn forget(&mut self) {
        self.unknown = true;
    }

    /// The bytes that show the next frame: empty when it looks the same.
    pub(crate) fn frame(&mut self, next: Buffer, cursor: Option<Position>) -> Vec<u8> {
        let mut out = Vec::new();
        if self.unknown || self.shown.area != next.area {
            out.extend_from_slice(ansi::CLEAR);
            self.shown = Buffer::empty(next.area);
            self.cursor = None;
            self.unknown = false;
            out.extend_from_slice(ansi::HIDE_CURSOR);
        }
        cells(&mut out, &self.shown, &next);
        if self.cursor != cursor || (cursor.is_some() && !out.is_empty()) {
            match cursor {
                Some(at) => {
                    ansi::go(&mut out, None, at.x, at.y);
                    if self.cursor.is_none() {
                        out.extend_from_slice(ansi::SHOW_CURSOR);
                    }
                }
                None => out.extend_from_slice(ansi::HIDE_CURSOR),
            }
        }
        self.cursor = cursor;
        self.shown = next;
        out
    }
}

fn cells(out: &mut Vec<u8>, shown: &Buffer, next: &Buffer) {
    let mut at: Option<(u16, u16)> = None;
    let mut look = Look::default();
    for (x, y, cell) in shown.diff(next) {
        if at != Some((x, y)) {
            ansi::go(out, at, x, y);
        }
        let wanted = Look { fg: cell.fg, bg: cell.bg, modifier: cell.modifier };
        if wanted != look {
            ansi::set(out, wanted);
            look = wanted;
        }
        let symbol = cell.symbol();
        // A control character here would be a bug elsewhere; it does not reach the terminal.
        let safe = if symbol.chars().any(char::is_control) { " " } else { symbol };
        out.extend_from_slice(safe.as_bytes());
        let columns = u16::try_from(crate::look::width(safe)).unwrap_or(1).max(1);
        at = Some((x + columns, y));
    }
    if look != Look::default() {
        ansi::set(out, Look::default());
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::{Color, Style};

    use super::*;

    fn buffer(text: &str) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 20, 2));
        buffer.set_string(0, 0, text, Style::new());
        buffer
    }

    fn bytes(of: &[u8]) -> String {
        String::from_utf8(of.to_vec()).unwrap().replace('\x1b', "^")
    }

    #[test]
    fn the_same_frame_again_is_not_a_byte() {
        let mut canvas = Canvas::new();
        assert!(!canvas.frame(buffer("beat 3s"), None).is_empty());
        assert_eq!(canvas.frame(buffer("beat 3s"), None), b"");
    }

    #[test]
    fn only_what_changed_is_written() {
        let mut canvas = Canvas::new();
        canvas.frame(buffer("beat 3s step 1s"), None);
        assert_eq!(bytes(&canvas.frame(buffer("beat 4s step 2s"), None)), "^[1;6H4^[14G2");
    }

    #[test]
    fn colours_are_set_and_taken_back() {
        let mut canvas = Canvas::new();
        canvas.frame(buffer("   "), None);
        let mut next = buffer("   ");
        next.set_string(0, 0, "x", Style::new().fg(Color::Rgb(0, 158, 115)).bold());
        assert_eq!(bytes(&canvas.frame(next, None)), "^[1;1H^[0;1;38;2;0;158;115mx^[m");
    }

    #[test]
    fn a_control_character_in_a_cell_never_gets_out() {
        let mut canvas = Canvas::new();
        canvas.frame(buffer(""), None);
        let mut next = buffer("");
        next[(0, 0)].set_symbol("\u{1b}[2J");
        assert!(!bytes(&canvas.frame(next, None)).contains("[2J"));
    }

    #[test]
    fn the_text_cursor_comes_and_goes() {
        let mut canvas = Canvas::new();
        canvas.frame(buffer("/"), None);
        assert_eq!(bytes(&canvas.frame(buffer("/"), Some(Position::new(2, 0)))), "^[1;3H^[?25h");
        assert_eq!(bytes(&canvas.frame(buffer("/"), None)), "^[?25l");
    }
}
