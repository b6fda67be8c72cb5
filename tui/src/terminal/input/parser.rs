//! The bytes of a terminal as keys, pastes and mouse reports, by the grammar of ECMA-48.
//!
//! The states are those of Paul Williams' parser (<https://vt100.net/emu/dec_ansi_parser>), which
//! `vte` implements for the output of programs; a test compares both. For input four rules differ,
//! so that no byte can take the keyboard away and none is typed that nobody typed:
//!
//! 1. A byte that a sequence can't have ends it, and means what it means alone: ctrl-c is ctrl-c
//!    everywhere but in a paste.
//! 2. What is not finished after a pause ends there: ESC alone is the key, ESC and an introducer are
//!    two keys, and anything longer is dropped.
//! 3. ESC and a key are two keys, unless that key is bound with alt.
//! 4. After a pause the rest of a string or paste is still recognized by its end mark.

use super::sequences::{self, ControlSequence};
use crate::keys::{KeyChord, KeyCode};
use crate::update::MouseInput;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const CTRL_C: u8 = 0x03;
const PASTE_END: &[u8] = b"\x1b[201~";

/// The pause after which ESC was the key, in ms: longer than between two packets of one sequence.
const ESCAPE_PAUSE_MS: u64 = 50;
/// The pause after which a control sequence is not finished any more.
const SEQUENCE_PAUSE_MS: u64 = 100;
/// The pause after which a string or a paste is not finished any more.
const STRING_PAUSE_MS: u64 = 200;
/// The longest parameters that are kept: no sequence with a meaning has more.
const MAX_PARAMETERS: usize = 64;
/// The most bytes of a paste that are kept: more than any field takes.
const MAX_PASTE: usize = 4_096;

/// What a terminal reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputEvent {
    Key(KeyChord),
    /// Pasted text, which is never a command.
    Paste(String),
    Mouse(MouseInput),
    /// The answer to a request for the device's status: everything before it was displayed.
    DeviceReady,
}

/// Turns bytes into events, whatever they are and however they are split.
#[derive(Debug, Default)]
pub struct InputParser {
    state: State,
    /// The keys that are bound with alt.
    alt_keys: Vec<KeyChord>,
    /// A pause has passed in the middle of a string or paste.
    has_paused: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// The first bytes of a character in UTF-8.
    Character(Vec<u8>),
    Escape,
    /// After SS3, with its parameters.
    SingleShift(Introducer, Vec<u8>),
    /// In a control sequence, with its parameters and intermediate bytes.
    Control(Introducer, Vec<u8>),
    /// After `CSI [`: the function keys F1 to F5 of the Linux console.
    LinuxFunctionKey,
    /// After `CSI M`: the bytes of a mouse report in its oldest form.
    LegacyMouse(Vec<u8>),
    /// In an OSC, DCS, SOS, PM or APC string.
    String(StringState),
    Paste(PasteState),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StringState {
    introducer: Introducer,
    is_empty: bool,
    /// The last byte was ESC, with which the end mark begins.
    after_escape: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PasteState {
    text: Vec<u8>,
    /// The last bytes, as many as the end mark has.
    tail: Vec<u8>,
}

/// How a sequence began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Introducer {
    /// ESC and this character, which a person may have typed.
    Escape(char),
    /// A C1 control, which no key sends.
    C1,
}

impl InputParser {
    /// Returns a parser for which ESC and one of `alt_keys` is that key with alt.
    pub fn new(alt_keys: Vec<KeyChord>) -> Self {
        Self { alt_keys, ..Self::default() }
    }

    /// Takes bytes that were read at once.
    pub fn advance(&mut self, bytes: &[u8]) -> Vec<InputEvent> {
        let mut events = Vec::new();
        if std::mem::take(&mut self.has_paused) {
            self.resume(bytes);
        }
        for &byte in bytes {
            self.advance_byte(byte, &mut events);
        }
        events
    }

    /// Returns how long to wait for more bytes, in ms, before [`Self::pause`]; `None` when nothing is
    /// unfinished.
    pub fn pause_ms(&self) -> Option<u64> {
        match &self.state {
            _ if self.has_paused => None,
            State::Ground => None,
            State::Escape => Some(ESCAPE_PAUSE_MS),
            State::SingleShift(_, kept) | State::Control(_, kept) if kept.is_empty() => {
                Some(ESCAPE_PAUSE_MS)
            }
            State::String(string) if string.is_empty => Some(ESCAPE_PAUSE_MS),
            State::String(_) | State::Paste(_) => Some(STRING_PAUSE_MS),
            _ => Some(SEQUENCE_PAUSE_MS),
        }
    }

