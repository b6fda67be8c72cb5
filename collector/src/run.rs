//! A collector from its first look at the disk to its last commit.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use heartline_config::{Config, ConfigError};
use heartline_fleet::{Fleet, FleetConfig, Input, MonoTime};
use heartline_operator::{CONTROL_SOCKET, VIEW_SOCKET};
use heartline_protocol::challenge::ChallengeKey;
use rustix::fs::Mode;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::clock::{self, WallClockAnchor};
use crate::descriptors::raise_descriptor_limit;
use crate::driver::{CollectorInfo, Driver, DriverHandle, DriverRequest, driver_channel};
use crate::ingest::{BindError, Ingest, IngestSocket, Keyring};
use crate::keys::{self, CollectorKeys, KeyError};
use crate::priority::{ThreadRole, lower_priority};
pub use crate::private::DirectoryError;
use crate::private::private_dir;
use crate::serve::{
    AccessPolicy, ConnectionLimits, ConnectionLog, ConnectionPlaces, JobSlot, OperatorListener,
    PeerAuthorizer, Publisher, ServeError, ServerContext, SocketRole, open_to_operators,
    publish_baselines,
};
use crate::store::{
    DataDirLock, DataDirLockError, ReadError, ReaderPool, ReaderPoolConfig, RestoredState, Store,
    StoreConfig, StoreError,
};

/// How often the files with the keys are looked at.
const FILE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The reason why a collector could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Another collector has the data directory.
    #[error(transparent)]
    Lock(#[from] DataDirLockError),
    /// There are no keys to work with.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The databases can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The databases can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An address can't be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Operators can't be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A directory can't be made or used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A thread, a signal handler or a descriptor can't be had, or a socket has failed.
    #[error("can't {verb}: {source}")]
    System { verb: &'static str, source: std::io::Error },
}

impl RunError {
    /// Returns the exit code: 3 can't bind or open, 4 stored data refused.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Store(error) => error.exit_code(),
            Self::Keys(error) => error.exit_code(),
            _ => 3,
        }
    }
}

/// Reads the changed configuration of a running collector, at HUP.
pub type ReloadConfig = Box<dyn Fn() -> Result<Config, ConfigError> + Send>;

/// Runs a collector until TERM or INT: then everything is committed and its clients are told.
///
/// # Errors
/// [`RunError`] says what was attempted, on what, and what to do.
pub fn run(config: &Config, reload: &ReloadConfig) -> Result<(), RunError> {
    let system = |verb| move |source| RunError::System { verb, source };
    let limits = ConnectionLimits::for_descriptors(raise_descriptor_limit());
    // What this process creates is for its user alone, whatever it was started with.
    rustix::process::umask(Mode::from_raw_mode(0o077));
    private_dir(&config.data_dir, "--data-dir")?;
    private_dir(&config.socket_dir, "--socket-dir")?;
    let _lock = DataDirLock::acquire(&config.data_dir)?;
    let keys = CollectorKeys::load(&config.data_dir)?;
    announce_created_files(&keys);
    let addresses = config.listen.iter();
    let udp_sockets: Vec<IngestSocket> =
        addresses.map(|&address| IngestSocket::bind(address)).collect::<Result<_, _>>()?;
    announce_families(&udp_sockets);
    let (driver_handle, inbox) = driver_channel().map_err(system("make an event descriptor"))?;
    let anchor = WallClockAnchor::read();
    let store_config =
        StoreConfig { data_dir: config.data_dir.clone(), retention: config.retention };
    let (store, restored) = Store::open(&store_config, anchor, driver_handle.store_event_sink())?;
    let open_readers = |pool| ReaderPool::open(&config.data_dir, &pool);
    let readers = open_readers(ReaderPoolConfig::OPERATORS)?;
    let event_reader = open_readers(ReaderPoolConfig::PUBLISHER)?;
    let work_reader = open_readers(ReaderPoolConfig::WORK)?;

    let now = clock::now();
    let boot = ChallengeKey::new(&keys::random_key()?);
    let mut keyring = Keyring::new(keys.masters.clone(), boot, now);
    for revocation in &restored.revocations {
        keyring.set_revoked(revocation.epoch, &revocation.scope, true);
    }
    let access = AccessPolicy::new(config.access.clone());
    let mut info = info(&udp_sockets, &restored, anchor, now);
    for warning in open_to_operators(&config.socket_dir, &access) {
        tracing::warn!("{warning}");
        info.banners.push(warning);
    }
    let connections = Arc::clone(&info.connections);
    let fleet = restore(config, restored, now)?;
    let ingest = Ingest::new(udp_sockets, keyring);
    let udp: Vec<String> = ingest.addresses().iter().map(ToString::to_string).collect();
    let host = info.host.clone();

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("start the operators' runtime"))?;
    let guard = runtime.enter();
    let (access_tx, access_rx) = watch::channel(access.clone());
    let ctl_path = config.socket_dir.join(CONTROL_SOCKET);
    let view_path = config.socket_dir.join(VIEW_SOCKET);
    let ctl = OperatorListener::bind(&ctl_path, SocketRole::Control, &access)?;
    let view = OperatorListener::bind(&view_path, SocketRole::View, &access)?;
    let signals = Signals::new().map_err(system("handle signals"))?;

    let store_handle = store.handle();
    let driver = Driver::new(fleet, ingest, store, inbox, info, anchor);
    let driver = thread::Builder::new()
        .name("driver".into())
        .spawn(move || driver.run())
        .map_err(system("start the driver's thread"))?;
    // Whoever started this may not read it.
    let (ctl_path, view_path) = (ctl_path.display(), view_path.display());
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "ready udp={} ctl={ctl_path} view={view_path}", udp.join(","))
        .and_then(|()| stdout.flush());

    lower_priority(ThreadRole::Operators);
    let (ending_tx, ending_rx) = watch::channel(false);
    runtime.block_on(async {
        tokio::spawn(publish_baselines(driver_handle.clone(), work_reader.clone()));
        let publisher = Publisher::start(driver_handle.clone(), event_reader, work_reader);
        let keys = Arc::new(keys);
        let handle = driver_handle.clone();
        let store = store_handle;
        let secrets = Arc::clone(&keys);
        let jobs = ["backup", "incident file"].map(JobSlot::new);
        let [backups, incidents] = jobs.clone();
        let context = ServerContext {
            driver: handle,
            readers,
            store,
            publisher,
            keys,
            host,
            authorizer: PeerAuthorizer::new(access_rx.clone()),
            places: ConnectionPlaces::new(limits),
            log: ConnectionLog::new(connections),
            data_dir: config.data_dir.as_path().into(),
            backups,
            incidents,
        };
        let listeners = [ctl, view].map(|listener| {
            tokio::spawn(listener.serve(context.clone(), access_rx.clone(), ending_rx.clone()))
        });
        let files = (&*secrets, &*config.data_dir);
        signals.obey(&driver_handle, reload, &access_tx, &driver, files).await;
        // Clients are told first; the last commits do not need them.
        ending_tx.send_replace(true);
        for listener in listeners {
            let _ = listener.await;
        }
        for job in &jobs {
            job.end().await;
        }
    });
    drop(guard);
    // A name service that hangs must not hold up the end.
    runtime.shutdown_background();
    driver_handle.send(DriverRequest::End);
    match driver.join() {
        Ok(ended) => ended.map_err(system("go on receiving beats")),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The signals that a collector obeys.
struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    /// Returns at TERM, at INT, and when the driver has ended by itself.
    async fn obey(
        mut self,
        handle: &DriverHandle,
        reload: &ReloadConfig,
        access: &watch::Sender<AccessPolicy>,
        driver: &thread::JoinHandle<std::io::Result<()>>,
        (keys, data_dir): (&CollectorKeys, &Path),
    ) {
        let mut look = tokio::time::interval(FILE_CHECK_INTERVAL);
        loop {
            tokio::select! {
                _ = self.term.recv() => return,
                _ = self.int.recv() => return,
                _ = self.hup.recv() => reconfigure(handle, reload, access),
                _ = look.tick() => {
                    if driver.is_finished() {
                        return;
                    }
                    handle.report_condition(keys::MASTER_FILE, keys.check_files(data_dir));
                }
            }
        }
    }
}

