//! A strict reader and a small writer of MessagePack.
//!
//! `rmp-serde` takes trailing bytes, repeated map keys, NaN and a thousand levels of nesting, all of
//! which `SPEC.md` refuses. So bodies are read here, field by field, over `rmp`'s markers, into
//! borrowed values: nothing is allocated and nothing is looked at before its tag was right.

pub(crate) mod put;
mod reader;
mod text;

pub(crate) use reader::{Fields, Reader};
pub use text::{Text, is_hostile};

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Fault {
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
