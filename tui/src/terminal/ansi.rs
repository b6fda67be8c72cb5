//! Escape sequences (ECMA-48, and xterm's private modes).

use std::io::Write as _;

use base64::Engine as _;
use ratatui::style::{Color, Modifier};

use crate::state::MouseMode;

/// Alternate screen, no cursor, bracketed paste.
pub(super) const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h";
/// All of it back, whatever was on.
pub(super) const LEAVE: &[u8] = b"\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[m\x1b[?25h\x1b[?1049l";
pub(super) const CLEAR: &[u8] = b"\x1b[m\x1b[2J\x1b[H";
pub(super) const SHOW_CURSOR: &[u8] = b"\x1b[?25h";
pub(super) const HIDE_CURSOR: &[u8] = b"\x1b[?25l";

/// Colours and weight of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub fg: Color,
    pub bg: Color,
    pub modifier: Modifier,
}

/// Sets the look, whatever it was before.
pub(super) fn set(out: &mut Vec<u8>, look: Look) {
    out.extend_from_slice(b"\x1b[");
    if look != Look::default() {
        out.push(b'0');
    }
    for (modifier, code) in [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::ITALIC, 3),
        (Modifier::UNDERLINED, 4),
        (Modifier::REVERSED, 7),
    ] {
        if look.modifier.contains(modifier) {
            number(out, code);
        }
    }
    colour(out, look.fg, 30);
    colour(out, look.bg, 40);
    out.push(b'm');
}

fn colour(out: &mut Vec<u8>, colour: Color, base: u16) {
    let plain = match colour {
        Color::Reset => return,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 60,
        Color::LightRed => 61,
        Color::LightGreen => 62,
        Color::LightYellow => 63,
        Color::LightBlue => 64,
        Color::LightMagenta => 65,
        Color::LightCyan => 66,
        Color::White => 67,
        Color::Rgb(r, g, b) => {
            for code in [base + 8, 2, r.into(), g.into(), b.into()] {
                number(out, code);
            }
            return;
        }
        Color::Indexed(n) => {
            for code in [base + 8, 5, n.into()] {
                number(out, code);
            }
            return;
        }
    };
    number(out, base + plain);
}

fn number(out: &mut Vec<u8>, code: u16) {
    write!(out, ";{code}").expect("writing to a vector does not fail");
}

/// Moves the cursor, from 0; within a row by the shorter sequence.
pub(super) fn go(out: &mut Vec<u8>, from: Option<(u16, u16)>, x: u16, y: u16) {
    let wrote = match from {
        Some((_, row)) if row == y => write!(out, "\x1b[{}G", x + 1),
        _ => write!(out, "\x1b[{};{}H", y + 1, x + 1),
    };
    wrote.expect("writing to a vector does not fail");
}

/// Takes the mouse (clicks and wheel, in SGR form), or gives it back.
pub(crate) fn mouse(mode: MouseMode) -> &'static [u8] {
    match mode {
        MouseMode::Captured => b"\x1b[?1000h\x1b[?1006h",
        MouseMode::Terminal => b"\x1b[?1006l\x1b[?1000l",
    }
}

/// Puts text on the clipboard of whoever sits at the terminal, also over ssh (OSC 52).
pub(crate) fn copy(text: &str) -> Vec<u8> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    format!("\x1b]52;c;{encoded}\x07").into_bytes()
}
