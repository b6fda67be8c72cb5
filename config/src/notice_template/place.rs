//! Where a character of a string stands in the TOML that it was read from.

use std::ops::Range;

/// Returns the offset in `toml` of the character at `offset` of a string that stands there in `span`, quotes
/// included; `None` where the string is written in a way that is not known here.
pub(crate) fn offset_in_toml(
    toml: &str,
    span: Range<usize>,
    string: &str,
    offset: usize,
) -> Option<usize> {
    let raw = toml.get(span.clone())?;
    let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|it| raw.starts_with(it))?;
    let has_escapes = quotes.starts_with('"');
    let mut rest = raw.strip_prefix(quotes)?.strip_suffix(quotes)?;
    if quotes.len() == 3 {
        let first = ["\r\n", "\n"].into_iter().find(|it| rest.starts_with(it));
        rest = &rest[first.map_or(0, str::len)..];
    }
    let end = span.end - quotes.len();
    let mut decoded = string.get(..offset)?.chars();
    loop {
        if has_escapes && let Some(after) = line_continuation(rest) {
            rest = after;
            continue;
        }
        let Some(expected) = decoded.next() else { return Some(end - rest.len()) };
        let (found, length) = next_char(rest, has_escapes)?;
        let (found, length) = match found {
            // A line end may be read as it stands, or as one character.
            '\r' if expected == '\n' && rest.starts_with("\r\n") => ('\n', 2),
            found => (found, length),
        };
        if found != expected {
            return None;
        }
        rest = &rest[length..];
    }
}

/// Returns what follows a backslash at the end of a line, and the blanks behind it.
fn line_continuation(rest: &str) -> Option<&str> {
    let after = rest.strip_prefix('\\')?;
    let is_at_end = after.trim_start_matches([' ', '\t', '\r']).starts_with('\n');
    is_at_end.then(|| after.trim_start_matches([' ', '\t', '\r', '\n']))
}

/// Returns the next character of the string, and the length of how it is written.
fn next_char(rest: &str, has_escapes: bool) -> Option<(char, usize)> {
    let first = rest.chars().next()?;
    if first != '\\' || !has_escapes {
        return Some((first, first.len_utf8()));
    }
    let code_point = |digits: usize| {
        let value = u32::from_str_radix(rest.get(2..2 + digits)?, 16).ok()?;
        Some((char::from_u32(value)?, 2 + digits))
    };
    match rest.chars().nth(1)? {
        'b' => Some(('\u{8}', 2)),
        't' => Some(('\t', 2)),
        'n' => Some(('\n', 2)),
        'f' => Some(('\u{c}', 2)),
        'r' => Some(('\r', 2)),
        'e' => Some(('\u{1b}', 2)),
        '"' => Some(('"', 2)),
        '\\' => Some(('\\', 2)),
        'x' => code_point(2),
        'u' => code_point(4),
        'U' => code_point(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use toml::Spanned;

    use super::*;

    #[derive(Deserialize)]
    struct Document {
        body: Spanned<String>,
    }

    /// Returns what stands in the TOML where the marked character of its string is written.
    fn found(toml: &str) -> Option<&str> {
        let document: Document = toml::from_str(toml).unwrap();
        let string = document.body.get_ref();
        let offset = string.find('@').unwrap();
        let at = offset_in_toml(toml, document.body.span(), string, offset)?;
        Some(&toml[at..])
    }

    #[test]
    fn every_way_to_write_a_string_is_read_to_the_character() {
        for toml in [
            "body = \"a@b\"",
            "body = 'a\\@b'",
            "body = \"\\u00fc\\U0001F600\\t\\\"\\\\\\n@b\"",
            "body = \"\"\"\n  a ü\n  @b\"\"\"",
            "body = \"\"\"a \\\n    \n  @b\"\"\"",
            "body = \"\"\"\\\n   @b\"\"\"",
            "body = '''\na\n@b'''",
            "body = '''\r\na\r\n@b'''",
            "x = 'ü'\n  body = \"\"\"\r\na\\\r\n  ü @b\"\"\"",
            "body = \"\"\"a \"\" \\\"@b\"\"\"",
        ] {
            let toml = format!("{toml}\nz = 1\n");
            assert!(found(&toml).is_some_and(|it| it.starts_with("@b")), "{toml}");
        }
        // An escaped mark is found at its escape.
        assert!(found("body = \"a\\u0040b\"").unwrap().starts_with("\\u0040b"));
    }

    #[test]
    fn what_does_not_fit_has_no_place() {
        let toml = "body = \"abc\"";
        assert_eq!(offset_in_toml(toml, 7..12, "abd", 3), None);
        assert_eq!(offset_in_toml(toml, 7..12, "abc", 3), Some(11));
        assert_eq!(offset_in_toml(toml, 0..4, "abc", 1), None);
        assert_eq!(offset_in_toml(toml, 7..99, "abc", 1), None);
    }
}
