//! Runs any program as an agent: starts it, beats for it, reports its end at once, ends it when the
//! agent is killed and starts it again when it is resumed.
//!
//! - `config`: what to run, and how
//! - `event`: what the loop waits for; `run`: the loop
//! - `child`: the process and its group; `terminal`: whose turn at the terminal it is
//! - `output`: what it writes, where that is watched; `progress_file`: a file that it touches
//! - `usage`: CPU and memory; `oom`: whether the kernel ended it for want of memory
//! - `backoff`: pauses between restarts
//!
//! [`run`] takes over the process that it is called in: its signals, its children, and the terminal.

mod backoff;
mod child;
mod clock;
mod config;
mod event;
mod oom;
mod output;
mod progress_file;
mod run;
mod terminal;
mod usage;

pub use config::{ExitPolicy, RunConfig, StallWatch};
pub use run::{RunError, run};
