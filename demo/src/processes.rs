//! The processes of the demo and their directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use clap::ValueEnum as _;
use heartline_operator::CollectorDirectories;
use tempfile::TempDir;

use crate::DemoError;
use crate::agents::DemoAgent;
use crate::collector::CONFIG;

/// How often a collector that is to end is polled, and how many times.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const POLLS_MAX: u32 = 250;

/// A temporary directory, a collector in it, and agents. Dropping it ends and removes all of them.
pub struct DemoProcesses {
    collector: Child,
    agents: BTreeMap<String, Child>,
    udp: SocketAddr,
    log: File,
    // Last, so that it is removed when no process uses it any more.
    dir: TempDir,
}

impl DemoProcesses {
    /// Makes the directory and starts the collector on a free port.
    ///
    /// # Errors
    /// [`DemoError`], with the collector's log if it did not start.
    pub fn start_collector() -> Result<Self, DemoError> {
        let dir = tempfile::Builder::new()
            .prefix("heartline-demo-")
            .tempdir()
            .map_err(DemoError::system("make a directory for the demo"))?;
        std::fs::write(dir.path().join("heartline.toml"), CONFIG)
            .map_err(DemoError::system("write the demo's config"))?;
        let log = File::create(dir.path().join("log"))
            .map_err(DemoError::system("write the demo's log"))?;
        let stderr = log.try_clone().map_err(DemoError::system("write the demo's log"))?;
        let mut collector = this_program("demo-collector")
            .map_err(DemoError::system("find this program"))?
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .map_err(DemoError::system("start the demo's collector"))?;
        let mut ready = String::new();
        if let Some(stdout) = collector.stdout.take() {
            // It prints one line, and nothing after that.
            let _unread = BufReader::new(stdout).read_line(&mut ready);
        }
        match udp_address(&ready) {
            Some(udp) => Ok(Self { collector, agents: BTreeMap::new(), udp, log, dir }),
            None => {
                let _ended = collector.wait();
                let log = std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
                Err(DemoError::CollectorNotStarted { log })
            }
        }
    }

    /// Returns where the collector has its sockets.
    pub fn directories(&self) -> CollectorDirectories {
        CollectorDirectories { data: self.path().to_owned(), sockets: self.path().to_owned() }
    }

    /// Returns the directory of the demo.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Starts an agent's process. One that runs under this name is killed before.
    pub(crate) fn start_agent(&mut self, agent: &DemoAgent) -> std::io::Result<()> {
        self.crash_agent(&agent.name);
        let behaviour = agent.behaviour.to_possible_value().expect("no behaviour is skipped");
        let child = this_program("demo-agent")?
            .arg(&agent.name)
            .args(["--host", agent.host, "--group", agent.group])
            .args(["--behaviour", behaviour.get_name()])
            .args(["--collector", &self.udp.to_string()])
            .args(["--parent", &std::process::id().to_string()])
            .arg("--dir")
            .arg(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(self.log.try_clone()?)
            .spawn()?;
        self.agents.insert(agent.name.clone(), child);
        Ok(())
    }

    /// Kills an agent's process with `kill -9`.
    pub(crate) fn crash_agent(&mut self, agent: &str) {
        if let Some(mut child) = self.agents.remove(agent) {
            let _ended_already = child.kill();
            let _reaped = child.wait();
        }
    }

    /// Writes a line to an agent's standard input, if its process is there.
    pub(crate) fn write_line(&mut self, agent: &str, line: &str) {
        if let Some(stdin) = self.agents.get_mut(agent).and_then(|child| child.stdin.as_mut()) {
            let _ended = writeln!(stdin, "{line}").and_then(|()| stdin.flush());
        }
    }

    /// Waits for the agents' processes that have ended.
    pub(crate) fn reap_agents(&mut self) {
        self.agents.retain(|_, child| matches!(child.try_wait(), Ok(None)));
    }
}

impl Drop for DemoProcesses {
    fn drop(&mut self) {
        for child in self.agents.values_mut() {
            let _ended_already = child.kill();
        }
        for child in self.agents.values_mut() {
            let _reaped = child.wait();
        }
        // The end of its input makes the collector end.
        drop(self.collector.stdin.take());
        for _ in 0..POLLS_MAX {
            if !matches!(self.collector.try_wait(), Ok(None)) {
                return;
            }
            sleep(POLL_INTERVAL);
        }
        let _ended_already = self.collector.kill();
        let _reaped = self.collector.wait();
    }
}

/// Returns a command of this program with a hidden subcommand. It gets a process group of its own:
/// ctrl-c at the terminal is for the demo, which ends its processes in order.
fn this_program(subcommand: &str) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(subcommand).process_group(0);
    for name in ["HEARTLINE_DISABLE", "HEARTLINE_SSH", "HEARTLINE_CONFIG"] {
        command.env_remove(name);
    }
    Ok(command)
}

/// Parses `ready udp=127.0.0.1:4327 ctl=PATH view=PATH`.
fn udp_address(ready: &str) -> Option<SocketAddr> {
    let fields = ready.strip_prefix("ready ")?;
    fields.split(' ').find_map(|field| field.strip_prefix("udp="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_what_the_collector_prints() {
        let ready = "ready udp=127.0.0.1:4327 ctl=/tmp/a b/ctl.sock view=/tmp/v\n";
        assert_eq!(udp_address(ready), "127.0.0.1:4327".parse().ok());
        assert_eq!(udp_address(""), None);
        assert_eq!(udp_address("heartlined: no"), None);
    }
}
