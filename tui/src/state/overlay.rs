//! What is drawn above a screen and takes the keys: help, palette, pickers, the filter line, and
//! the kill and resume dialogs.
//!
//! 1. A dialog's targets are fixed by id when it opens. The focus starts on Cancel, and Enter in a
//!    text field only goes to the next field.
//! 2. What must be typed to confirm a kill grows with its scope: a name, `kill N`,
//!    `kill all on HOST`.
//! 3. Kill is disabled until that is typed and a reason is given.

use std::collections::BTreeSet;

use heartline_operator::message::AgentEntry;
use heartline_operator::{FilterError, FleetMirror};
use heartline_vocabulary::Action;

use super::AppState;
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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DialogFocus {
    #[default]
    Cancel,
    Reason,
    /// The field for the confirmation phrase.
    Phrase,
    Confirm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FocusDirection {
    Next,
    Previous,
}

/// A dialog that asks before a kill or resume is sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ConfirmDialog {
    pub action: Action,
    /// The agents as they were when the dialog opened.
    pub targets: Vec<AgentEntry>,
    /// How many of the last targets are marked, but hidden by the list's filter.
    pub hidden: usize,
    /// What must be typed to confirm a kill.
    pub phrase: String,
    pub opened_at_ms: i64,
    pub reason: TextInput,
    pub typed: TextInput,
    pub focus: DialogFocus,
    /// First target on the screen.
    pub scroll: usize,
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

impl ConfirmDialog {
    /// Opens a dialog on agents, of which the last `hidden` are hidden by the list's filter.
    pub(crate) fn new(
        action: Action,
        targets: Vec<AgentEntry>,
        hidden: usize,
        fleet: &FleetMirror,
        opened_at_ms: i64,
    ) -> Self {
        Self {
            action,
            phrase: confirmation_phrase(&targets, fleet),
            targets,
            hidden,
            opened_at_ms,
            reason: TextInput::default(),
            typed: TextInput::default(),
            focus: DialogFocus::default(),
            scroll: 0,
        }
    }

    /// Returns whether the phrase was typed exactly.
    pub(crate) fn is_phrase_typed(&self) -> bool {
        self.typed.text().trim() == self.phrase
    }

    /// Returns whether the dialog can be confirmed: a resume at once, a kill once both fields are
    /// filled in.
    pub(crate) fn is_ready(&self) -> bool {
        let has_reason = !self.reason.text().trim().is_empty();
        self.action == Action::Resume || (self.is_phrase_typed() && has_reason)
    }

    /// Returns the text field that has the focus.
    pub(crate) fn focused_field(&mut self) -> Option<&mut TextInput> {
        match self.focus {
            DialogFocus::Reason => Some(&mut self.reason),
            DialogFocus::Phrase => Some(&mut self.typed),
            DialogFocus::Cancel | DialogFocus::Confirm => None,
        }
    }

    /// Moves the focus in a circle, past a disabled confirm button.
    pub(crate) fn move_focus(&mut self, direction: FocusDirection) {
        use DialogFocus::{Cancel, Confirm, Phrase, Reason};
        let order: &[DialogFocus] = match (self.action, self.is_ready()) {
            (Action::Resume, _) => &[Cancel, Confirm],
            (Action::Kill, true) => &[Reason, Phrase, Cancel, Confirm],
            (Action::Kill, false) => &[Reason, Phrase, Cancel],
        };
        let at = order.iter().position(|focus| *focus == self.focus).unwrap_or(0);
        self.focus = match direction {
            FocusDirection::Next => order[(at + 1) % order.len()],
            FocusDirection::Previous => order[(at + order.len() - 1) % order.len()],
        };
    }
}

fn confirmation_phrase(targets: &[AgentEntry], fleet: &FleetMirror) -> String {
    match targets {
        [only] => only.agent.clone(),
        _ => whole_host(targets, fleet).map_or_else(
            || format!("kill {}", targets.len()),
            |host| format!("kill all on {host}"),
        ),
    }
}

/// Returns the host, if the targets are all agents on it and no others.
fn whole_host<'a>(targets: &'a [AgentEntry], fleet: &FleetMirror) -> Option<&'a str> {
    let host = host_of(targets.first()?)?;
    let ids: BTreeSet<&str> = targets.iter().map(|target| target.agent.as_str()).collect();
    let mut on_host = fleet.entries().filter(|entry| host_of(entry) == Some(host));
    let is_whole = targets.iter().all(|target| host_of(target) == Some(host))
        && on_host.all(|entry| ids.contains(entry.agent.as_str()));
    is_whole.then_some(host)
}

/// Returns the host of an agent, if it is known.
pub(crate) fn host_of(entry: &AgentEntry) -> Option<&str> {
    entry.identity.shared.host.as_deref()
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
