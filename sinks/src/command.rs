//! A command: arguments from the config and no shell, JSON on its standard input.
//!
//! 1. It runs in a process group of its own, with a clean environment, and one at a time.
//! 2. After the time-out its group is terminated, and killed two seconds later.
//! 3. Exit code 0: taken. 75 (`EX_TEMPFAIL`), or a time-out: later. Any other: this message is refused.
//! 4. What it leaves in its group is killed, so that nothing piles up.

use std::io::{self, Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::clock::Deadline;
use crate::text::clean_to;
use crate::{Outcome, Permanence};

/// Bytes of its standard error that are kept.
const STDERR_MAX: u64 = 2_048;

/// Characters of it that are shown.
const SHOWN_MAX: usize = 200;

/// Time between the request to end and the kill.
const TERM_GRACE: Duration = Duration::from_secs(2);

/// Time in which the rest of its standard error is read after it has ended.
const STDERR_GRACE: Duration = Duration::from_millis(500);

/// "Try again", by `sysexits.h`.
const EX_TEMPFAIL: i32 = 75;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command that is run for each message.
pub(crate) struct CommandSink {
    pub(crate) argv: Vec<String>,
    pub(crate) timeout: Duration,
}

/// How a run ended.
enum RunEnd {
    Exited(ExitStatus),
    TimedOut,
}

impl CommandSink {
    /// Runs the command once.
    pub(crate) fn send(&self, input: Vec<u8>) -> Outcome {
        let [program, arguments @ ..] = self.argv.as_slice() else {
            return refused("there is no command".to_owned());
        };
        let spawned = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("LANG", "C.UTF-8")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            // No process or memory left: that passes.
            Err(error) if matches!(error.raw_os_error(), Some(11 | 12)) => {
                return Outcome::retry(format!("can't run {program}: {error}"));
            }
            Err(error) => return refused(format!("can't run {program}: {error}")),
        };
        let said = child.stderr.take().map(read_stderr);
        if let Some(mut stdin) = child.stdin.take() {
            // A command that does not read is ended by the time-out, and this with it.
            thread::spawn(move || stdin.write_all(&input));
        }
        let end = wait(&mut child, self.timeout);
        let said = said.and_then(|it| it.recv_timeout(STDERR_GRACE).ok()).unwrap_or_default();
        match end {
            Ok(end) => self.outcome(&end, &said),
            Err(error) => Outcome::unknown(format!("can't wait for {program}: {error}")),
        }
    }

    fn outcome(&self, end: &RunEnd, said: &str) -> Outcome {
        let detail = if said.is_empty() { String::new() } else { format!(": {said}") };
        match end {
            RunEnd::TimedOut => {
                let timeout_s = self.timeout.as_secs_f64();
                Outcome::unknown(format!("ended after {timeout_s} s, its time-out{detail}"))
            }
            RunEnd::Exited(status) => match (status.code(), status.signal()) {
                (Some(0), _) => {
                    Outcome::Delivered { answer: format!("exit code 0{detail}"), pause: None }
                }
                (Some(EX_TEMPFAIL), _) => {
                    Outcome::retry(format!("exit code {EX_TEMPFAIL}, try again{detail}"))
                }
                (Some(code), _) => {
                    Outcome::MessageRefused { why: format!("exit code {code}{detail}") }
                }
                (None, signal) => Outcome::MessageRefused {
                    why: format!("ended by signal {}{detail}", signal.unwrap_or_default()),
                },
            },
        }
    }
}

fn refused(why: String) -> Outcome {
    Outcome::SinkRefused { why, permanence: Permanence::UntilRepaired }
}

/// Reads the begin of what a command says, and the rest away. A thread of its own, because what the
/// command leaves behind may keep the pipe open.
fn read_stderr(mut stderr: ChildStderr) -> mpsc::Receiver<String> {
    let (sender, said) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _cut_short = stderr.by_ref().take(STDERR_MAX).read_to_end(&mut bytes);
        // Nobody waits any more where the time was up.
        let _late = sender.send(clean_to(&String::from_utf8_lossy(&bytes), SHOWN_MAX));
        let _rest = io::copy(&mut stderr, &mut io::sink());
    });
    said
}

