//! The operators' server: two sockets, `view.sock` to read and `ctl.sock` to read and act. It runs
//! on a thread of its own and sends requests to the driver.

mod access;
mod answer;
mod connection;
mod publisher;
mod subscription;
mod token;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

pub use access::{AccessPolicy, SocketRole};
pub use publisher::Publisher;

use heartline_operator::message::ErrorCode;

use crate::driver::DriverHandle;
use crate::keys::CollectorKeys;
use crate::store::{ReaderPool, StoreHandle};

/// Most connections at once; further ones are refused with a reason.
const CONNECTIONS_MAX: usize = 256;

/// The parts of the collector that every connection uses.
#[derive(Clone)]
pub struct ServerContext {
    pub driver: DriverHandle,
    pub readers: ReaderPool,
    pub store: StoreHandle,
    pub publisher: Publisher,
    pub keys: Arc<CollectorKeys>,
    pub host: String,
}

/// Why operators can't be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A socket can't be made.
    #[error("can't serve operators on {path}: {source}; choose another place with --socket-dir")]
    Bind {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// One of the two sockets. Its file is removed when this is dropped.
pub struct OperatorListener {
    role: SocketRole,
    path: PathBuf,
    listener: UnixListener,
}

impl OperatorListener {
    /// Makes the socket. One that a dead collector left behind is replaced: the lock on the data
    /// directory says that no other collector lives.
    ///
    /// # Errors
    /// [`ServeError::Bind`].
    pub fn bind(path: &Path, role: SocketRole, access: &AccessPolicy) -> Result<Self, ServeError> {
        let bind = |source| ServeError::Bind { path: path.to_owned(), source };
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            let source =
                io::Error::new(io::ErrorKind::AddrInUse, "another collector answers there");
            return Err(bind(source));
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(bind(error)),
            _ => {}
        }
        let listener = UnixListener::bind(path).map_err(bind)?;
        let mode = fs::Permissions::from_mode(access.mode(role));
        fs::set_permissions(path, mode).map_err(bind)?;
        Ok(Self { role, path: path.to_owned(), listener })
    }

    /// Accepts and serves connections until `ending` is true.
    pub async fn serve(
        self,
        context: ServerContext,
        access: watch::Receiver<AccessPolicy>,
        mut ending: watch::Receiver<bool>,
    ) {
        let open = Arc::new(AtomicUsize::new(0));
        loop {
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of file descriptors, most likely: some will be closed.
                        tracing::warn!("can't accept a connection: {error}");
                        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                        continue;
                    }
                },
                () = ended(&mut ending) => return,
            };
            let access = access.borrow().clone();
            let user = match authorize(&stream, self.role, &access, open.load(Ordering::Relaxed)) {
                Ok(user) => user,
                Err((code, why)) => {
                    tracing::warn!("refused an operator: {why}");
                    tokio::spawn(connection::refuse(stream, code, why));
                    continue;
                }
            };
            open.fetch_add(1, Ordering::Relaxed);
            let (open, context, ending) = (Arc::clone(&open), context.clone(), ending.clone());
            let role = self.role;
            tokio::spawn(async move {
                connection::serve(stream, role, user, context, ending).await;
                open.fetch_sub(1, Ordering::Relaxed);
            });
        }
    }
}

impl Drop for OperatorListener {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Returns when the collector is about to end.
async fn ended(ending: &mut watch::Receiver<bool>) {
    // An error says that the sender is gone, which is an end, too.
    let _ = ending.wait_for(|ending| *ending).await;
}

fn authorize(
    stream: &UnixStream,
    role: SocketRole,
    access: &AccessPolicy,
    open: usize,
) -> Result<String, (ErrorCode, String)> {
    if open >= CONNECTIONS_MAX {
        let why = format!("{CONNECTIONS_MAX} operators are connected already: try again later");
        return Err((ErrorCode::Busy, why));
    }
    let peer = stream.peer_cred().map_err(|error| {
        (ErrorCode::NotAllowed, format!("can't read the peer's credentials: {error}"))
    })?;
    access.authorize(role, peer.uid(), peer.gid()).map_err(|why| (ErrorCode::NotAllowed, why))
}