/// Takes a changed configuration, all of it or nothing.
fn reconfigure(handle: &DriverHandle, reload: &ReloadConfig, access: &watch::Sender<AccessPolicy>) {
    match reload() {
        Ok(config) => {
            access.send_replace(AccessPolicy::new(config.access));
            handle.send(DriverRequest::Rules(config.rules));
            tracing::info!(
                "configuration reloaded; addresses, directories and retention change with a restart"
            );
        }
        Err(error) => tracing::error!("configuration not reloaded: {error}"),
    }
}

fn info(
    udp_sockets: &[IngestSocket],
    restored: &RestoredState,
    anchor: WallClockAnchor,
    now: MonoTime,
) -> CollectorInfo {
    let small_buffer = udp_sockets.iter().find_map(IngestSocket::receive_buffer_warning);
    for warning in small_buffer.iter().chain(&restored.banners) {
        tracing::warn!("{warning}");
    }
    CollectorInfo {
        started_ms: anchor.wall_ms(now),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        banners: small_buffer.into_iter().chain(restored.banners.iter().cloned()).collect(),
        control_paused: None,
        conditions: Default::default(),
        connections: Arc::default(),
    }
}

/// A fleet that goes on where the last collector ended. The sockets are bound already: from here on
/// everybody has their own limit to be heard.
fn restore(config: &Config, restored: RestoredState, now: MonoTime) -> Result<Fleet, KeyError> {
    let seed = keys::random_key()?;
    let word = |n: usize| u64::from_le_bytes(std::array::from_fn(|byte| seed[8 * n + byte]));
    let fleet_config = FleetConfig {
        rules: config.rules.clone(),
        hash_seed: [word(0), word(1), word(2), word(3)],
        control: restored.control,
        limits: config.registration,
        ..FleetConfig::default()
    };
    let mut fleet = Fleet::new(fleet_config, now);
    let known = restored.agents.len();
    for agent in restored.agents {
        fleet.handle(Input::Restore(Box::new(agent)), now);
    }
    let RestoredState { last_alive, next_id, .. } = restored;
    fleet.handle(Input::Begin { last_alive, next_id }, clock::now());
    if known > 0 {
        tracing::info!("restored {known} agents; each is unknown until its next beat");
    }
    Ok(fleet)
}

/// Says which addresses take one family alone, where one might expect both.
fn announce_families(sockets: &[IngestSocket]) {
    let addresses = || sockets.iter().map(IngestSocket::address);
    for address in addresses().filter(|it| it.is_ipv6() && it.ip().is_unspecified()) {
        let port = address.port();
        if !addresses().any(|it| it.is_ipv4() && it.ip().is_unspecified() && it.port() == port) {
            tracing::info!("{address} takes IPv6 alone; for both add --listen 0.0.0.0:{port}");
        }
    }
}

fn announce_created_files(keys: &CollectorKeys) {
    for file in &keys.created_files {
        tracing::info!("created {}", file.display());
    }
    if !keys.created_files.is_empty() {
        tracing::info!(
            "agents of this user find {} by themselves; for others make a narrower token with \
             `heartline token --agent NAME` or `heartline token --scope PREFIX.`",
            keys::LOCAL_TOKEN_FILE
        );
    }
}
