//! Heartbeats for Rust agents.

pub mod engine;

mod clock;
mod counters;
mod report;

pub use report::{Outcome, Report};
