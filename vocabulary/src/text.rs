//! Text that people read or write, wherever it is made: durations in columns and sentences.

mod duration;

pub use duration::{age, span};
