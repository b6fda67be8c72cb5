//! Agents as processes.

use std::net::SocketAddr;

use super::place::World;
use super::process::Process;
use super::program::{Program, spec_emitter};

impl World {
    /// Starts `minimal_agent`, which beats every `interval_ms`.
    #[must_use]
    #[track_caller]
    pub fn start_agent(&self, name: &str, collector: SocketAddr, interval_ms: u32) -> Process {
        let mut command = self.command(Program::MinimalAgent.path());
        command.arg(name);
        command.env("HEARTLINE_COLLECTOR", collector.to_string());
        command.env("HEARTLINE_INTERVAL", format!("{interval_ms}ms"));
        Process::start(&mut command)
    }

    /// Starts the emitter that was written from the specification alone, with these options more.
    #[must_use]
    #[track_caller]
    pub fn start_spec_emitter(
        &self,
        name: &str,
        collector: SocketAddr,
        options: &[&str],
    ) -> Process {
        let mut command = self.command("python3");
        command.arg(spec_emitter());
        command.args(["--agent", name, "--collector", &collector.to_string()]);
        command.args(["--token", &self.token().encode()]).args(options);
        Process::start(&mut command)
    }
}