    /// Ends what is unfinished, after no byte came for [`Self::pause_ms`].
    pub fn pause(&mut self) -> Vec<InputEvent> {
        let mut events = Vec::new();
        match std::mem::take(&mut self.state) {
            State::Escape => events.push(key(KeyCode::Esc)),
            State::SingleShift(Introducer::Escape(c), kept)
            | State::Control(Introducer::Escape(c), kept)
                if kept.is_empty() =>
            {
                events.extend([key(KeyCode::Esc), key(KeyCode::Char(c))]);
            }
            State::String(StringState {
                introducer: Introducer::Escape(c),
                is_empty: true,
                ..
            }) => {
                events.extend([key(KeyCode::Esc), key(KeyCode::Char(c))]);
            }
            State::String(string) => {
                self.state = State::String(string);
                self.has_paused = true;
            }
            State::Paste(paste) => self.pause_paste(paste, &mut events),
            _ => {}
        }
        events
    }

    /// Returns what was pasted so far. A ctrl-c at its end was pressed: what is pasted has its end
    /// mark behind it.
    fn pause_paste(&mut self, mut paste: PasteState, events: &mut Vec<InputEvent>) {
        let is_interrupted = paste.tail.last() == Some(&CTRL_C);
        paste.push_text_to(events);
        if is_interrupted {
            events.push(control(CTRL_C));
        } else {
            self.state = State::Paste(PasteState::default());
            self.has_paused = true;
        }
    }

    /// Decides after a pause in a string or paste whether these bytes belong to it. They do when they
    /// have its end mark; of a paste also when they are more than one key.
    fn resume(&mut self, bytes: &[u8]) {
        let has = |mark: &[u8]| bytes.windows(mark.len()).any(|part| part == mark);
        let continues = match &self.state {
            State::String(string) => {
                has(&[BEL]) || has(b"\x1b\\") || string.after_escape && bytes.starts_with(b"\\")
            }
            State::Paste(_) => has(PASTE_END) || !is_one_key(bytes),
            _ => false,
        };
        if !continues {
            self.state = State::Ground;
        }
    }

    fn advance_byte(&mut self, byte: u8, events: &mut Vec<InputEvent>) {
        match std::mem::take(&mut self.state) {
            State::Ground => self.begin(byte, events),
            State::Character(mut bytes) => {
                if byte & 0xc0 == 0x80 {
                    bytes.push(byte);
                    self.decode(bytes, events);
                } else {
                    self.begin(byte, events);
                }
            }
            State::Escape => self.escape(byte, events),
            State::SingleShift(introducer, kept) => {
                self.single_shift(introducer, kept, byte, events);
            }
            State::Control(introducer, kept) => self.control(introducer, kept, byte, events),
            State::LinuxFunctionKey => match byte {
                b'A'..=b'E' => events.push(key(KeyCode::F(byte - b'A' + 1))),
                0x20..=0x7e => {}
                _ => self.begin(byte, events),
            },
            State::LegacyMouse(bytes) => self.legacy_mouse(bytes, byte, events),
            State::String(string) => self.string(string, byte, events),
            State::Paste(paste) => self.paste(paste, byte, events),
        }
    }

    /// Takes a byte outside of any sequence.
    fn begin(&mut self, byte: u8, events: &mut Vec<InputEvent>) {
        match byte {
            ESC => self.state = State::Escape,
            0x00..=0x1f | 0x7f => events.push(control(byte)),
            0x20..=0x7e => events.push(key(KeyCode::Char(char::from(byte)))),
            // Not UTF-8: a C1 control, or nothing.
            0x80..=0x9f => self.begin_c1(byte),
            0xc2..=0xf4 => self.state = State::Character(vec![byte]),
            0xa0..=0xc1 | 0xf5.. => {}
        }
    }

    fn begin_c1(&mut self, byte: u8) {
        self.introduce(byte - 0x40, Introducer::C1);
    }

    /// Begins the sequence whose C1 control is ESC and this byte. Returns whether there is one.
    fn introduce(&mut self, byte: u8, introducer: Introducer) -> bool {
        self.state = match byte {
            b'[' => State::Control(introducer, Vec::new()),
            b'O' => State::SingleShift(introducer, Vec::new()),
            b']' | b'P' | b'X' | b'^' | b'_' => {
                State::String(StringState { introducer, is_empty: true, after_escape: false })
            }
            _ => return false,
        };
        true
    }

    fn decode(&mut self, bytes: Vec<u8>, events: &mut Vec<InputEvent>) {
        match std::str::from_utf8(&bytes) {
            Ok(text) => match text.chars().next() {
                Some(c @ '\u{80}'..='\u{9f}') => self.begin_c1(c as u8),
                Some(c) => events.push(key(KeyCode::Char(c))),
                None => {}
            },
            Err(error) if error.error_len().is_none() => self.state = State::Character(bytes),
            Err(_) => {}
        }
    }

    fn escape(&mut self, byte: u8, events: &mut Vec<InputEvent>) {
        let alt = KeyChord { alt: true, ..chord_of(byte) };
        if byte != ESC && self.alt_keys.contains(&alt) {
            events.push(InputEvent::Key(alt));
        } else if !self.introduce(byte, Introducer::Escape(char::from(byte))) {
            events.push(key(KeyCode::Esc));
            self.begin(byte, events);
        }
    }

