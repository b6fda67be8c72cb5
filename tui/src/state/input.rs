//! A line of text being typed.

use crossterm::event::KeyCode;

use crate::keys::Chord;
use crate::look::clean;

/// Longest line, in bytes: a kill's reason.
const MOST_BYTES: usize = 512;

/// Text and a cursor in it, at a character boundary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Input {
    text: String,
    cursor: usize,
}

impl Input {
    pub(crate) fn with(text: &str) -> Self {
        Self { text: text.to_owned(), cursor: text.len() }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text before the cursor.
    pub(crate) fn before(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// Types or edits. Returns whether the key meant anything here.
    pub(crate) fn key(&mut self, chord: Chord) -> bool {
        if let Some(c) = chord.typed() {
            self.insert(&c.to_string());
            return true;
        }
        match (chord.code, chord.ctrl) {
            (KeyCode::Backspace, _) | (KeyCode::Char('h'), true) => self.erase_back(),
            (KeyCode::Delete, _) => self.erase_ahead(),
            (KeyCode::Left, _) => self.cursor = self.previous(),
            (KeyCode::Right, _) => self.cursor = self.next(),
            (KeyCode::Home, _) | (KeyCode::Char('a'), true) => self.cursor = 0,
            (KeyCode::End, _) | (KeyCode::Char('e'), true) => self.cursor = self.text.len(),
            (KeyCode::Char('u'), true) => {
                self.text.drain(..self.cursor);
                self.cursor = 0;
            }
            (KeyCode::Char('w'), true) => self.erase_word(),
            _ => return false,
        }
        true
    }

    /// Puts text at the cursor, as far as there is room; on one line and clean.
    pub(crate) fn insert(&mut self, text: &str) {
        let clean = clean(text);
        for c in clean.chars() {
            if self.text.len() + c.len_utf8() > MOST_BYTES {
                return;
            }
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
    }

    fn previous(&self) -> usize {
        self.before().char_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn next(&self) -> usize {
        let ahead = self.text[self.cursor..].chars().next().map_or(0, char::len_utf8);
        self.cursor + ahead
    }

    fn erase_back(&mut self) {
        let from = self.previous();
        self.text.drain(from..self.cursor);
        self.cursor = from;
    }

    fn erase_ahead(&mut self) {
        let to = self.next();
        self.text.drain(self.cursor..to);
    }

    fn erase_word(&mut self) {
        let kept = self.before().trim_end();
        let from = kept.rfind(' ').map_or(0, |space| space + 1);
        self.text.drain(from..self.cursor);
        self.cursor = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> Input {
        let mut input = Input::default();
        for key in keys.split(' ') {
            input.key(key.parse().unwrap());
        }
        input
    }

    #[test]
    fn editing_stays_on_character_boundaries() {
        assert_eq!(typed("ä b Left Backspace c").text(), "cb");
        assert_eq!(typed("a b Home Del").text(), "b");
        assert_eq!(typed("a Space b ctrl-w").text(), "a ");
        assert_eq!(typed("a b ctrl-u c").text(), "c");
    }

    #[test]
    fn pasted_text_is_clean_and_bounded() {
        let mut input = Input::default();
        input.insert("stop\n\u{1b}[2Jnow");
        assert_eq!(input.text(), "stop[2Jnow");
        input.insert(&"x".repeat(5_000));
        assert_eq!(input.text().len(), MOST_BYTES);
    }
}
