//! Keys: how one is written, and which command it means.

mod chord;
mod map;
mod overrides;

pub(crate) use chord::{Chord, Sequence};
pub(crate) use map::Lookup;
pub use map::{KeyConflict, KeyMap};
pub use overrides::KeyOverrides;
