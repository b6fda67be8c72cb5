//! What is drawn above a screen and takes the keys: help, palette, pickers, the filter line, and
//! dialogs.

use heartline_operator::FilterError;
use heartline_vocabulary::IncidentId;

use super::AppState;
use super::collector_view::CollectorView;
use super::confirm_dialog::ConfirmDialog;
use super::fleet_list::SelectedRow;
use crate::columns::FleetColumn;
use crate::commands::{AppCommand, CommandSpec, REGISTRY};
use crate::keys::{KeyChord, KeyCode};
use crate::text::{strip_unsafe, width};

/// The longest line, in bytes: a kill's reason.
const MAX_BYTES: usize = 512;

#[derive(Debug)]
pub(crate) enum Overlay {
    Help { scroll: usize },
    Palette(CommandPalette),
    Filter(FilterEditor),
    Picker(ColumnPicker),
    Dialog(Box<ConfirmDialog>),
    Prompt(Prompt),
    Collector(CollectorView),
}

/// A line to type, with what is said of it below.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub purpose: PromptPurpose,
    pub input: TextInput,
    pub answer: PromptAnswer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PromptPurpose {
    /// A time to go to.
    GoTo,
    /// A note on the outage of this number.
    Note { outage: i64, acknowledges: bool },
    /// Whether to acknowledge an incident. Nothing is typed.
    Acknowledge { incident: IncidentId, scope: String },
}

/// What is said of a typed line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum PromptAnswer {
    #[default]
    Empty,
    /// What it means.
    Meaning(String),
    /// Why it means nothing, or can't be done.
    Refusal(String),
}

/// An editable line, and a cursor in it at a character boundary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TextInput {
    text: String,
    cursor: usize,
}

/// The part of a text that is shown while it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VisibleInput<'a> {
    pub text: &'a str,
    /// Column of the cursor in it.
    pub cursor: u16,
    /// Columns that are left out in front of it.
    pub skipped: u16,
}

/// A search for commands by name.
#[derive(Debug, Default)]
pub(crate) struct CommandPalette {
    pub input: TextInput,
    /// Row of the selected command.
    pub at: usize,
}

/// The filter line while it is typed.
#[derive(Debug)]
pub(crate) struct FilterEditor {
    pub input: TextInput,
    /// The filter that Esc restores.
    pub previous: String,
    /// The selection that Esc restores.
    pub cursor: Option<SelectedRow>,
    pub error: Option<FilterError>,
}

/// A list of all columns to choose from.
#[derive(Debug)]
pub(crate) struct ColumnPicker {
    pub purpose: PickerPurpose,
    /// Row of the selected column.
    pub at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PickerPurpose {
    SortOrder,
    Visibility,
}

impl CommandPalette {
    /// Returns the commands of a screen whose name has all the typed letters in their order, or
    /// whose help has the typed text.
    pub(crate) fn matches(&self, state: &AppState) -> Vec<&'static CommandSpec> {
        let context = state.screen_context();
        let typed = self.input.text().trim().to_lowercase();
        let matches = |spec: &&CommandSpec| {
            spec.in_palette
                && spec.contexts.contains(&context)
                && spec.command != AppCommand::Palette
                && state.offers(spec.command)
                && (is_subsequence(&typed, spec.name) || spec.help.to_lowercase().contains(&typed))
        };
        let mut found: Vec<&'static CommandSpec> = REGISTRY.iter().filter(matches).collect();
        found.sort_by_key(|spec| !spec.name.starts_with(&typed));
        found
    }
}

fn is_subsequence(letters: &str, text: &str) -> bool {
    let mut rest = text.chars();
    letters.chars().all(|letter| rest.any(|c| c == letter))
}

impl ColumnPicker {
    pub(crate) fn selected(&self) -> FleetColumn {
        FleetColumn::ALL[self.at.min(FleetColumn::ALL.len() - 1)]
    }
}

