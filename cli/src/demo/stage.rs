//! The processes of the demo and their directory. Whatever is on it ends with it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use heartline_operator::Directories;
use tempfile::TempDir;

use super::cast::Role;
use super::collector::CONFIG;
use crate::failure::Failure;

/// How often a process that is to end is looked at, and how many times.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOKS: u32 = 250;

/// The stage: a directory, a collector in it, and agents.
pub(super) struct Stage {
    collector: Child,
    agents: BTreeMap<String, Child>,
    udp: SocketAddr,
    log: File,
    // Last, so that it is removed when nobody uses it any more.
    dir: TempDir,
}

impl Stage {
    /// Makes the directory and starts the collector on a free port.
    ///
    /// # Errors
    /// [`Failure::System`], and [`Failure::NotDone`] with the collector's own words.
    pub(super) fn open() -> Result<Self, Failure> {
        let cannot = |what| move |source| Failure::System { what, source };
        let dir = tempfile::Builder::new()
            .prefix("heartline-demo-")
            .tempdir()
            .map_err(cannot("make a directory for the demo"))?;
        std::fs::write(dir.path().join("heartline.toml"), CONFIG)
            .map_err(cannot("write the demo's config"))?;
        let log = File::create(dir.path().join("log")).map_err(cannot("write the demo's log"))?;
        let err = log.try_clone().map_err(cannot("write the demo's log"))?;
        let mut collector = command("demo-collector")
            .map_err(cannot("find this program"))?
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(err)
            .spawn()
            .map_err(cannot("start the demo's collector"))?;
        let mut first = String::new();
        if let Some(stdout) = collector.stdout.take() {
            // It prints one line, and nothing after that.
            let _unread = BufReader::new(stdout).read_line(&mut first);
        }
        match udp_of(&first) {
            Some(udp) => Ok(Self { collector, agents: BTreeMap::new(), udp, log, dir }),
            None => {
                let _ended = collector.wait();
                let said = std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
                Err(Failure::NotDone(format!("the demo's collector did not start:\n{said}")))
            }
        }
    }

    /// Where the demo's collector has its sockets.
    pub(super) fn directories(&self) -> Directories {
        Directories { data: self.path().to_owned(), sockets: self.path().to_owned() }
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Starts an agent's process. The one that ran before under this name is killed.
    pub(super) fn start(&mut self, role: &Role) -> std::io::Result<()> {
        self.crash(&role.name);
        let part = clap::ValueEnum::to_possible_value(&role.part);
        let part = part.map_or_else(String::new, |part| part.get_name().to_owned());
        let child = command("demo-agent")?
            .arg(&role.name)
            .args(["--host", role.host, "--group", role.group, "--part", &part])
            .args(["--collector", &self.udp.to_string()])
            .args(["--parent", &std::process::id().to_string()])
            .arg("--dir")
            .arg(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(self.log.try_clone()?)
            .spawn()?;
        self.agents.insert(role.name.clone(), child);
        Ok(())
    }

    /// Kills an agent's process with -9.
    pub(super) fn crash(&mut self, agent: &str) {
        if let Some(mut child) = self.agents.remove(agent) {
            let _ended_already = child.kill();
            let _reaped = child.wait();
        }
    }

    /// Tells an agent's process something.
    pub(super) fn tell(&mut self, agent: &str, word: &str) {
        if let Some(stdin) = self.agents.get_mut(agent).and_then(|child| child.stdin.as_mut()) {
            // It may have ended: then there is nobody to tell.
            let _gone = writeln!(stdin, "{word}").and_then(|()| stdin.flush());
        }
    }

    /// Takes the remains of processes that have ended.
    pub(super) fn reap(&mut self) {
        self.agents.retain(|_, child| matches!(child.try_wait(), Ok(None)));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for child in self.agents.values_mut() {
            let _ended_already = child.kill();
        }
        for child in self.agents.values_mut() {
            let _reaped = child.wait();
        }
        // The end of its input is the collector's order to end.
        drop(self.collector.stdin.take());
        for _ in 0..LOOKS {
            if !matches!(self.collector.try_wait(), Ok(None)) {
                return;
            }
            sleep(LOOK_EVERY);
        }
        let _ended_already = self.collector.kill();
        let _reaped = self.collector.wait();
    }
}

/// This program, in one of its hidden parts. In a process group of its own: ctrl-c at the terminal
/// is for the demo, which ends its parts in order.
fn command(part: &str) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(part).process_group(0);
    for name in ["HEARTLINE_DISABLE", "HEARTLINE_SSH", "HEARTLINE_CONFIG"] {
        command.env_remove(name);
    }
    Ok(command)
}

/// `ready udp=127.0.0.1:4327 ctl=PATH view=PATH`
fn udp_of(ready: &str) -> Option<SocketAddr> {
    let words = ready.strip_prefix("ready ")?;
    words.split(' ').find_map(|word| word.strip_prefix("udp="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_what_the_collector_prints() {
        let ready = "ready udp=127.0.0.1:4327 ctl=/tmp/a b/ctl.sock view=/tmp/v\n";
        assert_eq!(udp_of(ready), "127.0.0.1:4327".parse().ok());
        assert_eq!(udp_of(""), None);
        assert_eq!(udp_of("heartlined: no"), None);
    }
}
