//! An ssh process that runs `heartline dial-stdio` on the collector's machine.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use heartline_vocabulary::text::is_hostile;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::endpoint::{AccessMode, SshEndpoint};
use super::error::ClientError;
use super::transport::Transport;

/// Most bytes of standard error that are kept: the last ones say why ssh ended.
const STDERR_MAX: usize = 2_048;

/// How long standard error of a closed ssh is read on.
const STDERR_GRACE: Duration = Duration::from_millis(500);

/// How often a silent ssh is checked for a prompt.
const PROMPT_CHECK_EVERY: Duration = Duration::from_millis(250);

/// How long a person may take to answer: as long as sshd keeps a login open by default.
const PROMPT_MAX: Duration = Duration::from_secs(120);

/// Depth of child processes of ssh that are searched for a prompt: proxies, `ssh-askpass`.
const CHILD_DEPTH_MAX: u32 = 4;

/// A running ssh. It is killed when this is dropped.
pub(super) struct SshProcess {
    stderr: Arc<Mutex<Vec<u8>>>,
    stderr_task: JoinHandle<()>,
    child: Child,
    host: String,
}

/// Observes an ssh that another task owns.
pub(super) struct SshMonitor {
    host: String,
    /// `None` when it has ended.
    pid: Option<u32>,
    stderr: Arc<Mutex<Vec<u8>>>,
}

impl SshProcess {
    pub(super) fn spawn(
        endpoint: &SshEndpoint,
        access: AccessMode,
    ) -> Result<Transport, ClientError> {
        if endpoint.host.is_empty() || endpoint.host.starts_with('-') {
            return Err(ClientError::BadHost { host: endpoint.host.clone() });
        }
        let mut child = Command::new(&endpoint.program)
            .args(endpoint.arguments(access))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| ClientError::NoSsh { program: endpoint.program.clone(), source })?;
        let writer = Box::new(child.stdin.take().expect("stdin is piped"));
        let reader = Box::new(child.stdout.take().expect("stdout is piped"));
        let pipe = child.stderr.take().expect("stderr is piped");
        let stderr = Arc::default();
        let stderr_task = tokio::spawn(capture(pipe, Arc::clone(&stderr)));
        let ssh = Self { stderr, stderr_task, child, host: endpoint.host.clone() };
        Ok(Transport { reader, writer, ssh: Some(ssh) })
    }

    /// Returns what ssh printed last, on one line and safe for a terminal: the far side wrote some
    /// of it.
    pub(super) async fn last_error(&mut self) -> Option<String> {
        let _ended = timeout(STDERR_GRACE, &mut self.stderr_task).await;
        scrubbed(&self.stderr)
    }

    pub(super) fn monitor(&self) -> SshMonitor {
        let stderr = Arc::clone(&self.stderr);
        SshMonitor { host: self.host.clone(), pid: self.child.id(), stderr }
    }
}

impl Drop for SshProcess {
    fn drop(&mut self) {
        self.stderr_task.abort();
    }
}

async fn capture(mut pipe: ChildStderr, stderr: Arc<Mutex<Vec<u8>>>) {
    let mut chunk = [0; 512];
    while let Ok(n @ 1..) = pipe.read(&mut chunk).await {
        let mut stderr = stderr.lock().unwrap_or_else(PoisonError::into_inner);
        stderr.extend_from_slice(&chunk[..n]);
        let excess = stderr.len().saturating_sub(STDERR_MAX);
        stderr.drain(..excess);
    }
}

fn scrubbed(stderr: &Mutex<Vec<u8>>) -> Option<String> {
    let stderr = stderr.lock().unwrap_or_else(PoisonError::into_inner);
    let text = one_line(&String::from_utf8_lossy(&stderr));
    (!text.is_empty()).then_some(text)
}

/// Replaces each run of hostile characters and white space by one space.
fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || is_hostile(c));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

