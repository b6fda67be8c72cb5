//! A world of real parts for tests of the whole system: a directory of its own, collectors and
//! agents as processes, a bad network between them, and an operator who looks.
//!
//! Everything ends with the value that stands for it, also when a test panics. Nothing here waits
//! for a length of time and hopes: [`wait_until`] waits for a condition, up to a deadline. What
//! does not work out is the test's failure, so these helpers panic and say what they were about.
//!
//! - `process`, `program`: programs of this workspace, run and watched
//! - `collector`, `agent`: the two that are run most
//! - `worker`: an emitter in this process that knows exactly what work it did
//! - `proxy`: the network, with loss, duplicates, delay and a recorder
//! - `puppet`: an agent that sends just what it is told, byte for byte
//! - `operator`: who asks and commands
//! - `rollups`: what stands in `history.db`, read past the collector

mod agent;
mod collector;
mod operator;
mod place;
mod process;
mod program;
mod proxy;
mod puppet;
mod rollups;
mod wait;
mod worker;

pub use collector::Collector;
pub use operator::Operator;
pub use place::World;
pub use process::Process;
pub use program::Program;
pub use proxy::{Answers, Proxy, Weather};
pub use puppet::{Puppet, Stranger};
pub use rollups::rolled_up;
pub use wait::{PATIENCE, wait_for, wait_until};
pub use worker::{Deeds, Worker};