impl TextInput {
    pub(crate) fn from_text(text: &str) -> Self {
        Self { text: text.to_owned(), cursor: text.len() }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the text before the cursor.
    pub(crate) fn before_cursor(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// Returns the part of the text that `columns` show with the cursor in it.
    pub(crate) fn visible_part(&self, columns: u16) -> VisibleInput<'_> {
        let columns = usize::from(columns).max(1);
        let mut from = 0;
        // The cursor takes a column, too.
        while width(&self.text[from..self.cursor]) >= columns {
            from += self.text[from..].chars().next().map_or(1, char::len_utf8);
        }
        let count = |n| u16::try_from(n).unwrap_or(u16::MAX);
        VisibleInput {
            text: &self.text[from..],
            cursor: count(width(&self.text[from..self.cursor])),
            skipped: count(width(&self.text[..from])),
        }
    }

    /// Handles a key that types or edits. Returns whether it was one.
    pub(crate) fn handle_key(&mut self, chord: KeyChord) -> bool {
        if let Some(c) = chord.typed_char() {
            self.insert(&c.to_string());
            return true;
        }
        match (chord.code, chord.ctrl) {
            (KeyCode::Backspace, _) | (KeyCode::Char('h'), true) => self.erase_back(),
            (KeyCode::Delete, _) => self.erase_ahead(),
            (KeyCode::Left, _) => self.cursor = self.previous_boundary(),
            (KeyCode::Right, _) => self.cursor = self.next_boundary(),
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

    /// Inserts text at the cursor, without unsafe characters, as far as there is room.
    pub(crate) fn insert(&mut self, text: &str) {
        for c in strip_unsafe(text).chars() {
            if self.text.len() + c.len_utf8() > MAX_BYTES {
                return;
            }
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
    }

    fn previous_boundary(&self) -> usize {
        self.before_cursor().char_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn next_boundary(&self) -> usize {
        let ahead = self.text[self.cursor..].chars().next().map_or(0, char::len_utf8);
        self.cursor + ahead
    }

    fn erase_back(&mut self) {
        let from = self.previous_boundary();
        self.text.drain(from..self.cursor);
        self.cursor = from;
    }

    fn erase_ahead(&mut self) {
        let to = self.next_boundary();
        self.text.drain(self.cursor..to);
    }

    fn erase_word(&mut self) {
        let kept = self.before_cursor().trim_end();
        let from = kept.rfind(' ').map_or(0, |space| space + 1);
        self.text.drain(from..self.cursor);
        self.cursor = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_keys(keys: &str) -> TextInput {
        let mut input = TextInput::default();
        for key in keys.split(' ') {
            input.handle_key(key.parse().unwrap());
        }
        input
    }

    #[test]
    fn editing_stays_on_character_boundaries() {
        assert_eq!(type_keys("ä b Left Backspace c").text(), "cb");
        assert_eq!(type_keys("a b Home Del").text(), "b");
        assert_eq!(type_keys("a Space b ctrl-w").text(), "a ");
        assert_eq!(type_keys("a b ctrl-u c").text(), "c");
    }

    #[test]
    fn the_cursor_stays_in_the_part_that_is_shown() {
        let input = TextInput::from_text("state:degraded 日本");
        let part = input.visible_part(8);
        assert_eq!((part.text, part.cursor, part.skipped), ("ed 日本", 7, 12));
        let part = input.visible_part(40);
        assert_eq!((part.text, part.cursor, part.skipped), ("state:degraded 日本", 19, 0));
        assert_eq!(input.visible_part(0).cursor, 0);
    }

    #[test]
    fn pasted_text_is_stripped_and_bounded() {
        let mut input = TextInput::default();
        input.insert("stop\n\u{1b}[2Jnow");
        assert_eq!(input.text(), "stop[2Jnow");
        input.insert(&"x".repeat(5_000));
        assert_eq!(input.text().len(), MAX_BYTES);
    }
}
