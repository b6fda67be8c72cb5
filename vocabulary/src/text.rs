//! Text that people read or write, wherever it is made: durations in columns and sentences, globs,
//! and text that others wrote.

mod duration;
mod glob;
mod hostile;

pub use duration::{age, span};
pub use glob::glob_matches;
pub use hostile::{is_hostile, scrub};
