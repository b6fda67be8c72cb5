//! A strict reader and a small writer of MessagePack.
//!
//! `rmp-serde` takes trailing bytes, repeated map keys, NaN and a thousand levels of nesting, all of
//! which `SPEC.md` refuses. So bodies are read here, field by field, over `rmp`'s markers, into
//! borrowed values: nothing is allocated and nothing is looked at before its tag was right.

pub(crate) mod put;
mod reader;
mod text;

pub(crate) use reader::{ArrayFields, BodyReader};
pub use text::{UntrustedText, is_hostile};

/// What is wrong with a body.
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

#[cfg(test)]
mod tests {
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

        #[test]
        fn scrubbed_text_is_never_hostile(raw in vec(any::<char>(), 0..100), most in 0..200usize) {
            let raw = String::from_iter(raw);
            let text = UntrustedText::new(&raw);
            let scrubbed = text.scrubbed();
            prop_assert!(!scrubbed.contains(is_hostile));
            prop_assert_eq!(scrubbed.chars().count(), raw.chars().count());
            prop_assert!(text.is(&scrubbed));
            let cut = text.scrubbed_to(most);
            prop_assert!(cut.len() <= most && scrubbed.starts_with(&cut));
            prop_assert!(cut.len() + 4 > most || cut == scrubbed, "cut more than it had to");
        }
    }
}
