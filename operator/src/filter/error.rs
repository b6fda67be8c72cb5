//! Errors of filters, with their place.

use std::fmt;

/// Most characters of a filter that are repeated in an error.
const SHOWN: usize = 72;

/// A filter that can't be parsed. Displays as the filter, with a caret below the place, and what was
/// expected there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    text: String,
    column: usize,
    message: String,
}

/// An error at a byte offset of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) at: usize,
    pub(super) message: String,
}

impl SyntaxError {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

impl FilterError {
    pub(super) fn new(text: &str, problem: SyntaxError) -> Self {
        let before = text.char_indices().take_while(|(at, _)| *at < problem.at).count();
        // The message repeats words of the filter.
        let mut message = problem.message;
        if message.contains(char::is_control) {
            message = without_controls(message.chars());
        }
        Self { text: text.into(), column: before + 1, message }
    }

    /// Returns its place in characters, from 1. One past the last when something is missing at the end.
    pub fn column(&self) -> usize {
        self.column
    }

    /// Returns what is wrong and what was expected, on one line.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of a long filter only the part around the place is shown.
        let skipped = self.column.saturating_sub(SHOWN / 2);
        let shown = self.text.chars().skip(skipped).take(SHOWN);
        let shown = without_controls(shown);
        let indent = self.column - 1 - skipped;
        write!(f, "{shown}\n{:indent$}^ {}", "", self.message)
    }
}

impl std::error::Error for FilterError {}

/// Replaces each control character by a space, so that an error stays on its lines.
fn without_controls(text: impl Iterator<Item = char>) -> String {
    text.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Returns the candidate that a mistyped word is closest to, if one is close.
pub(super) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word: Vec<char> = word.to_ascii_lowercase().chars().take(32).collect();
    let allowed = if word.len() < 4 { 1 } else { 2 };
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Returns the Levenshtein distance.
fn distance(word: &[char], other: &str) -> usize {
    let mut row: Vec<usize> = (0..=word.len()).collect();
    for (above, c) in other.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (at, w) in word.iter().enumerate() {
            let replaced = diagonal + usize::from(*w != c);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[word.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_below_the_place() {
        let error = FilterError::new("é host:", SyntaxError::new(3, "what"));
        assert_eq!((error.column(), error.to_string()), (3, "é host:\n  ^ what".into()));
    }

    #[test]
    fn of_a_long_filter_the_part_around_the_place_is_shown() {
        let text = format!("{}\nhost%", "a ".repeat(1_000));
        let shown = FilterError::new(&text, SyntaxError::new(2_005, "what")).to_string();
        let (line, caret) = shown.split_once('\n').unwrap();
        assert!(line.chars().count() <= SHOWN);
        assert_eq!(line.as_bytes()[caret.find('^').unwrap()], b'%');
    }

    #[test]
    fn what_the_message_repeats_drives_no_terminal() {
        let error = FilterError::new("a\u{1b}[2J:b", SyntaxError::new(0, "unknown \"a\u{1b}[2J\""));
        assert_eq!(error.message(), "unknown \"a [2J\"");
        assert!(!error.to_string().contains('\u{1b}'));
    }

    #[test]
    fn near_misses_are_found() {
        let fields = ["state", "host", "p95"];
        assert_eq!(closest("stat", fields), Some("state"));
        assert_eq!(closest("STAET", fields), Some("state"));
        assert_eq!(closest("p9", fields), Some("p95"));
        assert_eq!(closest("colour", fields), None);
    }
}
