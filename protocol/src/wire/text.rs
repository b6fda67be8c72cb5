//! Free text, which reaches nobody unscrubbed.

/// Free text from the wire. What it holds raw cannot be had: only [`UntrustedText::scrubbed`] leaves, so
/// nothing that an agent says can drive a terminal or forge a line of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UntrustedText<'a>(pub(super) &'a str);

/// Whether a character may change how its surroundings are shown: control characters, line and
/// paragraph separators, bidirectional marks, zero-width and other invisible format characters.
#[must_use]
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
            | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

impl<'a> UntrustedText<'a> {
    /// Free text from somewhere else than the wire, to be scrubbed all the same.
    #[must_use]
    pub fn new(raw: &'a str) -> Self {
        Self(raw)
    }

    /// The text with each hostile character replaced by U+FFFD.
    #[must_use]
    pub fn scrubbed(self) -> String {
        self.chars().collect()
    }

    /// The scrubbed text, cut at a character boundary to at most `most` bytes.
    #[must_use]
    pub fn scrubbed_to(self, most: usize) -> String {
        let mut text = String::new();
        for c in self.chars() {
            if text.len() + c.len_utf8() > most {
                break;
            }
            text.push(c);
        }
        text
    }

    /// Whether the scrubbed text equals `other`; allocates nothing.
    #[must_use]
    pub fn is(self, other: &str) -> bool {
        if self.0.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            // Nothing to scrub: the common case, and many times faster than character by character.
            return self.0 == other;
        }
        self.chars().eq(other.chars())
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    fn chars(self) -> impl Iterator<Item = char> + 'a {
        self.0.chars().map(|c| if is_hostile(c) { '\u{FFFD}' } else { c })
    }
}