fn wait(child: &mut Child, timeout: Duration) -> io::Result<RunEnd> {
    let pid = Pid::from_child(child);
    let has_ended = wait_until(pid, timeout)?;
    if !has_ended {
        let _gone = kill_process_group(pid, Signal::TERM);
        wait_until(pid, TERM_GRACE)?;
    }
    // Before its id is free for others, which it is once it is waited for.
    let _gone = kill_process_group(pid, Signal::KILL);
    let status = child.wait()?;
    Ok(if has_ended { RunEnd::Exited(status) } else { RunEnd::TimedOut })
}

/// Returns whether a child ends within this time.
fn wait_until(pid: Pid, within: Duration) -> io::Result<bool> {
    let deadline = Deadline::after(within);
    let handle = pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        let left = deadline.left();
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&timeout)) {
            Ok(0) if deadline.left().is_zero() => return Ok(false),
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(argv: &[&str], input: &str, timeout_ms: u64) -> Outcome {
        let argv = argv.iter().map(|it| (*it).to_owned()).collect();
        let sink = CommandSink { argv, timeout: Duration::from_millis(timeout_ms) };
        sink.send(input.as_bytes().to_vec())
    }

    fn shell(script: &str, timeout_ms: u64) -> Outcome {
        run(&["/bin/sh", "-c", script], "{}", timeout_ms)
    }

    #[test]
    fn exit_codes_say_what_became_of_a_message() {
        assert!(matches!(shell("exit 0", 5_000), Outcome::Delivered { .. }));
        assert!(matches!(shell("exit 75", 5_000), Outcome::Retry { .. }));
        let refused = shell("printf 'no\\033[2J\\n' >&2; exit 3", 5_000);
        assert_eq!(refused, Outcome::MessageRefused { why: "exit code 3: no\u{fffd}[2J".into() });
        let killed = shell("kill -9 $$", 5_000);
        assert_eq!(killed, Outcome::MessageRefused { why: "ended by signal 9".into() });
        let missing = run(&["/nonexistent/program"], "", 5_000);
        assert!(matches!(missing, Outcome::SinkRefused { .. }), "{missing:?}");
    }

    #[test]
    fn it_gets_its_message_and_no_environment() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("out").display().to_string();
        let script = format!("cat > {file}; env | sort >> {file}; pwd >> {file}");
        let long = "x".repeat(64 << 10);
        assert!(matches!(
            run(&["/bin/sh", "-c", &script], &long, 5_000),
            Outcome::Delivered { .. }
        ));
        let out = std::fs::read_to_string(&file).unwrap();
        let (message, rest) = out.split_at(long.len());
        assert_eq!(message, long);
        let names: Vec<&str> = rest.lines().map(|it| it.split('=').next().unwrap()).collect();
        assert!(
            names
                .iter()
                .all(|it| ["LANG", "PATH", "PWD", "OLDPWD", "SHLVL", "_", "/"].contains(it)),
            "{names:?}"
        );
    }

    #[test]
    fn one_that_hangs_is_ended_with_what_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pids").display().to_string();
        // Neither of both reads, and both ignore the request to end.
        let script =
            format!("trap '' TERM; sleep 1000 & echo $! $$ > {file}; while :; do wait; done");
        let outcome = shell(&script, 300);
        assert!(
            matches!(&outcome, Outcome::Retry { why, .. } if why.contains("0.3 s")),
            "{outcome:?}"
        );
        for pid in std::fs::read_to_string(&file).unwrap().split_whitespace() {
            // A signal is sent at once and obeyed when its process is next on a core.
            let deadline = Deadline::after(Duration::from_secs(30));
            while let Some(state) = running(pid) {
                assert!(!deadline.left().is_zero(), "{pid}: {state}");
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Returns the `stat` of a process that has not ended.
    fn running(pid: &str) -> Option<String> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        (!stat.contains(") Z ")).then_some(stat)
    }

    #[test]
    fn what_it_says_without_end_is_read_away() {
        let outcome = shell("yes x | head -c 10000000 >&2; exit 1", 10_000);
        let why = outcome.why().unwrap();
        assert!(
            matches!(outcome, Outcome::MessageRefused { .. }) && why.chars().count() < 230,
            "{why}"
        );
    }
}
