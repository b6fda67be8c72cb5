//! Text that people read or write, wherever it is made: durations in columns and sentences, globs.

mod duration;
mod glob;

pub use duration::{age, span};
pub use glob::glob_matches;
