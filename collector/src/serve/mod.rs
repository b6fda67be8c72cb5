//! The operators' server: two sockets, `view.sock` to read and `ctl.sock` to read and act. It runs
//! on a thread of its own and sends requests to the driver.

mod access;
mod alert;
mod answer;
mod authorizer;
mod backup;
mod baseline;
mod connection;
mod health;
mod history;
mod history_reply;
mod incident;
mod job;
mod places;
mod publisher;
mod recent_work;
mod refusal;
mod selection;
mod socket_dir;
mod socket_file;
mod subscription;
mod token;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub use access::{AccessPolicy, SocketRole};
pub use authorizer::PeerAuthorizer;
pub use baseline::publish_baselines;
pub use history_reply::{HistoryReply, QuestionRefusal, answer as answer_about_the_past};
pub use job::JobSlot;
pub use places::{ConnectionLimits, ConnectionPlaces};
pub use publisher::Publisher;
pub use refusal::{ConnectionCounterCells, ConnectionLog};
pub use socket_dir::open_to_operators;

use heartline_operator::message::ErrorCode;
use socket_file::SocketFile;

use crate::alert::AlertDesk;
use crate::driver::DriverHandle;
use crate::keys::CollectorKeys;
use crate::private::private_dir;
use crate::store::{ReaderPool, StoreHandle};
use access::{PeerCredentials, PeerRights};
use connection::Connection;
use places::{ConnectionPlace, PlaceClass};
use refusal::{RefusalCause, refuse};

/// Pause after a connection could not be accepted: out of memory, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Longest wait for connections to take their last replies when the collector ends.
const FAREWELL_WITHIN: Duration = Duration::from_secs(2);

/// The parts of the collector that every connection uses.
#[derive(Clone)]
pub struct ServerContext {
    pub driver: DriverHandle,
    pub readers: ReaderPool,
    pub store: StoreHandle,
    pub publisher: Publisher,
    pub keys: Arc<CollectorKeys>,
    pub host: String,
    pub authorizer: PeerAuthorizer,
    pub places: ConnectionPlaces,
    pub log: ConnectionLog,
    pub data_dir: Arc<Path>,
    pub backups: JobSlot,
    pub incidents: JobSlot,
    pub alerts: Arc<AlertDesk>,
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
        path.parent().map(|dir| open_to_operators(dir, access));
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

