//! A seeded simulation of a whole fleet: the real core, the real emitter logic and real datagrams,
//! around them a network, a disk, processes and people that go wrong.
//!
//! A run follows from its seed alone, so a failing seed replays exactly. Nothing here reads a
//! clock, opens a socket or starts a thread (but for [`run`], which shares out the seeds).
//!
//! - `world`: everything there is in one run, and the loop that moves it; `collector`, `agents` and
//!   `faults` are its three sides
//! - `plan`, `fault`: what a run is like and what goes wrong in it, drawn from the seed
//! - `network`, `attacker`: what happens to datagrams
//! - `shell`, `disk`: the collector around the core, as the real one is
//! - `agent`, `process`: the emitter's engine with a worker
//! - `oracle`, `expectation`, `watched`, `ledger`: what must be true, worked out a second time

mod agent;
mod agents;
mod attacker;
mod collector;
mod disk;
mod expectation;
mod fault;
mod faults;
mod ledger;
mod network;
mod oracle;
mod plan;
mod process;
mod report;
mod shell;
mod trace;
mod violation;
mod watched;
mod work;
mod world;

pub use report::{Failure, Report, run};
