//! A server in this process, which is reached without a socket.

use std::fmt;
use std::sync::Arc;

use tokio::io::DuplexStream;

/// Bytes that wait in each direction.
const BUFFER: usize = 64 << 10;

/// A server in this process. Clones are the same one.
#[derive(Clone)]
pub struct LocalServer(Arc<dyn Fn(DuplexStream) + Send + Sync>);

impl LocalServer {
    /// Creates one. `serve` is called for each connection, with the server's end of it, and must not block.
    pub fn new(serve: impl Fn(DuplexStream) + Send + Sync + 'static) -> Self {
        Self(Arc::new(serve))
    }

    /// Connects; returns the client's end.
    pub(super) fn connect(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        (self.0)(theirs);
        ours
    }
}

impl PartialEq for LocalServer {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for LocalServer {}

impl fmt::Debug for LocalServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalServer")
    }
}
