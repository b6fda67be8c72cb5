//! Text that fits its cell, and that no agent can use to drive a terminal.
//!
//! What agents say was scrubbed when it was decoded. It is filtered once more here, because this is
//! the last place before the terminal.

use std::borrow::Cow;

use heartline_vocabulary::text::is_hostile;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// On which side a cell's text is padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Returns the text without hostile characters and those that take no column.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|&c| !is_unprintable(c)).collect())
}

/// Returns whether a character is hostile, or takes no column: then cells would not have their width.
pub(crate) fn is_unprintable(c: char) -> bool {
    is_hostile(c) || c.width() == Some(0)
}

/// Columns that the text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text, clean, in exactly `columns`: cut with `more` at its end, or padded.
pub(crate) fn fit(text: &str, columns: usize, align: Align, more: &str) -> String {
    let text = clean(text);
    let taken = width(&text);
    if taken <= columns {
        let pad = " ".repeat(columns - taken);
        return match align {
            Align::Left => format!("{text}{pad}"),
            Align::Right => format!("{pad}{text}"),
        };
    }
    let room = columns.saturating_sub(width(more));
    let mut cut = String::with_capacity(columns);
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > room {
            break;
        }
        cut.push(c);
        used += wide;
    }
    if columns > 0 {
        cut.push_str(more);
        used += width(more);
    }
    cut.extend(std::iter::repeat_n(' ', columns.saturating_sub(used)));
    cut
}

/// The text, clean, broken between words into lines of at most `columns`; at least one.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in clean(text).split_whitespace() {
        let last = lines.last_mut().expect("there is always a line");
        if !last.is_empty() && width(last) + 1 + width(word) > columns {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_loses_what_drives_a_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\u{202e}c\u{200b}\u{7f}\n"), "a[31mbc");
        assert_eq!(clean("\u{ad}d\u{2028}\u{3164}e\u{301}\u{e0041}"), "de");
        assert!(matches!(clean("plain-name"), Cow::Borrowed(_)));
    }

    #[test]
    fn cells_have_their_width_whatever_is_in_them() {
        for text in ["", "abc", "abcdefghijkl", "日本語のエージェント", "e\u{301}"] {
            for columns in 0..12 {
                assert_eq!(width(&fit(text, columns, Align::Left, "…")), columns, "{text:?}");
                assert_eq!(width(&fit(text, columns, Align::Right, "…")), columns, "{text:?}");
            }
        }
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrap("a bc  def g", 4), ["a bc", "def", "g"]);
        assert_eq!(wrap("abcdefgh i", 4), ["abcdefgh", "i"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn numbers_stand_right_and_cut_text_says_so() {
        assert_eq!(fit("3s", 5, Align::Right, "…"), "   3s");
        assert_eq!(fit("report-generator", 8, Align::Left, "…"), "report-…");
    }
}
