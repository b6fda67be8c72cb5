//! The demo: a collector of its own and a fleet of real agent processes on loopback, to which a
//! script does what mornings do.
//!
//! - `cast`: who is in it; `script`: what happens to them, and when
//! - `stage`: the processes and their directory; nothing outlives it
//! - `director`: plays the script on the stage
//! - `agent`, `collector`: what runs in those processes, started from this same program
//!
//! Nothing is left behind, however it ends. The agents die with the thread that started them (the
//! kernel sees to it), and the collector ends, and removes the directory, when the pipe from this
//! process closes.

mod agent;
mod cast;
mod collector;
mod director;
mod headless;
mod program;
mod script;
mod stage;

pub(crate) use agent::run as run_agent;
pub(crate) use collector::run as run_collector;
pub(crate) use program::run;
