//! A byte stream to a collector: a unix socket, or the pipes of an ssh.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;

use super::endpoint::{AccessMode, Endpoint, SshEndpoint};
use super::error::ClientError;
use crate::CollectorDirectories;

/// Most bytes of ssh's messages that are kept: the last ones say why it ended.
const STDERR_KEPT: usize = 2_048;

/// How long a closed ssh may take to say the rest.
const STDERR_GRACE: Duration = Duration::from_millis(500);

pub(super) type BoxedReader = Box<dyn AsyncRead + Send + Unpin>;
pub(super) type BoxedWriter = Box<dyn AsyncWrite + Send + Unpin>;

/// Both directions to a collector.
pub(super) struct Transport {
    pub(super) reader: BoxedReader,
    pub(super) writer: BoxedWriter,
    pub(super) ssh: Option<SshProcess>,
}

/// A running ssh. It is killed when this is dropped.
pub(super) struct SshProcess {
    said: Arc<Mutex<Vec<u8>>>,
    listener: JoinHandle<()>,
    child: Child,
    host: String,
}

/// What can be known of an ssh from outside.
pub(super) struct SshMonitor {
    /// The host that it connects to.
    pub(super) host: String,
    /// Its process; `None` when it has ended.
    pub(super) pid: Option<u32>,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Transport {
    pub(super) async fn open(endpoint: &Endpoint, access: AccessMode) -> Result<Self, ClientError> {
        match endpoint {
            Endpoint::Unix(directories) => {
                let (reader, writer) = open_unix(directories, access).await?.into_split();
                Ok(Self { reader: Box::new(reader), writer: Box::new(writer), ssh: None })
            }
            Endpoint::Ssh(ssh) => spawn_ssh(ssh, access),
        }
    }
}

/// Connects to the control socket, or to the view socket where the file mode of the former keeps this
/// user out. A refusal by the collector itself comes later, with its greeting.
///
/// # Errors
/// [`ClientError::NoCollector`] or [`ClientError::NotPermitted`].
pub(super) async fn open_unix(
    directories: &CollectorDirectories,
    access: AccessMode,
) -> Result<UnixStream, ClientError> {
    if access == AccessMode::Control {
        let control = directories.control_socket();
        match UnixStream::connect(&control).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
            Err(source) => return Err(ClientError::NoCollector { path: control, source }),
        }
    }
    let view = directories.view_socket();
    UnixStream::connect(&view).await.map_err(|source| cannot_open(&view, source))
}

fn cannot_open(path: &Path, source: std::io::Error) -> ClientError {
    let path = PathBuf::from(path);
    if source.kind() == ErrorKind::PermissionDenied {
        ClientError::NotPermitted { path }
    } else {
        ClientError::NoCollector { path, source }
    }
}

fn spawn_ssh(endpoint: &SshEndpoint, access: AccessMode) -> Result<Transport, ClientError> {
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
    let writer = child.stdin.take().expect("stdin is piped");
    let reader = child.stdout.take().expect("stdout is piped");
    let stderr = child.stderr.take().expect("stderr is piped");
    let said = Arc::default();
    let listener = tokio::spawn(listen(stderr, Arc::clone(&said)));
    Ok(Transport {
        reader: Box::new(reader),
        writer: Box::new(writer),
        ssh: Some(SshProcess { said, listener, child, host: endpoint.host.clone() }),
    })
}

async fn listen(mut stderr: ChildStderr, said: Arc<Mutex<Vec<u8>>>) {
    let mut chunk = [0; 512];
    while let Ok(n @ 1..) = stderr.read(&mut chunk).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&chunk[..n]);
        let excess = said.len().saturating_sub(STDERR_KEPT);
        said.drain(..excess);
    }
}

impl SshProcess {
    /// What ssh said last, on one line and safe for a terminal: the far side wrote some of it.
    pub(super) async fn last_words(&mut self) -> Option<String> {
        let _ended = tokio::time::timeout(STDERR_GRACE, &mut self.listener).await;
        in_one_line(&self.said)
    }

    /// For whoever waits for it.
    pub(super) fn watch(&self) -> SshMonitor {
        SshMonitor { host: self.host.clone(), pid: self.child.id(), said: Arc::clone(&self.said) }
    }
}

impl SshMonitor {
    /// What ssh said until now, as [`SshProcess::last_words`].
    pub(super) fn said_so_far(&self) -> Option<String> {
        in_one_line(&self.said)
    }
}

fn in_one_line(said: &Mutex<Vec<u8>>) -> Option<String> {
    let said = said.lock().unwrap_or_else(PoisonError::into_inner);
    let text = one_line(&String::from_utf8_lossy(&said));
    (!text.is_empty()).then_some(text)
}

impl Drop for SshProcess {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Replaces runs of whatever could move a cursor or turn text around by one space.
fn one_line(text: &str) -> String {
    let visible = |c: char| !(c.is_control() || c.is_whitespace() || is_invisible(c));
    text.split(|c| !visible(c)).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_far_side_says_can_not_drive_a_terminal() {
        let said = "ssh: \x1b[2Jconnect\r\n  to \u{202e}host\u{9b}1m port 22\n";
        assert_eq!(one_line(said), "ssh: [2Jconnect to host 1m port 22");
        assert_eq!(one_line(" \r\n"), "");
    }
}
