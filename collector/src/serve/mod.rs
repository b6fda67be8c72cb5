//! The operators' server: two sockets, `view.sock` to read and `ctl.sock` to read and act. It runs
//! on a thread of its own and sends requests to the driver.

mod access;
mod answer;
mod connection;
mod publisher;
mod socket_file;
mod subscription;
mod token;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

pub use access::{AccessPolicy, SocketRole};
pub use publisher::Publisher;

use heartline_operator::message::ErrorCode;
use socket_file::SocketFile;

use crate::driver::DriverHandle;
use crate::keys::CollectorKeys;
use crate::private::private_dir;
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
    /// Something else has the socket's name.
    #[error(
        "can't serve operators on {path}: what is there is no socket, and is left alone; move it away, \
         or choose another place with --socket-dir"
    )]
    NotASocket {
        /// Where the socket would be.
        path: PathBuf,
    },
}

/// How often a socket looks whether operators still find it.
const FILE_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Checks for which operators are told that a socket was swept away.
const SWEPT_BANNER_CHECKS: u32 = 600;

/// One of the two sockets. Its file is removed when this is dropped.
pub struct OperatorListener {
    role: SocketRole,
    file: SocketFile,
    listener: UnixListener,
    /// Checks until the banner about a swept file is taken down.
    banner_checks: u32,
}

impl OperatorListener {
    /// Makes the socket. One that a dead collector left behind is replaced: the lock on the data
    /// directory says that no other collector lives.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn bind(path: &Path, role: SocketRole, access: &AccessPolicy) -> Result<Self, ServeError> {
        let (file, listener) = SocketFile::bind(path, access.mode(role))?;
        Ok(Self { role, file, listener, banner_checks: 0 })
    }

    /// Binds the socket again if its file was removed or replaced, and says so.
    fn check_file(&mut self, driver: &DriverHandle, access: &AccessPolicy) {
        if self.file.is_in_place() {
            self.banner_checks = self.banner_checks.saturating_sub(1);
            if self.banner_checks == 1 {
                driver.report_condition(self.role.socket_name(), None);
            }
            return;
        }
        let path = self.file.path().to_owned();
        // Its directory may be gone, too; what is wrong with it shows when the socket is bound.
        let made = path.parent().map(|dir| private_dir(dir, "--socket-dir"));
        let bound = SocketFile::bind(&path, access.mode(self.role));
        let path = path.display();
        let sentence = match (bound, made) {
            (Ok((file, listener)), _) => {
                (self.file, self.listener) = (file, listener);
                format!("{path} was removed while heartlined runs, and is there again")
            }
            (Err(_), Some(Err(error))) => format!("{path} was removed, and {error}"),
            (Err(error), _) => format!("{path} was removed or replaced: {error}"),
        };
        self.banner_checks = SWEPT_BANNER_CHECKS;
        driver.report_condition(self.role.socket_name(), Some(sentence));
    }

    /// Accepts and serves connections until `ending` is true.
    pub async fn serve(
        mut self,
        context: ServerContext,
        access: watch::Receiver<AccessPolicy>,
        mut ending: watch::Receiver<bool>,
    ) {
        let open = Arc::new(AtomicUsize::new(0));
        let mut look = tokio::time::interval(FILE_CHECK_INTERVAL);
        loop {
            let stream = tokio::select! {
                _ = look.tick() => {
                    let access = access.borrow().clone();
                    self.check_file(&context.driver, &access);
                    continue;
                }
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of file descriptors, most likely: some will be closed.
                        tracing::warn!("can't accept a connection: {error}");
                        tokio::time::sleep(Duration::from_millis(200)).await;
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
