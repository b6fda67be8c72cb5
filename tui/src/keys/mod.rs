//! Keys: how one is written, and which command it means.

mod chord;
mod map;

pub use chord::ParseKeyError;
pub(crate) use chord::{Chord, Sequence};
pub(crate) use map::Lookup;
pub use map::{KeyMap, KeyMapError};