    fn single_shift(
        &mut self,
        introducer: Introducer,
        mut kept: Vec<u8>,
        byte: u8,
        events: &mut Vec<InputEvent>,
    ) {
        match byte {
            b'0'..=b'9' | b';' if kept.len() < MAX_PARAMETERS => {
                kept.push(byte);
                self.state = State::SingleShift(introducer, kept);
            }
            0x20..=0x7e => events.extend(sequences::single_shift(&kept, byte).map(InputEvent::Key)),
            _ => self.begin(byte, events),
        }
    }

    fn control(
        &mut self,
        introducer: Introducer,
        mut kept: Vec<u8>,
        byte: u8,
        events: &mut Vec<InputEvent>,
    ) {
        match byte {
            0x20..=0x3f => {
                // One more than is kept: then it has no meaning, but still an end.
                if kept.len() <= MAX_PARAMETERS {
                    kept.push(byte);
                }
                self.state = State::Control(introducer, kept);
            }
            b'[' if kept.is_empty() => self.state = State::LinuxFunctionKey,
            b'M' if kept.is_empty() => self.state = State::LegacyMouse(Vec::new()),
            b'~' if kept == b"200" => self.state = State::Paste(PasteState::default()),
            0x40..=0x7e if kept.len() <= MAX_PARAMETERS => {
                events.extend(sequences::control(ControlSequence { kept: &kept, last: byte }));
            }
            0x40..=0x7e => {}
            _ => self.begin(byte, events),
        }
    }

    fn legacy_mouse(&mut self, mut bytes: Vec<u8>, byte: u8, events: &mut Vec<InputEvent>) {
        if byte < 0x20 {
            return self.begin(byte, events);
        }
        bytes.push(byte);
        match bytes[..] {
            [button, column, row] => {
                let at = |byte: u8| u16::from(byte.saturating_sub(0x21));
                let input = sequences::mouse(button - 0x20, at(column), at(row));
                events.extend(input.map(InputEvent::Mouse));
            }
            _ => self.state = State::LegacyMouse(bytes),
        }
    }

    /// Takes a byte of a string, of which nothing is kept. It may have format effectors (BS to CR)
    /// and, as a title, any characters.
    fn string(&mut self, mut string: StringState, byte: u8, events: &mut Vec<InputEvent>) {
        match byte {
            b'\\' if string.after_escape => {}
            _ if string.after_escape && byte != ESC => {
                self.state = State::Escape;
                self.advance_byte(byte, events);
            }
            BEL => {}
            0x9c if string.introducer == Introducer::C1 => {}
            ESC => self.state = State::String(StringState { after_escape: true, ..string }),
            0x08..=0x0d | 0x20.. => {
                string.is_empty = false;
                self.state = State::String(string);
            }
            _ => self.begin(byte, events),
        }
    }

    fn paste(&mut self, mut paste: PasteState, byte: u8, events: &mut Vec<InputEvent>) {
        paste.push(byte);
        if paste.tail == PASTE_END {
            paste.push_text_to(events);
        } else {
            self.state = State::Paste(paste);
        }
    }
}

impl PasteState {
    fn push(&mut self, byte: u8) {
        if self.tail.len() == PASTE_END.len() {
            let oldest = self.tail.remove(0);
            if self.text.len() < MAX_PASTE {
                self.text.push(oldest);
            }
        }
        self.tail.push(byte);
    }

    /// Adds the event of what was pasted, without the end mark; none when that is nothing.
    fn push_text_to(&mut self, events: &mut Vec<InputEvent>) {
        if self.tail != PASTE_END {
            self.text.append(&mut self.tail);
        }
        if !self.text.is_empty() {
            let text = String::from_utf8_lossy(&self.text).into_owned();
            events.push(InputEvent::Paste(text));
        }
    }
}

/// Returns whether a person sent these bytes by pressing one key.
fn is_one_key(bytes: &[u8]) -> bool {
    let mut parser = InputParser::default();
    let mut events = parser.advance(bytes);
    events.extend(parser.pause());
    matches!(events[..], [InputEvent::Key(_)])
}

fn key(code: KeyCode) -> InputEvent {
    InputEvent::Key(KeyChord { code, ctrl: false, alt: false })
}

fn control(byte: u8) -> InputEvent {
    InputEvent::Key(chord_of(byte))
}

/// Returns the key that sends an ASCII byte.
fn chord_of(byte: u8) -> KeyChord {
    let (code, ctrl) = match byte {
        b'\r' => (KeyCode::Enter, false),
        b'\t' => (KeyCode::Tab, false),
        0x7f => (KeyCode::Backspace, false),
        ESC => (KeyCode::Esc, false),
        0x00 => (KeyCode::Char(' '), true),
        0x01..=0x1a => (KeyCode::Char(char::from(byte + 0x60)), true),
        0x1c..=0x1f => (KeyCode::Char(char::from(byte + 0x40)), true),
        _ => (KeyCode::Char(char::from(byte)), false),
    };
    KeyChord { code, ctrl, alt: false }
}
