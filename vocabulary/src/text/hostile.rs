//! Characters by which text of others could drive a terminal, or forge a line of a log.

/// Returns whether a character may change how the text around it is shown: control characters, line
/// and paragraph separators, bidirectional marks, zero-width and other invisible format characters.
/// None of them is in a scrubbed text.
pub fn is_hostile(c: char) -> bool {
    c.is_control() || is_joining(c) || is_deceptive(c)
}

/// Returns the characters of a text without joiners and variation selectors, each other hostile one
/// replaced by U+FFFD.
///
/// Both tables are those of the protocol's specification, `protocol/SPEC.md`, section 8.
pub fn scrub(text: &str) -> impl Iterator<Item = char> {
    let kept = text.chars().filter(|&c| !is_joining(c));
    kept.map(|c| if is_hostile(c) { '\u{FFFD}' } else { c })
}

/// Returns whether a character only picks a form of its neighbours: joiners and variation selectors.
/// A text reads as it was meant without them, and terminals disagree on the width that they leave.
fn is_joining(c: char) -> bool {
    matches!(c,
        '\u{034F}' | '\u{180B}'..='\u{180D}' | '\u{180F}' | '\u{200C}' | '\u{200D}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Returns whether an invisible character, which is no control character, may hide or reorder text.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180E}'
        | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E00FF}'
        | '\u{E01F0}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the ranges of code points in a fenced block of section 8, the first or the second.
    fn table_of_specification(number: usize) -> Vec<std::ops::RangeInclusive<u32>> {
        let specification = include_str!("../../../protocol/SPEC.md");
        let section = specification.split("\n## ").find(|it| it.starts_with("8 ")).unwrap();
        let table = section.split("```").nth(2 * number - 1).unwrap();
        let code_point = |hex: &str| u32::from_str_radix(hex, 16).unwrap();
        let range = |item: &str| {
            let item = item.strip_prefix("U+").unwrap();
            let (first, last) = item.split_once('–').unwrap_or((item, item));
            code_point(first)..=code_point(last)
        };
        table.split_whitespace().map(range).collect()
    }

    #[test]
    fn the_tables_are_those_of_the_specification() {
        let (dropped, replaced) = (table_of_specification(1), table_of_specification(2));
        assert_eq!((dropped.len(), replaced.len()), (6, 19));
        for c in '\0'..=char::MAX {
            let is_in = |table: &[std::ops::RangeInclusive<u32>]| {
                table.iter().any(|range| range.contains(&u32::from(c)))
            };
            let expected = match (is_in(&dropped), is_in(&replaced)) {
                (true, false) => None,
                (false, true) => Some('\u{FFFD}'),
                (false, false) => Some(c),
                (true, true) => panic!("{c:?} is in both tables"),
            };
            let scrubbed: Vec<_> = scrub(c.encode_utf8(&mut [0; 4])).collect();
            assert_eq!(scrubbed, Vec::from_iter(expected), "{c:?}");
            assert_eq!(is_hostile(c), expected != Some(c), "{c:?}");
        }
    }

    #[test]
    fn emoji_read_as_they_were_meant() {
        let scrubbed = |text| scrub(text).collect::<String>();
        assert_eq!(scrubbed("\u{2699}\u{fe0f} build"), "\u{2699} build");
        assert_eq!(scrubbed("\u{1f469}\u{200d}\u{1f4bb}"), "\u{1f469}\u{1f4bb}");
        assert_eq!(scrubbed("\u{200d}\u{fe0f}\u{e0100}"), "");
    }

    #[test]
    fn scrubbed_text_keeps_its_letters() {
        let text: String =
            scrub("a\u{1b}[2Jb\u{202e}\u{ad}\u{2028}\u{e0041} é\u{301} 日本").collect();
        assert_eq!(text, "a�[2Jb���� é\u{301} 日本");
        assert!(scrub(&text).eq(text.chars()));
    }
}
