//! Patterns of texts, which ignore the case of ASCII letters.

use heartline_vocabulary::text::glob_matches;

/// A pattern of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TextPattern {
    /// A substring.
    Part(String),
    /// The whole text.
    Whole(String),
    /// The whole text, with `*` for any characters and `?` for one.
    Glob(String),
}

impl TextPattern {
    /// Returns the pattern of `:` and of bare words: a glob if there are wildcards, else a substring.
    pub(super) fn loose(text: &str) -> Self {
        if has_wildcards(text) { Self::Glob(text.into()) } else { Self::Part(text.into()) }
    }

    /// Returns the pattern of `=`: a glob if there are wildcards, else the whole text.
    pub(super) fn whole(text: &str) -> Self {
        if has_wildcards(text) { Self::Glob(text.into()) } else { Self::Whole(text.into()) }
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

fn has_wildcards(text: &str) -> bool {
    text.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_the_whole_text() {
        for glob in [TextPattern::loose("*GPU*"), TextPattern::whole("m3-gpu-0?")] {
            assert!(glob.matches("m3-gpu-01") && !glob.matches("m3-gpx-01"));
        }
        assert!(!TextPattern::loose("gpu*").matches("m3-gpu-01"));
    }

    #[test]
    fn without_wild_cards_a_part_is_enough_or_all_is_needed() {
        assert!(TextPattern::loose("GPU").matches("m3-gpu-01"));
        assert!(!TextPattern::loose("gpu").matches("gp"));
        assert!(
            TextPattern::whole("GPU").matches("gpu") && !TextPattern::whole("gpu").matches("gpu1")
        );
    }
}
