//! A running conformance agent.

use std::io::{self, Write as _};
use std::process::{ChildStdin, Command};
use std::time::Duration;

use heartline_vocabulary::WorkTotals;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use serde_json::Value;

use crate::harness::{TestProcess, WAIT_TIMEOUT, poll_for};

/// Lines of its standard error that a failure shows.
const SHOWN_LINES: usize = 12;

/// A conformance agent that reads operations from a pipe; killed on drop.
pub(super) struct ConformanceAgent {
    process: TestProcess,
    input: ChildStdin,
}

/// What an agent printed at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AgentCounts {
    pub(super) totals: WorkTotals,
    pub(super) lost_observations: u64,
}

impl ConformanceAgent {
    /// Starts one.
    ///
    /// # Errors
    /// When its program can't be started.
    pub(super) fn start(command: &mut Command) -> Result<Self, String> {
        let started = TestProcess::start_with_input(command);
        let (process, input) = started.map_err(|error| {
            format!("can't start {}: {error}", command.get_program().to_string_lossy())
        })?;
        ioctl_fionbio(&input, true).map_err(|error| format!("can't prepare a pipe: {error}"))?;
        Ok(Self { process, input })
    }

    /// Writes operations to its standard input.
    ///
    /// # Errors
    /// When it has ended, or reads nothing for too long.
    pub(super) fn write(&mut self, operations: &str) -> Result<(), String> {
        let mut rest = operations.as_bytes();
        while !rest.is_empty() {
            match self.input.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.await_reader()?,
                Err(error) => return Err(self.failure(&format!("reads no more ({error})"))),
            }
        }
        Ok(())
    }

    fn await_reader(&mut self) -> Result<(), String> {
        let timeout = Timespec::try_from(WAIT_TIMEOUT).expect("it is half a minute");
        let mut fds = [PollFd::new(&self.input, PollFlags::OUT)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => {
                let what = format!("has read nothing for {} s", WAIT_TIMEOUT.as_secs());
                Err(self.failure(&what))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(format!("can't wait for the agent: {error}")),
        }
    }

    /// Returns an error if it has ended.
    pub(super) fn check_running(&mut self) -> Result<(), String> {
        if self.process.has_ended() { Err(self.failure("ended too early")) } else { Ok(()) }
    }

    /// Closes its standard input, waits until it has ended, and returns what it printed.
    ///
    /// # Errors
    /// When it does not end, fails, or does not print its counts.
    pub(super) fn finish(self) -> Result<AgentCounts, String> {
        let Self { mut process, input } = self;
        drop(input);
        if poll_for(WAIT_TIMEOUT, || process.has_ended().then_some(())).is_none() {
            let what = format!("has not ended {} s after its input", WAIT_TIMEOUT.as_secs());
            return Err(describe(&process, &what));
        }
        let status = process.wait();
        // Its last line may still be on its way through the pipe.
        let counts = poll_for(Duration::from_secs(5), || parse_counts(&process.stdout()));
        match counts {
            _ if !status.success() => Err(describe(&process, &format!("failed: {status}"))),
            Some(counts) => Ok(counts),
            None => Err(describe(&process, "did not print its counts as the last line")),
        }
    }

    fn failure(&self, what: &str) -> String {
        describe(&self.process, what)
    }
}

fn describe(process: &TestProcess, what: &str) -> String {
    let mut text = format!("the agent {what}");
    for (name, lines) in [("output", process.stdout()), ("error", process.stderr())] {
        let shown = lines.iter().skip(lines.len().saturating_sub(SHOWN_LINES));
        text.extend(shown.map(|line| format!("\n    standard {name}: {line}")));
    }
    text
}

fn parse_counts(stdout: &[String]) -> Option<AgentCounts> {
    let line: Value = serde_json::from_str(stdout.last()?).ok()?;
    let count = |name: &str| line.get(name)?.as_u64();
    Some(AgentCounts {
        totals: WorkTotals {
            ok: count("ok")?,
            failed: count("failed")?,
            cost_nano_usd: count("cost_nano_usd")?,
            tokens_in: count("tokens_in")?,
            tokens_out: count("tokens_out")?,
        },
        lost_observations: count("lost_observations")?,
    })
}
