//! The sequences that mean a key, a mouse report or an answer: xterm's, the Linux console's, rxvt's,
//! and those of kitty's keyboard protocol, which an earlier program may have left on.

use super::parser::InputEvent;
use crate::keys::{KeyChord, KeyCode};
use crate::update::MouseInput;

/// A control sequence: its parameters and intermediate bytes, and its last byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct ControlSequence<'a> {
    pub kept: &'a [u8],
    pub last: u8,
}

/// Bits of a modifier parameter, which is one more than their sum.
const SHIFT: u32 = 1;
const ALT: u32 = 2;
const CTRL: u32 = 4;
/// Caps lock and num lock, which change no key here.
const LOCKS: u32 = 64 + 128;
/// The type of a key's release in kitty's protocol.
const RELEASED: u32 = 3;

/// Returns the event of a control sequence; `None` for one without a meaning here.
pub(super) fn control(sequence: ControlSequence<'_>) -> Option<InputEvent> {
    if let (Some(report), b'M' | b'm') = (sequence.kept.strip_prefix(b"<"), sequence.last) {
        return sgr_mouse(report, sequence.last).map(InputEvent::Mouse);
    }
    if (sequence.kept, sequence.last) == (b"0", b'n') {
        return Some(InputEvent::DeviceReady);
    }
    let parameters = Parameters::parse(sequence.kept)?;
    let code = match sequence.last {
        b'~' if parameters.number(0) == 27 => return other_key(parameters.number(2), &parameters),
        b'u' => return other_key(parameters.number(0), &parameters),
        b'~' => tilde_key(parameters.number(0))?,
        // A modified F3 looks like the report of a position in the first line.
        b'R' if parameters.len() != 0 && parameters.number(0) != 1 => return None,
        last => letter_key(last)?,
    };
    parameters.key(code)
}

/// Returns the key of SS3, its parameters and a letter.
pub(super) fn single_shift(kept: &[u8], last: u8) -> Option<KeyChord> {
    let parameters = Parameters::parse(kept)?;
    let code = match last {
        b'M' => KeyCode::Enter,
        b'I' => KeyCode::Tab,
        // The keypad in application mode.
        b'j'..=b'y' => KeyCode::Char(char::from(last - 0x40)),
        _ => letter_key(last)?,
    };
    match parameters.key(code)? {
        InputEvent::Key(key) => Some(key),
        _ => None,
    }
}

/// Returns the input of a mouse report: presses of the left button, and the wheel.
pub(super) fn mouse(button: u8, column: u16, row: u16) -> Option<MouseInput> {
    // Shift, alt and ctrl.
    match button & !0b1_1100 {
        0 => Some(MouseInput::Click { column, row }),
        64 => Some(MouseInput::ScrollUp),
        65 => Some(MouseInput::ScrollDown),
        _ => None,
    }
}

fn sgr_mouse(report: &[u8], last: u8) -> Option<MouseInput> {
    let parameters = Parameters::parse(report)?;
    let place = |at| u16::try_from(parameters.number(at).saturating_sub(1)).unwrap_or(u16::MAX);
    let button = u8::try_from(parameters.number(0)).ok()?;
    let is_press = last == b'M' && parameters.len() == 3;
    is_press.then(|| mouse(button, place(1), place(2))).flatten()
}

/// The numbers of a sequence, each with its sub-parameters.
struct Parameters(Vec<Vec<u32>>);

impl Parameters {
    /// Returns `None` when there is a private mark or an intermediate byte: then it is no key.
    fn parse(kept: &[u8]) -> Option<Self> {
        if !kept.iter().all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':')) {
            return None;
        }
        let text = std::str::from_utf8(kept).ok().filter(|text| !text.is_empty());
        let numbers = |part: &str| part.split(':').map(|it| it.parse().unwrap_or(0)).collect();
        Some(Self(text.map_or_else(Vec::new, |text| text.split(';').map(numbers).collect())))
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns a number; 0 when it is missing.
    fn number(&self, at: usize) -> u32 {
        self.0.get(at).and_then(|part| part.first()).copied().unwrap_or(0)
    }

    /// Returns a key with the modifiers of the second parameter; `None` for its release, or with
    /// modifiers that no binding can have.
    fn key(&self, code: KeyCode) -> Option<InputEvent> {
        let modifiers = self.number(1).saturating_sub(1) & !LOCKS;
        let is_release = self.0.get(1).is_some_and(|part| part.get(1) == Some(&RELEASED));
        if is_release || modifiers & !(SHIFT | ALT | CTRL) != 0 {
            return None;
        }
        let code = match code {
            KeyCode::Tab if modifiers & SHIFT != 0 => KeyCode::BackTab,
            KeyCode::Char(c) if modifiers & CTRL != 0 => KeyCode::Char(c.to_ascii_lowercase()),
            KeyCode::Char(c) if modifiers & SHIFT != 0 => {
                KeyCode::Char(c.to_uppercase().next().unwrap_or(c))
            }
            code => code,
        };
        let (ctrl, alt) = (modifiers & CTRL != 0, modifiers & ALT != 0);
        Some(InputEvent::Key(KeyChord { code, ctrl, alt }))
    }
}

/// Returns the key of a character, as kitty's protocol and xterm's `modifyOtherKeys` report it.
fn other_key(character: u32, parameters: &Parameters) -> Option<InputEvent> {
    let code = match character {
        9 => KeyCode::Tab,
        13 => KeyCode::Enter,
        27 => KeyCode::Esc,
        127 => KeyCode::Backspace,
        // Kitty's keys without a character.
        0xe000..=0xf8ff => return None,
        _ => KeyCode::Char(char::from_u32(character).filter(|c| !c.is_control())?),
    };
    parameters.key(code)
}

fn letter_key(last: u8) -> Option<KeyCode> {
    Some(match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P'..=b'S' => KeyCode::F(last - b'P' + 1),
        b'Z' => KeyCode::BackTab,
        _ => return None,
    })
}

fn tilde_key(number: u32) -> Option<KeyCode> {
    let function = |n: u32| u8::try_from(n).ok().map(KeyCode::F);
    match number {
        1 | 7 => Some(KeyCode::Home),
        3 => Some(KeyCode::Delete),
        4 | 8 => Some(KeyCode::End),
        5 => Some(KeyCode::PageUp),
        6 => Some(KeyCode::PageDown),
        11..=15 => function(number - 10),
        17..=21 => function(number - 11),
        23..=24 => function(number - 12),
        _ => None,
    }
}
