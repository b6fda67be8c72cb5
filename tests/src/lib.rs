//! Whole-system tests: what the packages do together.

pub mod bench;
pub mod clock;
mod random;
pub mod sim;
pub mod world;
