//! Keys: how one is written, and which command it means.

mod chord;
mod map;

pub(crate) use chord::{Chord, Sequence};
pub use chord::ParseKeyError;
pub use map::{KeyMap, KeyMapError};
pub(crate) use map::Lookup;
