//! Patterns of texts, which ignore the case of ASCII letters.

/// A pattern of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TextPattern {
    /// A substring.
    Part(String),
    /// The whole text.
    Whole(String),
    /// The whole text, with `*` for any characters and `?` for one.
    Glob(Vec<char>),
}

impl TextPattern {
    /// Returns the pattern of `:` and of bare words: a glob if there are wildcards, else a substring.
    pub(super) fn loose(text: &str) -> Self {
        if text.contains(['*', '?']) { Self::glob(text) } else { Self::Part(text.into()) }
    }

    /// Returns the pattern of `=`: a glob if there are wildcards, else the whole text.
    pub(super) fn whole(text: &str) -> Self {
        if text.contains(['*', '?']) { Self::glob(text) } else { Self::Whole(text.into()) }
    }

    fn glob(text: &str) -> Self {
        Self::Glob(text.chars().collect())
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Part(part) => {
                let windows = text.as_bytes().windows(part.len().max(1));
                part.is_empty() || { windows }
                    .any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
            }
            Self::Whole(whole) => text.eq_ignore_ascii_case(whole),
            Self::Glob(glob) => glob_matches(glob, text),
        }
    }
}

/// Matches a glob, and backtracks to the last `*` only, so that no match takes more steps than the
/// product of both lengths.
fn glob_matches(glob: &[char], text: &str) -> bool {
    let mut rest = text.chars();
    let mut at = 0;
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        let before = rest.clone();
        match (glob.get(at), rest.next()) {
            (Some('*'), _) => {
                at += 1;
                rest = before;
                retry = Some((at, rest.clone()));
            }
            (None, None) => return true,
            (Some(wanted), Some(c)) if *wanted == '?' || wanted.eq_ignore_ascii_case(&c) => at += 1,
            _ => {
                // The last `*` takes one character more, if there is one.
                let Some((after_star, from)) = &mut retry else { return false };
                if from.next().is_none() {
                    return false;
                }
                at = *after_star;
                rest = from.clone();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs_match_the_whole_text() {
        let matches = |glob: &str, text| TextPattern::loose(glob).matches(text);
        assert!(matches("m3*", "m3-gpu-01") && matches("*", "") && matches("*gpu*", "M3-GPU-01"));
        assert!(matches("a*b*c", "axxbxbc") && matches("m?", "mé") && matches("**x", "xx"));
        assert!(!matches("m3*", "am3") && !matches("m?", "m") && !matches("a*b", "abc"));
        assert!(!matches("?", "") && !matches("*a?", "a"));
    }

    #[test]
    fn without_wild_cards_a_part_is_enough_or_all_is_needed() {
        assert!(TextPattern::loose("GPU").matches("m3-gpu-01"));
        assert!(!TextPattern::loose("gpu").matches("gp"));
        assert!(
            TextPattern::whole("GPU").matches("gpu") && !TextPattern::whole("gpu").matches("gpu1")
        );
    }

    /// Matches by the definition of a glob.
    fn reference_match(glob: &[char], text: &[char]) -> bool {
        match glob.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|at| reference_match(rest, &text[at..])),
            Some(('?', rest)) => !text.is_empty() && reference_match(rest, &text[1..]),
            Some((c, rest)) => text.first() == Some(c) && reference_match(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn globs_agree_with_their_definition(glob in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let glob: Vec<char> = glob.chars().collect();
            let letters: Vec<char> = text.chars().collect();
            prop_assert_eq!(glob_matches(&glob, &text), reference_match(&glob, &letters));
        }
    }
}
