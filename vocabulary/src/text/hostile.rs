//! Characters by which text of others could drive a terminal, or forge a line of a log.

/// Returns whether a character may change how the text around it is shown: control characters, line
/// and paragraph separators, bidirectional marks, zero-width and other invisible format characters.
///
/// The table is that of the protocol's specification, `protocol/SPEC.md`, section 8.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
            | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Returns the characters of a text, each hostile one replaced by U+FFFD.
pub fn scrub(text: &str) -> impl Iterator<Item = char> {
    text.chars().map(|c| if is_hostile(c) { '\u{FFFD}' } else { c })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the ranges of code points in the fenced block of section 8.
    fn table_of_specification() -> Vec<std::ops::RangeInclusive<u32>> {
        let specification = include_str!("../../../protocol/SPEC.md");
        let section = specification.split("\n## ").find(|it| it.starts_with("8 ")).unwrap();
        let table = section.split("```").nth(1).unwrap();
        let code_point = |hex: &str| u32::from_str_radix(hex, 16).unwrap();
        let range = |item: &str| {
            let item = item.strip_prefix("U+").unwrap();
            let (first, last) = item.split_once('–').unwrap_or((item, item));
            code_point(first)..=code_point(last)
        };
        table.split_whitespace().map(range).collect()
    }

    #[test]
    fn the_table_is_that_of_the_specification() {
        let table = table_of_specification();
        assert_eq!(table.len(), 19);
        for c in '\0'..=char::MAX {
            let expected = table.iter().any(|range| range.contains(&u32::from(c)));
            assert_eq!(is_hostile(c), expected, "{c:?}");
        }
    }

    #[test]
    fn scrubbed_text_keeps_its_letters_and_its_length() {
        let text: String =
            scrub("a\u{1b}[2Jb\u{202e}\u{ad}\u{2028}\u{e0041} é\u{301} 日本").collect();
        assert_eq!(text, "a�[2Jb���� é\u{301} 日本");
        assert!(scrub(&text).eq(text.chars()));
    }
}
