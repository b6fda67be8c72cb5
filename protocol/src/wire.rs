//! Strict reader and small writer of MessagePack.
//!
//! `rmp-serde` takes trailing bytes, repeated map keys, NaN and a thousand levels of nesting, all
//! of which `SPEC.md` refuses. So bodies are read here, field by field, over `rmp`'s markers, into
//! borrowed values, without allocation.

mod reader;
pub(crate) mod write;

use heartline_vocabulary::text::scrub;

pub(crate) use reader::{ArrayFields, BodyReader};

/// Error of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum DecodeError {
    /// The body ends inside a value.
    #[error("it ends inside a value")]
    CutOff,
    /// Bytes follow the body's array.
    #[error("bytes follow its array")]
    Trailing,
    /// A value is of another type than its field.
    #[error("a value is of the wrong type")]
    WrongType,
    /// A number is negative, or outside the range of its field.
    #[error("a number is out of range")]
    OutOfRange,
    /// A floating-point number is NaN or infinite.
    #[error("a number is not finite")]
    NotFinite,
    /// A text is longer than its field allows.
    #[error("a text is too long")]
    TooLong,
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    NotUtf8,
    /// An array or map has more elements than its field allows.
    #[error("an array or map has too many elements")]
    TooMany,
    /// Arrays and maps are nested deeper than 4.
    #[error("it is nested too deeply")]
    TooDeep,
    /// A key occurs twice in a map.
    #[error("a key is repeated in a map")]
    DuplicateKey,
    /// A field without a default is missing.
    #[error("a required field is missing")]
    Missing,
    /// The packed histogram breaks its rules.
    #[error("the packed histogram is malformed")]
    BadHistogram,
}

pub(crate) type DecodeResult<T> = Result<T, DecodeError>;

/// Free text from the wire. Its raw form is private: only scrubbed text can be read, so that no
/// agent can drive a terminal or forge a line of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UntrustedText<'a>(&'a str);

impl<'a> UntrustedText<'a> {
    /// Wraps free text.
    pub fn new(raw: &'a str) -> Self {
        Self(raw)
    }

    /// Returns the text without joiners and variation selectors, each other hostile character replaced
    /// by U+FFFD (`SPEC.md`, section 8).
    pub fn scrubbed(self) -> String {
        scrub(self.0).collect()
    }

    /// Returns the scrubbed text, cut at a character boundary to at most `most` bytes.
    pub fn scrubbed_to(self, most: usize) -> String {
        let mut text = String::new();
        for c in scrub(self.0) {
            if text.len() + c.len_utf8() > most {
                break;
            }
            text.push(c);
        }
        text
    }

    /// Returns whether the scrubbed text equals `other`, without allocation.
    pub fn is(self, other: &str) -> bool {
        if self.0.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            // Nothing to scrub: the common case, and many times faster than character by character.
            return self.0 == other;
        }
        scrub(self.0).eq(other.chars())
    }

    /// Returns whether the scrubbed text is empty.
    pub fn is_empty(self) -> bool {
        scrub(self.0).next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use heartline_vocabulary::text::is_hostile;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_skipped_whole_or_refused(bytes in vec(any::<u8>(), 0..200)) {
            let _ = BodyReader::new(&bytes).body(|_| Ok(()));
        }

        /// Bytes that are mostly markers get deeper than random ones.
        #[test]
        fn markers_alone_never_run_away(
            bytes in vec(prop::sample::select(&[0x91, 0x81, 0xa0, 0xdc, 0xde, 0xdf, 0xc6, 0x00][..]), 0..200),
        ) {
            let _ = BodyReader::new(&bytes).body(|_| Ok(()));
        }

        /// Half of the characters are near those that are dropped or replaced.
        #[test]
        fn scrubbed_text_is_never_hostile(
            raw in vec(prop_oneof![any::<char>(), "[\\u{200a}-\\u{2010}\\u{fdff}-\\u{fe10}a]"
                .prop_map(|text| text.chars().next().expect("one character"))], 0..100),
            most in 0..200usize,
        ) {
            let raw = String::from_iter(raw);
            let text = UntrustedText::new(&raw);
            let scrubbed = text.scrubbed();
            prop_assert!(!scrubbed.contains(is_hostile));
            prop_assert_eq!(&UntrustedText::new(&scrubbed).scrubbed(), &scrubbed);
            prop_assert!(text.is(&scrubbed));
            prop_assert_eq!(text.is(&raw), raw == scrubbed);
            prop_assert_eq!(text.is_empty(), scrubbed.is_empty());
            let cut = text.scrubbed_to(most);
            prop_assert!(cut.len() <= most && scrubbed.starts_with(&cut));
            prop_assert!(cut.len() + 4 > most || cut == scrubbed, "cut more than it had to");
        }
    }
}
