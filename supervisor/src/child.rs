//! The program's process, and the group that it leads.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use heartline::supervisor::{ExitStatus, ProcessExit};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, wait};

use crate::config::RunConfig;
use crate::oom::OomCounter;
use crate::output::{LastLines, OutputNotifier, hand_on};
use crate::progress_file::ProgressFile;
use crate::terminal::ForegroundTerminal;
use crate::usage::UsageSampler;

/// Longest wait for output that was written before the end of the process.
const OUTPUT_WITHIN: Duration = Duration::from_millis(200);
/// Exit codes of a shell for a program that is not there, and for one that can't be run.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// The program's process. It leads a group of its own, so that signals reach all its children.
pub(crate) struct ChildProcess {
    pub(crate) pid: Pid,
    pub(crate) started_at: Instant,
    pub(crate) usage: UsageSampler,
    pub(crate) progress_file: Option<ProgressFile>,
    oom: Option<OomCounter>,
    last_lines: LastLines,
    /// Disconnected when all output was handed on.
    output_done: Receiver<()>,
    terminal: Option<ForegroundTerminal>,
}

/// A program that could not be started.
#[derive(Debug, thiserror::Error)]
#[error("can't run {}: {source}", program.display())]
pub(crate) struct SpawnError {
    program: OsString,
    source: io::Error,
}

impl SpawnError {
    /// Returns the exit code that a shell would have.
    pub(crate) fn code(&self) -> u8 {
        match self.source.kind() {
            io::ErrorKind::NotFound => NOT_FOUND,
            _ => NOT_EXECUTABLE,
        }
    }

    /// Returns the end of a process that never was.
    pub(crate) fn exit(&self) -> ProcessExit {
        let status = ExitStatus { code: Some(u32::from(self.code())), ..ExitStatus::default() };
        ProcessExit { status, last_lines: vec![self.to_string()] }
    }
}

/// What has become of a child of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ChildChange {
    Ended(WaitStatus),
    /// It was stopped from the terminal.
    Stopped,
}

impl ChildProcess {
    pub(crate) fn spawn(
        config: &RunConfig,
        environment: &[(&'static str, String)],
        terminal: Option<ForegroundTerminal>,
        notifier: &OutputNotifier,
        now: Instant,
    ) -> Result<Self, SpawnError> {
        let (program, arguments) = config.command.split_first().expect("a command is not empty");
        let watch = config.stall_watch.as_ref();
        let is_output_watched = watch.is_some_and(|watch| watch.progress_file.is_none());
        let is_stderr_read = is_output_watched || config.report_stderr;
        let pipe_if = |piped: bool| if piped { Stdio::piped() } else { Stdio::inherit() };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdout(pipe_if(is_output_watched))
            .stderr(pipe_if(is_stderr_read));
        let failed = |source| SpawnError { program: program.clone(), source };
        let mut child = command.spawn().map_err(failed)?;
        let pid = Pid::from_child(&child);
        if let Some(terminal) = terminal {
            terminal.give_to(group(pid));
            // It may have asked for the terminal before it was its own, and be stopped for that.
            let _ = kill_process_group(pid, Signal::CONT);
        }
        let last_lines = LastLines::default();
        let progress = is_output_watched.then(|| notifier.clone());
        let (done, output_done) = mpsc::channel();
        if let Some(from) = child.stdout.take() {
            hand_on(from, io::stdout(), None, progress.clone(), done.clone()).map_err(failed)?;
        }
        if let Some(from) = child.stderr.take() {
            hand_on(from, io::stderr(), Some(last_lines.clone()), progress, done)
                .map_err(failed)?;
        }
        Ok(Self {
            pid,
            started_at: now,
            usage: UsageSampler::new(child.id(), now),
            progress_file: watch
                .and_then(|watch| watch.progress_file.clone())
                .map(ProgressFile::watch),
            oom: OomCounter::of(child.id()),
            last_lines,
            output_done,
            terminal,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Sends a signal to the process and all its children.
    pub(crate) fn signal(&self, signal: Signal) {
        // None is left: it has just ended.
        let _ = kill_process_group(self.pid, signal);
    }

    /// Gives the terminal to the program, and lets it go on, after this process was continued.
    pub(crate) fn go_on(&self) {
        if let Some(terminal) = self.terminal {
            terminal.give_to(group(self.pid));
        }
        self.signal(Signal::CONT);
    }

    /// Takes the terminal back from the program that was stopped there.
    pub(crate) fn take_terminal(&self) -> bool {
        self.terminal.is_some_and(|terminal| {
            terminal.take_back();
            true
        })
    }

    /// Returns how it has ended, after its last output.
    pub(crate) fn exit(self, status: WaitStatus) -> ProcessExit {
        self.take_terminal();
        let number = |number: i32| u32::try_from(number).ok();
        let (code, signal) =
            (status.exit_status().and_then(number), status.terminating_signal().and_then(number));
        // A shell that has waited for it has this code.
        let is_killed = signal == Some(9) || code == Some(137);
        let oom_killed = is_killed && self.oom.as_ref().is_some_and(OomCounter::has_grown);
        // Not for long: a child that the program has left behind may hold its output.
        let _ = self.output_done.recv_timeout(OUTPUT_WITHIN);
        ProcessExit {
            status: ExitStatus { code, signal, oom_killed },
            last_lines: self.last_lines.get(),
        }
    }
}

/// Returns the group that a process leads.
fn group(leader: Pid) -> nix::unistd::Pid {
    nix::unistd::Pid::from_raw(leader.as_raw_nonzero().get())
}

/// Returns what has become of the process `pid`, and reaps others: as process 1 of a container it is
/// the parent of all that lost theirs.
pub(crate) fn next_change(pid: Option<Pid>) -> Option<ChildChange> {
    loop {
        match wait(WaitOptions::NOHANG | WaitOptions::UNTRACED) {
            Ok(Some((ended, status))) if Some(ended) == pid => {
                return Some(match status.stopped() {
                    true => ChildChange::Stopped,
                    false => ChildChange::Ended(status),
                });
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return None,
        }
    }
}

/// Returns the exit code with which a shell passes on how a program has ended.
pub(crate) fn exit_code(status: &ExitStatus) -> u8 {
    let code = match (status.code, status.signal) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 1,
    };
    u8::try_from(code).unwrap_or(u8::MAX)
}
