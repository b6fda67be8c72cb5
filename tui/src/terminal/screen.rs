//! Frames as escape sequences (ECMA-48, and xterm's private modes).

use std::io::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier};

/// The 16 ANSI colours, in the order of their codes.
#[rustfmt::skip]
const NAMED_COLOURS: [Color; 16] = [
    Color::Black, Color::Red, Color::Green, Color::Yellow,
    Color::Blue, Color::Magenta, Color::Cyan, Color::Gray,
    Color::DarkGray, Color::LightRed, Color::LightGreen, Color::LightYellow,
    Color::LightBlue, Color::LightMagenta, Color::LightCyan, Color::White,
];

const CLEAR: &[u8] = b"\x1b[m\x1b[2J\x1b[H\x1b[?25l";
const SHOW_CURSOR: &[u8] = b"\x1b[?25h";
const HIDE_CURSOR: &[u8] = b"\x1b[?25l";

/// Turns frames into the fewest bytes that change what the terminal shows.
///
/// Ratatui's own backend writes the same frames with more bytes: it moves the cursor by row and
/// column also within a row, and resets colours and hides the cursor in every frame.
#[derive(Debug)]
pub(crate) struct DiffRenderer {
    /// The frame that the terminal shows.
    shown: Buffer,
    cursor: Option<Position>,
    /// The terminal's content is unknown, so that the next frame is drawn whole.
    is_invalid: bool,
}

impl DiffRenderer {
    pub(crate) fn new() -> Self {
        Self { shown: Buffer::empty(Rect::ZERO), cursor: None, is_invalid: true }
    }

    /// Draws the next frame whole.
    pub(crate) fn invalidate(&mut self) {
        self.is_invalid = true;
    }

    /// Returns the bytes that show the next frame: none when it looks the same.
    pub(crate) fn render(&mut self, next: Buffer, cursor: Option<Position>) -> Vec<u8> {
        let mut out = Vec::new();
        if self.is_invalid || self.shown.area != next.area {
            out.extend_from_slice(CLEAR);
            self.shown = Buffer::empty(next.area);
            self.cursor = None;
            self.is_invalid = false;
        }
        write_changes(&mut out, &self.shown, &next);
        if self.cursor != cursor || (cursor.is_some() && !out.is_empty()) {
            match cursor {
                Some(at) => {
                    move_cursor(&mut out, None, at.x, at.y);
                    if self.cursor.is_none() {
                        out.extend_from_slice(SHOW_CURSOR);
                    }
                }
                None => out.extend_from_slice(HIDE_CURSOR),
            }
        }
        self.cursor = cursor;
        self.shown = next;
        out
    }
}

fn write_changes(out: &mut Vec<u8>, shown: &Buffer, next: &Buffer) {
    let mut at: Option<(u16, u16)> = None;
    let mut style = CellStyle::default();
    for (x, y, cell) in shown.diff(next) {
        if at != Some((x, y)) {
            move_cursor(out, at, x, y);
        }
        let wanted = CellStyle { fg: cell.fg, bg: cell.bg, modifier: cell.modifier };
        if wanted != style {
            set_style(out, wanted);
            style = wanted;
        }
        let symbol = cell.symbol();
        // A control character here would be a bug elsewhere; it does not reach the terminal.
        let safe = if symbol.chars().any(char::is_control) { " " } else { symbol };
        out.extend_from_slice(safe.as_bytes());
        let columns = u16::try_from(crate::text::width(safe)).unwrap_or(1).max(1);
        at = Some((x + columns, y));
    }
    if style != CellStyle::default() {
        set_style(out, CellStyle::default());
    }
}

/// Colours and modifiers of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct CellStyle {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

/// Writes the sequence that sets a style, whatever was set before.
fn set_style(out: &mut Vec<u8>, style: CellStyle) {
    out.extend_from_slice(b"\x1b[");
    if style != CellStyle::default() {
        out.push(b'0');
    }
    for (modifier, code) in [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::ITALIC, 3),
        (Modifier::UNDERLINED, 4),
        (Modifier::REVERSED, 7),
    ] {
        if style.modifier.contains(modifier) {
            push_parameter(out, code);
        }
    }
    set_colour(out, style.fg, 30);
    set_colour(out, style.bg, 40);
    out.push(b'm');
}

fn set_colour(out: &mut Vec<u8>, colour: Color, base: u16) {
    match colour {
        Color::Reset => {}
        Color::Rgb(r, g, b) => {
            for code in [base + 8, 2, r.into(), g.into(), b.into()] {
                push_parameter(out, code);
            }
        }
        Color::Indexed(n) => {
            for code in [base + 8, 5, n.into()] {
                push_parameter(out, code);
            }
        }
        named => {
            let codes = (0..8).chain(60..68);
            let code = codes.zip(NAMED_COLOURS).find(|(_, it)| *it == named);
            push_parameter(out, base + code.map_or(0, |(code, _)| code));
        }
    }
}

fn push_parameter(out: &mut Vec<u8>, code: u16) {
    write!(out, ";{code}").expect("writing to a vector does not fail");
}

/// Moves the cursor, counted from 0; within a row by the shorter sequence.
fn move_cursor(out: &mut Vec<u8>, from: Option<(u16, u16)>, x: u16, y: u16) {
    let written = match from {
        Some((_, row)) if row == y => write!(out, "\x1b[{}G", x + 1),
        _ => write!(out, "\x1b[{};{}H", y + 1, x + 1),
    };
    written.expect("writing to a vector does not fail");
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

    fn escaped(of: &[u8]) -> String {
        String::from_utf8(of.to_vec()).unwrap().replace('\x1b', "^")
    }

    #[test]
    fn an_unchanged_frame_costs_no_bytes() {
        let mut renderer = DiffRenderer::new();
        assert!(!renderer.render(buffer("beat 3s"), None).is_empty());
        assert_eq!(renderer.render(buffer("beat 3s"), None), b"");
    }

    #[test]
    fn only_changed_cells_are_written() {
        let mut renderer = DiffRenderer::new();
        renderer.render(buffer("beat 3s step 1s"), None);
        assert_eq!(escaped(&renderer.render(buffer("beat 4s step 2s"), None)), "^[1;6H4^[14G2");
    }

    #[test]
    fn colours_are_reset_at_the_end_of_a_frame() {
        let mut renderer = DiffRenderer::new();
        renderer.render(buffer("   "), None);
        let mut next = buffer("   ");
        next.set_string(0, 0, "x", Style::new().fg(Color::Rgb(0, 158, 115)).bold());
        assert_eq!(escaped(&renderer.render(next, None)), "^[1;1H^[0;1;38;2;0;158;115mx^[m");
    }

    #[test]
    fn control_characters_in_a_cell_are_not_written() {
        let mut renderer = DiffRenderer::new();
        renderer.render(buffer(""), None);
        let mut next = buffer("");
        next[(0, 0)].set_symbol("\u{1b}[2J");
        assert!(!escaped(&renderer.render(next, None)).contains("[2J"));
    }

    #[test]
    fn the_text_cursor_is_shown_and_hidden() {
        let mut renderer = DiffRenderer::new();
        renderer.render(buffer("/"), None);
        assert_eq!(
            escaped(&renderer.render(buffer("/"), Some(Position::new(2, 0)))),
            "^[1;3H^[?25h"
        );
        assert_eq!(escaped(&renderer.render(buffer("/"), None)), "^[?25l");
    }
}
