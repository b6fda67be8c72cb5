//! Heartbeats for Rust agents.
//!
//! Three lines make a program an agent that Heartline watches: it sends heartbeats, its work is
//! counted exactly once, and an operator can kill and resume it.
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
//! `HEARTLINE_TOKEN` (or `HEARTLINE_TOKEN_FILE`) configure it; a [`Builder`] takes them as
//! arguments, too. `HEARTLINE_COLLECTOR=a:4327,b:4327` reports to two collectors, each of which
//! counts all work.
//!
//! # Guarantees
//!
//! - **It never gets in the way.** No call fails, panics or waits for the network; counting takes
//!   nanoseconds and no lock; memory is bounded. Problems are in [`Heartline::status`], and are
//!   logged once (through `tracing`; a subscriber that panics or hangs stops no beat).
//! - **Work is counted exactly once**, whatever the network loses, duplicates or reorders, and
//!   however often the collector is restarted. What could not be counted is counted as lost.
//! - **A kill is obeyed**: [`Heartline::task`] waits, [`Heartline::task_async`] is pending,
//!   [`Heartline::try_task`] returns [`AgentKilled`], and [`Builder::on_kill`] calls back. Tasks in
//!   flight are never interrupted. The kill is stored in a file, for each fleet apart, and survives
//!   a restart. With several collectors, the agent runs while none of them has killed it.
//! - **A budget is a ceiling**: the collector says what is left of the agent's budgets, and no task
//!   starts once that is used up, as if the agent were killed. What is spent beyond it is at most what
//!   the tasks in flight spend.
//! - **A stuck agent shows**: each beat has the age of the last progress, and of the task that has
//!   made none for longest. A program without tasks calls [`Heartline::step`], or
//!   [`Heartline::report`], now and then.
//!
//! # The end of a process
//!
//! A goodbye tells the collector that the agent has stopped on purpose. Otherwise its silence is a
//! failure, and an alarm.
//!
//! - Dropping the last handle says goodbye, and [`Heartline::stop`] does.
//! - SIGTERM and SIGINT say goodbye and then end the process as they would have done, where the
//!   program neither handles nor ignores them: `systemctl stop`, `docker stop`, Ctrl-C. As process
//!   1 of a container, which the kernel spares both, it ends with 143 or 130.
//! - A program that handles them, through tokio, `signal-hook` or otherwise, before or after the
//!   start of the emitter, ends as it likes, and drops its handle. [`Builder::leave_signals`] is for
//!   programs that handle them in stranger ways. (Of handlers that are registered after the start
//!   it can be seen how many there are, and not for which signal: a single one counts as one for
//!   SIGINT.)
//! - [`std::process::exit`] and a handle in a `static` drop nothing: call [`Heartline::stop`] first.
//! - A panic that drops the handle, SIGKILL and every other crash say no goodbye, on purpose.
//!
//! # Processes and threads
//!
//! One thread named `heartline` sends and receives, one named `heartline-signals` waits for SIGTERM
//! and SIGINT; the agent may use any threads and any async runtime, or none. After a `fork` the
//! child has no such threads, and neither signal ends it: it must [`start`] an emitter of its own,
//! under a name of its own. Work reported through the parent's handle is not counted;
//! [`Heartline::status`] shows that, and it is logged when the handle is dropped or stopped.

#![warn(missing_docs)]

mod activity;
mod builder;
mod clock;
mod counters;
mod handle;
mod kill;
mod kill_memory;
mod log;
mod problem;
mod report;
mod sender;
mod settings;
mod shared;
mod signals;
mod spending;
mod status;
pub mod supervisor;
mod task;
mod token;

pub use builder::Builder;
pub use handle::Heartline;
pub use heartline_engine::{AddressError, ConnectionState};
pub use kill::KillCause;
pub use problem::EmitterProblem;
pub use report::{Report, TaskOutcome};
pub use status::{CollectorStatus, EmitterStatus};
pub use task::{AgentKilled, Task, TaskFuture, WaitGuard};

/// Starts an emitter for the agent of this name, with settings from the environment. Never fails:
/// see [`Builder::start`].
#[must_use = "dropping the last handle stops the emitter"]
pub fn start(name: impl Into<String>) -> Heartline {
    Builder::new(name).start()
}
