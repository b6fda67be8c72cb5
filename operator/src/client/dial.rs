//! The far side of `--ssh`: standard input and output, joined to a collector's socket.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::endpoint::AccessMode;
use super::error::ClientError;
use super::transport::open_unix;
use crate::CollectorDirectories;

/// Carries bytes between this process's standard streams and the collector's socket until either
/// closes. Bytes are carried as they are: the version is checked by the one who speaks.
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
    join(directories, access, tokio::io::stdin(), tokio::io::stdout()).await
}

pub(super) async fn join(
    directories: &CollectorDirectories,
    access: AccessMode,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
) -> Result<(), ClientError> {
    let (from_collector, to_collector) = open_unix(directories, access).await?.into_split();
    let ended = tokio::select! {
        ended = carry(input, to_collector) => ended,
        ended = carry(from_collector, output) => ended,
    };
    ended.map_err(|error| ClientError::Closed { why: error.to_string() })
}

/// Copies until `from` ends. Flushes whatever came at once: a frame must not wait for the next.
async fn carry(
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
