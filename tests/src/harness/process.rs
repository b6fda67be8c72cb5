//! A running program and its output.

use std::io::{self, BufRead as _, BufReader, Read};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::wait::wait_for;

/// A running program whose output is collected; killed on drop.
pub struct TestProcess {
    name: String,
    child: Child,
    stdout: OutputLines,
    stderr: OutputLines,
}

type OutputLines = Arc<Mutex<Vec<String>>>;

impl TestProcess {
    /// Starts a program without standard input.
    ///
    /// # Panics
    /// If it can't be started.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let started = Self::spawn(command.stdin(Stdio::null()));
        started.unwrap_or_else(|error| {
            panic!("can't start {}: {error}", command.get_program().to_string_lossy())
        })
    }

    /// Starts a program that reads what is written to the pipe.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start_with_input(command: &mut Command) -> io::Result<(Self, ChildStdin)> {
        let mut process = Self::spawn(command.stdin(Stdio::piped()))?;
        let input = process.child.stdin.take().expect("it was piped");
        Ok((process, input))
    }

    fn spawn(command: &mut Command) -> io::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let stdout = collect_lines(child.stdout.take().expect("it was piped"));
        let stderr = collect_lines(child.stderr.take().expect("it was piped"));
        Ok(Self { name, child, stdout, stderr })
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the lines of standard output so far.
    pub fn stdout(&self) -> Vec<String> {
        lock(&self.stdout).clone()
    }

    /// Returns the lines of standard error so far.
    pub fn stderr(&self) -> Vec<String> {
        lock(&self.stderr).clone()
    }

    /// Waits for a line on standard output for which `pick` returns a value.
    ///
    /// # Panics
    /// If there is none in time, or the program ends before.
    #[track_caller]
    pub fn wait_for_line<T>(&mut self, what: &str, pick: impl Fn(&str) -> Option<T>) -> T {
        wait_for(what, || {
            let found = lock(&self.stdout).iter().find_map(|line| pick(line));
            if found.is_none() && self.has_ended() {
                let stderr = self.stderr().join("\n");
                panic!("{} ended before this: {what}\n{stderr}", self.name);
            }
            found
        })
    }

    /// Returns whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If the process has ended.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap_or_else(|error| panic!("{signal:?}: {error}"));
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// If it does not end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let what = format!("{} ends", self.name);
        wait_for(&what, || self.child.try_wait().expect("it is a child of this process"))
    }

    /// Ends it with SIGKILL.
    pub fn kill_9(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        self.kill_9();
        if thread::panicking() {
            eprintln!("--- standard error of {}:\n{}", self.name, self.stderr().join("\n"));
        }
    }
}

fn collect_lines(pipe: impl Read + Send + 'static) -> OutputLines {
    let lines = OutputLines::default();
    let into = Arc::clone(&lines);
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&line);
            lock(&into).push(text.trim_end_matches('\n').to_owned());
            line.clear();
        }
    });
    lines
}

fn lock(lines: &OutputLines) -> MutexGuard<'_, Vec<String>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}
