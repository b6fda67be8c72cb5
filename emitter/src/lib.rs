//! Heartbeats for Rust agents.
//!
//! Three lines make a program an agent that Heartline watches: it beats, its work is counted
//! exactly once, and an operator can kill and resume it.
//!
//! ```no_run
//! # fn next_order() -> u64 { 1 }
//! # fn process(order: u64) -> f64 { 0.03 }
//! let hb = heartline::start("order-processor");
//! loop {
//!     let mut task = hb.task();           // counts, times, waits while killed
//!     let cost = process(next_order());
//!     task.cost_usd(cost);
//! }
//! ```
//!
//! On the machine of the collector nothing needs to be set. Elsewhere `HEARTLINE_COLLECTOR` and
//! `HEARTLINE_TOKEN` (or `HEARTLINE_TOKEN_FILE`) say where and as whom; a [`Builder`] takes them as
//! arguments too.
//!
//! # What it promises
//!
//! - **It never gets in the way.** No call fails, panics or waits for the network; counting takes
//!   nanoseconds and no lock; memory is bounded. What is wrong is in [`Heartline::status`], and
//!   was logged once (through `tracing`).
//! - **Work is counted exactly once**, whatever the network loses, doubles or reorders, and
//!   however often the collector is restarted. What could not be counted is counted as lost.
//! - **A kill is obeyed**: [`Heartline::task`] waits, [`Heartline::task_async`] is pending,
//!   [`Heartline::try_task`] says [`Killed`], and [`Builder::on_kill`] calls back. Tasks in flight
//!   are never interrupted. The kill is remembered in a file, so a restart is no way out.
//! - **A stuck agent shows**: each beat says how old the oldest task and the last progress are. A
//!   program without tasks calls [`Heartline::step`], or [`Heartline::report`], now and then.
//!
//! # Processes and threads
//!
//! One thread named `heartline` sends and receives; the agent may use any threads and any async
//! runtime, or none. After a `fork` the child has no such thread: it must [`start`] an emitter of
//! its own, under a name of its own. What it does with the parent's handle is counted nowhere, and
//! [`Heartline::status`] says so.

#![warn(missing_docs)]

pub mod engine;

mod bell;
mod board;
mod builder;
mod clock;
mod counters;
mod gate;
mod handle;
mod hooks;
mod memory;
mod problem;
mod report;
mod sender;
mod settings;
mod shared;
mod status;
mod task;
mod token;

pub use builder::Builder;
pub use handle::Heartline;
pub use problem::Problem;
pub use report::{Outcome, Report};
pub use status::Status;
pub use task::{Admission, Killed, Task, Waiting};

/// Starts an emitter for the agent of this name, with settings from the environment. It never
/// fails: see [`Builder::start`].
#[must_use = "the last handle that is dropped says goodbye"]
pub fn start(name: impl Into<String>) -> Heartline {
    Builder::new(name).start()
}
