//! The demo: a collector and a fleet of real agent processes on loopback, with a script of faults
//! and commands.
//!
//! - `agents`: the fleet; `script`: what happens to it, and when
//! - `processes`: the processes and their directory
//! - `runner`: starts the agents and runs the script
//! - `agent`, `collector`: what runs in those processes. They are the calling program, started again
//!   with a subcommand that ends in [`run_agent`] or [`run_collector`]
//!
//! Nothing is left behind, however it ends. The kernel kills the agents when the thread that started
//! them ends; the collector ends, and removes the directory, when the pipe from this process closes.

mod agent;
mod agents;
mod collector;
mod processes;
mod runner;
mod script;

pub use agent::{AgentProcessArgs, run_agent};
pub use agents::AgentBehaviour;
pub use collector::{CollectorProcessArgs, run_collector};
pub use processes::DemoProcesses;
pub use runner::Demo;
pub use script::ScriptedEvent;

use heartline_collector::RunError;
use heartline_config::ConfigError;
use heartline_operator::client::ClientError;

/// Why the demo could not be run.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("can't {action}: {source}")]
    System { action: &'static str, source: std::io::Error },
    #[error("the demo's collector did not start:\n{log}")]
    CollectorNotStarted { log: String },
    #[error("the agents did not become healthy")]
    AgentsNotHealthy,
    #[error("the demo could not be started")]
    RunnerPanicked,
    #[error("the demo that started this agent has ended")]
    ParentEnded,
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Collector(#[from] RunError),
}

impl DemoError {
    fn system(action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { action, source }
    }
}
