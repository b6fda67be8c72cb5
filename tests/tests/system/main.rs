//! The whole system, in real parts: `heartlined` and agents as processes, UDP, SQLite, operators.
//!
//! What a test needs of the programs under test must be built before: `cargo xtask test` does.

mod bad_start;
mod conflict;
mod death;
mod demo;
mod disk;
mod forgery;
mod freeze;
mod hostile;
mod kill;
mod network;
mod once;
mod remote;
mod replay;
mod slow_operator;
mod spec;
mod stall;
mod zero_setup;
