//! Keys with their modifiers, and how they are written: `j`, `ctrl-d`, `shift-Tab`, `g g`.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// A key of the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd)]
pub enum KeyCode {
    Char(char),
    Enter,
    Esc,
    Tab,
    /// Shift and Tab.
    BackTab,
    Backspace,
    Delete,
    Home,
    End,
    PageUp,
    PageDown,
    Up,
    Down,
    Left,
    Right,
    /// F1 to F12.
    F(u8),
}

/// A key with its modifiers. A capital letter is itself, without `shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd)]
pub struct KeyChord {
    pub code: KeyCode,
    pub ctrl: bool,
    pub alt: bool,
}

/// Keys pressed one after the other: one, or two as in `g g`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct KeySequence(pub Vec<KeyChord>);

/// The error of parsing keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseKeyError {
    #[error("a key is expected, such as \"j\", \"ctrl-d\", \"F1\" or \"g g\"")]
    Empty,
    #[error(
        "no key is called {0:?}: write a character, or one of Enter Esc Tab Space Home End PgUp PgDn Up Down Left Right F1 to F12, with ctrl- or alt- in front"
    )]
    Unknown(String),
    #[error("{0:?} has more than two keys in a row")]
    TooLong(String),
}

const NAMED: [(&str, KeyCode); 15] = [
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("shift-Tab", KeyCode::BackTab),
    ("Space", KeyCode::Char(' ')),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("PgUp", KeyCode::PageUp),
    ("PgDn", KeyCode::PageDown),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("Backspace", KeyCode::Backspace),
    ("Del", KeyCode::Delete),
];

impl KeyChord {
    #[cfg(test)]
    pub(crate) fn plain(code: KeyCode) -> Self {
        Self { code, ctrl: false, alt: false }
    }

    /// Returns the character that the key types into a text field.
    pub(crate) fn typed_char(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }
}

impl FromStr for KeyChord {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        let (mut ctrl, mut alt, mut rest) = (false, false, text);
        loop {
            if let Some(after) = rest.strip_prefix("ctrl-").filter(|after| !after.is_empty()) {
                (ctrl, rest) = (true, after);
            } else if let Some(after) = rest.strip_prefix("alt-").filter(|after| !after.is_empty())
            {
                (alt, rest) = (true, after);
            } else {
                break;
            }
        }
        let code = code_named(rest).ok_or_else(|| ParseKeyError::Unknown(text.to_owned()))?;
        Ok(Self { code, ctrl, alt })
    }
}

fn code_named(text: &str) -> Option<KeyCode> {
    let mut chars = text.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        return Some(KeyCode::Char(c)).filter(|_| !c.is_control() && c != ' ');
    }
    if let Some((_, code)) = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Some(*code);
    }
    let number = text.strip_prefix(['F', 'f'])?.parse::<u8>().ok()?;
    (1..=12).contains(&number).then_some(KeyCode::F(number))
}

impl fmt::Display for KeyChord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("ctrl-")?;
        }
        if self.alt {
            f.write_str("alt-")?;
        }
        match (NAMED.iter().find(|(_, code)| *code == self.code), self.code) {
            (Some((name, _)), _) => f.write_str(name),
            (None, KeyCode::Char(c)) => write!(f, "{c}"),
            (None, KeyCode::F(n)) => write!(f, "F{n}"),
            (None, _) => f.write_str("?"),
        }
    }
}

impl FromStr for KeySequence {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        let chords: Vec<KeyChord> =
            text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        match chords.len() {
            0 => Err(ParseKeyError::Empty),
            1 | 2 => Ok(Self(chords)),
            _ => Err(ParseKeyError::TooLong(text.to_owned())),
        }
    }
}

impl TryFrom<String> for KeySequence {
    type Error = ParseKeyError;

    fn try_from(text: String) -> Result<Self, ParseKeyError> {
        text.parse()
    }
}

impl fmt::Display for KeySequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&keys.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_formatted_as_they_are_parsed() {
        for text in
            ["j", "G", "g g", "ctrl-d", "ctrl-\\", "ctrl-Space", "shift-Tab", "F1", "alt-x", "-"]
        {
            let keys: KeySequence = text.parse().unwrap();
            assert_eq!(keys.to_string(), text);
        }
    }

    #[test]
    fn an_unknown_key_is_named_in_the_error() {
        assert_eq!("".parse::<KeySequence>(), Err(ParseKeyError::Empty));
        assert_eq!(
            "hyper-x".parse::<KeySequence>(),
            Err(ParseKeyError::Unknown("hyper-x".to_owned()))
        );
        assert_eq!("a b c".parse::<KeySequence>(), Err(ParseKeyError::TooLong("a b c".to_owned())));
    }
}