    /// Accepts and serves connections until `ending` is true; returns when they have ended.
    pub async fn serve(
        mut self,
        context: ServerContext,
        mut access: watch::Receiver<AccessPolicy>,
        mut ending: watch::Receiver<bool>,
    ) {
        context.authorizer.prefetch();
        let mut connections = JoinSet::new();
        let mut look = tokio::time::interval(FILE_CHECK_INTERVAL);
        loop {
            tokio::select! {
                _ = look.tick() => {
                    let access = access.borrow().clone();
                    self.check_file(&context.driver, &access);
                }
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => self.admit(stream, &context, &ending, &mut connections),
                    Err(error) => {
                        let why = format!("can't accept it: {error}");
                        context.log.record(RefusalCause::NotAccepted, &why);
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                // Ended tasks are forgotten, and what they panicked with is in the log.
                Some(_) = connections.join_next() => {}
                Ok(()) = access.changed() => {
                    self.set_mode(&access.borrow_and_update());
                    connections.spawn(context.clone().evict_changed());
                }
                () = ended(&mut ending) => break,
            }
        }
        // They have been told, and a request under way is answered before they end.
        let ended =
            timeout(FAREWELL_WITHIN, async { while connections.join_next().await.is_some() {} });
        if ended.await.is_err() {
            tracing::warn!("{} operators did not take their last replies", connections.len());
        }
    }

    /// Gives a connection a place, or closes it at once.
    fn admit(
        &self,
        stream: UnixStream,
        context: &ServerContext,
        ending: &watch::Receiver<bool>,
        connections: &mut JoinSet<()>,
    ) {
        let peer = match stream.peer_cred() {
            Ok(peer) => PeerCredentials { uid: peer.uid(), gid: peer.gid() },
            Err(error) => {
                let why = format!("can't read the peer's credentials: {error}");
                return context.close(&stream, RefusalCause::Unidentified, why);
            }
        };
        let known = context.authorizer.known(peer);
        if let Some(Err(why)) = known.as_ref().map(|rights| rights.over(self.role)) {
            return context.close(&stream, RefusalCause::NotAllowed, why);
        }
        let is_owner = context.authorizer.is_owner(peer.uid);
        let class = match self.role {
            SocketRole::Control if is_owner => PlaceClass::Reserved,
            _ => PlaceClass::General,
        };
        let place = context.places.take(peer, self.role, class);
        let peer = PeerConnection { stream, place, peer, known, socket: self.role };
        connections.spawn(serve_peer(peer, context.clone(), ending.clone()));
    }

    fn set_mode(&self, policy: &AccessPolicy) {
        for warning in
            self.file.path().parent().map(|dir| open_to_operators(dir, policy)).unwrap_or_default()
        {
            tracing::warn!("{warning}");
        }
        let mode = fs::Permissions::from_mode(policy.mode(self.role));
        if let Err(error) = fs::set_permissions(self.file.path(), mode) {
            tracing::warn!("can't change who may open {}: {error}", self.file.path().display());
        }
    }
}

impl ServerContext {
    /// Closes a connection with a reason, counts it, and logs it unless others have just been.
    fn close(&self, stream: &UnixStream, cause: RefusalCause, why: String) {
        self.log.record(cause, &why);
        let code = match cause {
            RefusalCause::NotAllowed => ErrorCode::NotAllowed,
            _ => ErrorCode::Busy,
        };
        refuse(stream, code, why);
    }

    /// Ends the connections of everybody who has other rights by now.
    async fn evict_changed(self) {
        for peer in self.places.peers() {
            // Who can't be looked up has none; an operator connects again.
            let nobody = |_| PeerRights { name: String::new(), role: None };
            let rights = self.authorizer.rights_of(peer).await.unwrap_or_else(nobody);
            self.places.evict_changed(peer, &rights);
        }
    }
}

/// A connection that has a place.
struct PeerConnection {
    stream: UnixStream,
    place: ConnectionPlace,
    peer: PeerCredentials,
    /// The rights of the peer, if it was looked up lately.
    known: Option<PeerRights>,
    socket: SocketRole,
}

/// Looks a peer up and serves it, unless it has no access or has to make room.
async fn serve_peer(peer: PeerConnection, context: ServerContext, ending: watch::Receiver<bool>) {
    let PeerConnection { stream, place, peer, mut known, socket } = peer;
    loop {
        let rights = match known.take() {
            Some(rights) => Ok(rights),
            None => tokio::select! {
                rights = context.authorizer.rights_of(peer) => rights,
                () = place.replaced() => {
                    let why = format!("uid {}: closed for newer connections", peer.uid);
                    return context.close(&stream, RefusalCause::Evicted, why);
                }
            },
        };
        let rights = match rights {
            Ok(rights) => rights,
            Err(error) => {
                return context.close(&stream, RefusalCause::Unidentified, error.to_string());
            }
        };
        let role = match rights.over(socket) {
            Ok(role) => role,
            Err(why) => return context.close(&stream, RefusalCause::NotAllowed, why),
        };
        if place.try_set_role(role) {
            let is_owner = context.authorizer.is_owner(peer.uid);
            let connection = Connection { stream, place, role, user: rights.name, is_owner };
            return connection::serve(connection, context, ending).await;
        }
    }
}

/// Returns when the collector is about to end.
async fn ended(ending: &mut watch::Receiver<bool>) {
    // An error says that the sender is gone, which is an end, too.
    let _ = ending.wait_for(|ending| *ending).await;
}
