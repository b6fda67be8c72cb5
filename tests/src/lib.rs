//! Whole-system tests: the simulation, the harness of the system tests, and benchmarks.

pub mod bench;
pub mod clock;
pub mod harness;
mod random;
pub mod sim;
