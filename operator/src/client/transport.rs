//! A byte stream to a collector: its unix socket, the pipes of an ssh process, or one within this process.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::sleep;

use super::endpoint::{AccessMode, Endpoint};
use super::error::ClientError;
use super::ssh::SshProcess;
use crate::CollectorDirectories;

pub(super) type BoxedReader = Box<dyn AsyncRead + Send + Unpin>;
pub(super) type BoxedWriter = Box<dyn AsyncWrite + Send + Unpin>;

/// Attempts to connect while more clients want in than the socket's queue holds.
const BUSY_ATTEMPTS: u32 = 100;
const BUSY_WAIT: Duration = Duration::from_millis(20);

/// Both directions to a collector.
pub(super) struct Transport {
    pub(super) reader: BoxedReader,
    pub(super) writer: BoxedWriter,
    pub(super) ssh: Option<SshProcess>,
}

impl Transport {
    pub(super) async fn open(endpoint: &Endpoint, access: AccessMode) -> Result<Self, ClientError> {
        match endpoint {
            Endpoint::Unix(directories) => {
                let (reader, writer) = open_unix(directories, access).await?.into_split();
                Ok(Self { reader: Box::new(reader), writer: Box::new(writer), ssh: None })
            }
            Endpoint::Ssh(ssh) => SshProcess::spawn(ssh, access),
            Endpoint::Local(server) => {
                let (reader, writer) = tokio::io::split(server.connect());
                Ok(Self { reader: Box::new(reader), writer: Box::new(writer), ssh: None })
            }
        }
    }
}

/// Connects to the control socket if its file may be opened by this user, else to the view socket.
/// The collector decides what the connection may do, and says so in its greeting.
///
/// # Errors
/// [`ClientError::NoCollector`] or [`ClientError::NotPermitted`].
async fn open_unix(
    directories: &CollectorDirectories,
    access: AccessMode,
) -> Result<UnixStream, ClientError> {
    if access == AccessMode::Control {
        let path = directories.control_socket();
        match connect(&path).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
            Err(source) => return Err(ClientError::NoCollector { path, source }),
        }
    }
    let path = directories.view_socket();
    connect(&path).await.map_err(|source| connect_error(path, source))
}

/// Connects; waits for its turn when the queue of the socket is full.
async fn connect(path: &Path) -> io::Result<UnixStream> {
    for _ in 1..BUSY_ATTEMPTS {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(BUSY_WAIT).await,
            result => return result,
        }
    }
    UnixStream::connect(path).await
}

fn connect_error(path: PathBuf, source: std::io::Error) -> ClientError {
    match source.kind() {
        ErrorKind::PermissionDenied => ClientError::NotPermitted { path },
        _ => ClientError::NoCollector { path, source },
    }
}

/// Carries bytes between this process's standard streams and the collector's socket until either
/// closes. The version is checked by the client at the other end of the ssh connection.
///
/// Standard input can't be read without a thread that blocks, so the process should exit when this
/// returns, by [`tokio::runtime::Runtime::shutdown_background`] or `std::process::exit`.
///
/// # Errors
/// [`ClientError::NoCollector`] or [`ClientError::NotPermitted`]; [`ClientError::Closed`] when a
/// stream breaks instead of ending.
pub async fn dial_stdio(
    directories: &CollectorDirectories,
    access: AccessMode,
) -> Result<(), ClientError> {
    proxy(directories, access, tokio::io::stdin(), tokio::io::stdout()).await
}

pub(super) async fn proxy(
    directories: &CollectorDirectories,
    access: AccessMode,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
) -> Result<(), ClientError> {
    let (from_collector, to_collector) = open_unix(directories, access).await?.into_split();
    let ended = tokio::select! {
        ended = copy(input, to_collector) => ended,
        ended = copy(from_collector, output) => ended,
    };
    ended.map_err(|error| ClientError::Closed { why: error.to_string() })
}

/// Copies until `from` ends. Flushes after every read: a frame must not wait for the next.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) -> std::io::Result<()> {
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let n = from.read(&mut chunk).await?;
        if n == 0 {
            return to.shutdown().await;
        }
        to.write_all(&chunk[..n]).await?;
        to.flush().await?;
    }
}
