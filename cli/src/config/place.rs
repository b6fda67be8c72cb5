//! Where in a text something is.

use std::ops::Range;
use std::path::Path;

/// `file:line:column: message`, as editors and compilers have it. `span` is in bytes.
pub(super) fn complaint(
    path: &Path,
    text: &str,
    span: Option<Range<usize>>,
    message: &str,
) -> String {
    let at = span.map_or(0, |span| span.start).min(text.len());
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before[line_start..].chars().count() + 1;
    let message = message.trim().replace('\n', "; ");
    format!("{}:{line}:{column}: {message}", path.display())
}

/// Where a key of a section is written.
pub(super) fn key_span(text: &str, section: &str, key: &str) -> Option<Range<usize>> {
    let header = format!("[{section}]");
    let mut in_section = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if trimmed.starts_with('[') {
            in_section = trimmed.starts_with(&header);
        } else if in_section
            && let Some((name, _)) = trimmed.split_once('=')
            && name.trim().trim_matches(['"', '\'']) == key
        {
            let indent = line.len() - line.trim_start().len();
            return Some(at + indent..at + line.len());
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_lines_and_characters_from_one() {
        let text = "a = 1\n# ü\nü = 2\n";
        let at = text.rfind('2').unwrap();
        let said = complaint(Path::new("f.toml"), text, Some(at..at + 1), "no\nnumber");
        assert_eq!(said, "f.toml:3:5: no; number");
        assert_eq!(complaint(Path::new("f"), "", Some(9..10), "x"), "f:1:1: x");
    }

    #[test]
    fn keys_are_found_in_their_own_section() {
        let text = "[tui]\nkill = 1\n[keys]\n  kill = \"X\"\n";
        assert_eq!(key_span(text, "keys", "kill").map(|span| span.start), Some(24));
        assert_eq!(key_span(text, "keys", "quit"), None);
    }
}
