//! How long a collector's greeting is waited for when ssh is in between: bounded, but not while a
//! person is asked for a password, a passphrase, or whether a host is known.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

use super::error::ClientError;
use super::transport::SshMonitor;

/// How often it is looked whether ssh asks something.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long a person may take to answer: as long as sshd keeps a login open by default.
const ASKING_MAX: Duration = Duration::from_secs(120);

/// Processes below one another, from ssh on: proxies, and programs that ask.
const DEPTH_MAX: u32 = 4;

/// Waits for the answer to a greeting.
///
/// # Errors
/// [`ClientError::SshSilent`] after `patience`, during which nobody was asked anything, or after
/// two minutes in which somebody was.
pub(super) async fn wait<T>(
    answer: impl Future<Output = Result<T, ClientError>>,
    patience: Duration,
    ssh: &SshMonitor,
) -> Result<T, ClientError> {
    let mut answer = std::pin::pin!(answer);
    let (mut silent, mut asking) = (Duration::ZERO, Duration::ZERO);
    while silent < patience && asking < ASKING_MAX {
        tokio::select! {
            answer = &mut answer => return answer,
            () = sleep(LOOK_EVERY) => {}
        }
        let is_asking = ssh.pid.is_some_and(|pid| is_asking(Path::new("/proc"), pid, DEPTH_MAX));
        *if is_asking { &mut asking } else { &mut silent } += LOOK_EVERY;
    }
    let waited = silent + asking;
    Err(ClientError::SshSilent { host: ssh.host.clone(), waited, said: ssh.said_so_far() })
}

/// Whether a process or one below it asks a person something. ssh has `/dev/tty` open exactly while
/// it does; without a terminal it runs a program for it, `ssh-askpass` by name.
fn is_asking(proc: &Path, pid: u32, depth: u32) -> bool {
    let process = proc.join(pid.to_string());
    let asks = fs::read_to_string(process.join("comm")).is_ok_and(|name| name.contains("askpass"));
    if asks || has_terminal(&process) {
        return true;
    }
    let below = fs::read_to_string(process.join("task").join(pid.to_string()).join("children"));
    let below = below.unwrap_or_default();
    let mut pids = below.split_whitespace().filter_map(|pid| pid.parse().ok());
    depth > 0 && pids.any(|pid| is_asking(proc, pid, depth - 1))
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
    fn whoever_has_the_terminal_open_is_asking() {
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
        assert!(!is_asking(proc.path(), 1, DEPTH_MAX));
        process(3, "ssh\n", &["pipe:[8]", "/dev/tty"], "");
        assert!(is_asking(proc.path(), 1, DEPTH_MAX), "a proxy of ssh asks");
        process(4, "ssh\n", &[], "5");
        process(5, "ssh-askpass\n", &[], "");
        assert!(is_asking(proc.path(), 4, DEPTH_MAX));
        assert!(!is_asking(proc.path(), 6, DEPTH_MAX), "it has ended");
    }
}