impl SshMonitor {
    /// Waits for the reply to a greeting. Time in which ssh prompts a person for a password, a
    /// passphrase, or an unknown host does not count.
    ///
    /// # Errors
    /// [`ClientError::SshSilent`] after `limit` without a prompt, or two minutes of prompts.
    pub(super) async fn wait_for_greeting<T>(
        &self,
        reply: impl Future<Output = Result<T, ClientError>>,
        limit: Duration,
    ) -> Result<T, ClientError> {
        let mut reply = std::pin::pin!(reply);
        let (mut silent, mut prompting) = (Duration::ZERO, Duration::ZERO);
        while silent < limit && prompting < PROMPT_MAX {
            tokio::select! {
                reply = &mut reply => return reply,
                () = sleep(PROMPT_CHECK_EVERY) => {}
            }
            let proc = Path::new("/proc");
            let is_prompting = self.pid.is_some_and(|pid| has_prompt(proc, pid, CHILD_DEPTH_MAX));
            *if is_prompting { &mut prompting } else { &mut silent } += PROMPT_CHECK_EVERY;
        }
        let (host, waited) = (self.host.clone(), silent + prompting);
        Err(ClientError::SshSilent { host, waited, said: scrubbed(&self.stderr) })
    }
}

/// Returns true when a process or a child of it prompts a person. ssh has `/dev/tty` open exactly
/// while it does; without a terminal it runs a program for it, `ssh-askpass` by name.
fn has_prompt(proc: &Path, pid: u32, depth: u32) -> bool {
    let process = proc.join(pid.to_string());
    let name = fs::read_to_string(process.join("comm"));
    if name.is_ok_and(|name| name.contains("askpass")) || has_terminal(&process) {
        return true;
    }
    let children = fs::read_to_string(process.join("task").join(pid.to_string()).join("children"));
    let children = children.unwrap_or_default();
    let mut pids = children.split_whitespace().filter_map(|pid| pid.parse().ok());
    depth > 0 && pids.any(|pid| has_prompt(proc, pid, depth - 1))
}

fn has_terminal(process: &Path) -> bool {
    let Ok(open) = fs::read_dir(process.join("fd")) else { return false };
    let mut files = open.flatten().filter_map(|file| fs::read_link(file.path()).ok());
    files.any(|file| file == Path::new("/dev/tty"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn an_open_terminal_counts_as_a_prompt() {
        let proc = tempfile::tempdir().unwrap();
        let process = |pid: u32, comm: &str, files: &[&str], below: &str| {
            let dir = proc.path().join(pid.to_string());
            fs::create_dir_all(dir.join("fd")).unwrap();
            fs::create_dir_all(dir.join("task").join(pid.to_string())).unwrap();
            fs::write(dir.join("comm"), comm).unwrap();
            fs::write(dir.join("task").join(pid.to_string()).join("children"), below).unwrap();
            for (fd, file) in files.iter().enumerate() {
                symlink(file, dir.join("fd").join(fd.to_string())).unwrap();
            }
        };
        process(1, "ssh\n", &["pipe:[7]", "/dev/null", "socket:[9]"], "2 3 ");
        process(2, "ssh\n", &["pipe:[8]"], "");
        assert!(!has_prompt(proc.path(), 1, CHILD_DEPTH_MAX));
        process(3, "ssh\n", &["pipe:[8]", "/dev/tty"], "");
        assert!(has_prompt(proc.path(), 1, CHILD_DEPTH_MAX), "a proxy of ssh prompts");
        process(4, "ssh\n", &[], "5");
        process(5, "ssh-askpass\n", &[], "");
        assert!(has_prompt(proc.path(), 4, CHILD_DEPTH_MAX));
        assert!(!has_prompt(proc.path(), 6, CHILD_DEPTH_MAX), "it has ended");
    }

    #[test]
    fn errors_of_the_far_side_can_not_drive_a_terminal() {
        let said = "ssh: \x1b[2Jconnect\r\n  to \u{202e}host\u{9b}1m port 22\n";
        assert_eq!(one_line(said), "ssh: [2Jconnect to host 1m port 22");
        assert_eq!(one_line("a\u{ad}b\u{2028}c\u{2029}d\u{e0041}\u{e007f}e"), "a b c d e");
        assert_eq!(one_line(" \r\n"), "");
    }
}
