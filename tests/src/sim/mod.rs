//! A seeded simulation of a fleet: the real core, emitter engine and datagrams on a simulated
//! network, disk and clock, with faults.
//!
//! A run follows from its seed alone, so a failing seed replays exactly. Nothing here reads a
//! clock, opens a socket or starts a thread, except for [`run`], which distributes the seeds.
//!
//! - `world`: the state of a run and its event loop; `agent`, `collector` and `fault` are its three
//!   sides
//! - `plan`: the parameters of a run, drawn from the seed
//! - `network`, `attacker`, `thief`: what happens to datagrams, and who sends others
//! - `collector_instance`, `disk`: the collector around the core
//! - `process`: the emitter's engine with a worker
//! - `policy`, `budget_clock`: budgets, replicas and the roster, and the windows of budgets
//! - `oracle`, `expected_agent`, `expected_limits`, `ledger`, `alert_watch`: the invariants, computed independently of the core
//! - `expected_spending`, `budget_watch`, `budget_commands`: those of budgets; `replica_watch`, `roster_watch`: those of
//!   agents that are not there

mod agent;
mod alert_watch;
mod attacker;
mod budget_clock;
mod budget_commands;
mod budget_watch;
mod collector;
mod collector_instance;
mod disk;
mod expected_agent;
mod expected_limits;
mod expected_quality;
mod expected_spending;
mod fault;
mod ledger;
mod network;
mod oracle;
mod plan;
mod policy;
mod process;
mod replay_snapshot;
mod replica_watch;
mod report;
mod roster_watch;
mod supervisor;
mod thief;
mod violation;
mod world;

pub use report::{SimFailure, SimReport, run};
