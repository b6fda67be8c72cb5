//! A collector from its first look at the disk to its last commit.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use heartline_config::{Config, ConfigError};
use heartline_fleet::{AlertInput, Fleet, FleetConfig, Input, MonoTime, ReachedLevels};
use heartline_operator::{CONTROL_SOCKET, VIEW_SOCKET};
use heartline_protocol::challenge::ChallengeKey;
use heartline_sinks::{CollectorLabel, DeliveryLog};
use heartline_vocabulary::IncidentId;
use rustix::fs::Mode;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::alert::{AlertDesk, OutboxLog, SinkSetupError, WatchdogSetupError, watchdog_pinger};
use crate::budget_window::read_setup;
use crate::clock::{self, WallClockAnchor};
use crate::descriptors::raise_descriptor_limit;
use crate::driver::{
    Calendars, CollectorInfo, Driver, DriverHandle, DriverRequest, driver_channel,
};
use crate::ingest::{BindError, Ingest, IngestSocket, Keyring};
use crate::keys::{self, CollectorKeys, KeyError, LOCAL_TOKEN_FILE};
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
    StoreConfig, StoreError, StoreReader, StoreSinks,
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
    /// Alerts can't be sent as the config file says.
    #[error(transparent)]
    Sinks(#[from] SinkSetupError),
    /// The watchdog can't be pinged as the config file says.
    #[error(transparent)]
    Watchdog(#[from] WatchdogSetupError),
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
    /// Returns the exit code: 2 config, 3 can't bind or open, 4 stored data refused.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Store(error) => error.exit_code(),
            Self::Keys(error) => error.exit_code(),
            Self::Sinks(SinkSetupError::Secret(_) | SinkSetupError::Sink(_)) => 2,
            Self::Watchdog(error) => error.exit_code(),
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
    let desk = Arc::new(AlertDesk::default());
    let sinks = StoreSinks {
        notify: driver_handle.store_event_sink(),
        release: {
            let desk = Arc::clone(&desk);
            Arc::new(move |events| desk.dispatch(events))
        },
    };
    let (store, mut restored) = Store::open(&store_config, anchor, sinks)?;
    let label = collector_label(&restored);
    let prepared = desk.prepare(&label, &config.alerts)?;
    let pinger = watchdog_pinger(&config.watchdog)?;
    desk.restore(
        std::mem::take(&mut restored.alerts.pending),
        std::mem::take(&mut restored.alerts.silences),
    );
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
    let mut info = info(&udp_sockets, &restored, &config.data_dir, (anchor, now));
    for warning in open_to_operators(&config.socket_dir, &access) {
        tracing::warn!("{warning}");
        info.banners.push(warning);
    }
    let connections = Arc::clone(&info.connections);
    let fleet = restore(config, restored, anchor, now)?;
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
    let log: Arc<dyn DeliveryLog> =
        Arc::new(OutboxLog { store: store.handle(), driver: driver_handle.clone() });
    let (budgets, expectations) = (config.budgets.clone(), config.expectations.clone());
    let calendars = Calendars { budgets, expectations };
    let driver = Driver::new(fleet, ingest, store, inbox, info, anchor, calendars);
    let driver = thread::Builder::new()
        .name("driver".into())
        .spawn(move || driver.run())
        .map_err(system("start the driver's thread"))?;
    desk.apply_silences(&driver_handle, clock::wall_ms());
    let open = driver_handle.send_request(DriverRequest::Incidents);
    desk.start(prepared, &log, &open.blocking_recv().unwrap_or_default())?;
    driver_handle.send(DriverRequest::Workers(desk.pulses()));
    driver_handle.send(DriverRequest::Watchdog(pinger));
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
        let budget_reader = readers.clone();
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
            alerts: Arc::clone(&desk),
        };
        let listeners = [ctl, view].map(|listener| {
            tokio::spawn(listener.serve(context.clone(), access_rx.clone(), ending_rx.clone()))
        });
        let files = (&*secrets, &*config.data_dir);
        let reconfiguration = Reconfiguration {
            reload,
            access: &access_tx,
            desk: &desk,
            label: &label,
            log: &log,
            readers: &budget_reader,
        };
        signals.obey(&driver_handle, &reconfiguration, &driver, files).await;
        // Clients are told first; the last commits do not need them.
        ending_tx.send_replace(true);
        for listener in listeners {
            let _ = listener.await;
        }
        for job in &jobs {
            job.end().await;
        }
    });
    desk.stop();
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
        reconfiguration: &Reconfiguration<'_>,
        driver: &thread::JoinHandle<std::io::Result<()>>,
        (keys, data_dir): (&CollectorKeys, &Path),
    ) {
        let mut look = tokio::time::interval(FILE_CHECK_INTERVAL);
        loop {
            tokio::select! {
                _ = self.term.recv() => return,
                _ = self.int.recv() => return,
                _ = self.hup.recv() => reconfiguration.run(handle).await,
                _ = look.tick() => {
                    if driver.is_finished() {
                        return;
                    }
                    handle.report_condition(keys::MASTER_FILE, keys.check_files(data_dir));
                    // Windows of maintenance begin.
                    reconfiguration.desk.apply_silences(handle, clock::wall_ms());
                }
            }
        }
    }
}

/// What a changed configuration is taken over by.
struct Reconfiguration<'a> {
    reload: &'a ReloadConfig,
    access: &'a watch::Sender<AccessPolicy>,
    desk: &'a Arc<AlertDesk>,
    label: &'a CollectorLabel,
    log: &'a Arc<dyn DeliveryLog>,
    /// Reads what was spent of budgets.
    readers: &'a ReaderPool,
}

impl Reconfiguration<'_> {
    /// Takes a changed configuration, all of it or nothing.
    async fn run(&self, handle: &DriverHandle) {
        match self.take_over(handle).await {
            Ok(()) => tracing::info!(
                "configuration reloaded; addresses, directories and retention change with a restart"
            ),
            Err(error) => tracing::error!("configuration not reloaded: {error}"),
        }
    }

    async fn take_over(&self, handle: &DriverHandle) -> Result<(), ReconfigurationError> {
        let config = (self.reload)()?;
        let prepared = self.desk.prepare(self.label, &config.alerts)?;
        let pinger = watchdog_pinger(&config.watchdog)?;
        let settings = config.budgets.clone();
        let setup = self.readers.read(move |reader| {
            let (anchor, reached) = (WallClockAnchor::read(), ReachedLevels::Untold);
            read_setup(&settings, clock::wall_ms(), anchor, reached, reader)
        });
        let setup = Box::new(setup.await?);
        handle.send(DriverRequest::SetBudgets { settings: config.budgets, setup });
        let alert_rules = config.alerts.rules();
        self.access.send_replace(AccessPolicy::new(config.access));
        let (rules, expectations) = (config.rules, config.expectations);
        handle.send(DriverRequest::Rules { rules, expectations });
        handle.send(DriverRequest::Alert(AlertInput::Rules(alert_rules)));
        let open = handle.request(DriverRequest::Incidents).await.unwrap_or_default();
        let (desk, log) = (Arc::clone(self.desk), Arc::clone(self.log));
        // Sinks that hang must not hold up operators.
        let started = tokio::task::spawn_blocking(move || desk.start(prepared, &log, &open)).await;
        started.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        handle.send(DriverRequest::Workers(self.desk.pulses()));
        handle.send(DriverRequest::Watchdog(pinger));
        self.desk.apply_silences(handle, clock::wall_ms());
        Ok(())
    }
}

/// Why a changed configuration was not taken over.
#[derive(Debug, thiserror::Error)]
enum ReconfigurationError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Sinks(#[from] SinkSetupError),
    #[error(transparent)]
    Watchdog(#[from] WatchdogSetupError),
    #[error("can't read what was spent of budgets: {0}")]
    Spent(#[from] ReadError),
}

/// Names the collector to those who read its messages. Collectors that share a control id tell of the same agents.
fn collector_label(restored: &RestoredState) -> CollectorLabel {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let key_prefix = format!("{:x}", restored.control.get());
    CollectorLabel { ssh: None, key_prefix, host }
}

fn info(
    udp_sockets: &[IngestSocket],
    restored: &RestoredState,
    data_dir: &Path,
    (anchor, now): (WallClockAnchor, MonoTime),
) -> CollectorInfo {
    let small_buffer = udp_sockets.iter().find_map(IngestSocket::receive_buffer_warning);
    for warning in small_buffer.iter().chain(&restored.banners) {
        tracing::warn!("{warning}");
    }
    CollectorInfo {
        started_ms: anchor.wall_ms(now),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        token_file: data_dir.join(LOCAL_TOKEN_FILE).display().to_string(),
        banners: small_buffer.into_iter().chain(restored.banners.iter().cloned()).collect(),
        control_paused: None,
        conditions: Default::default(),
        connections: Arc::default(),
    }
}

/// A fleet that goes on where the last collector ended. The sockets are bound already: from here on
/// everybody has their own limit to be heard.
fn restore(
    config: &Config,
    restored: RestoredState,
    anchor: WallClockAnchor,
    now: MonoTime,
) -> Result<Fleet, RunError> {
    let seed = keys::random_key()?;
    let word = |n: usize| u64::from_le_bytes(std::array::from_fn(|byte| seed[8 * n + byte]));
    let fleet_config = FleetConfig {
        rules: config.rules.clone(),
        hash_seed: [word(0), word(1), word(2), word(3)],
        control: restored.control,
        limits: config.registration,
        alerts: config.alerts.rules(),
        // Also where history was begun anew no number is used again: receivers would take it for the old one.
        next_incident: restored
            .alerts
            .next_id
            .max(IncidentId(clock::wall_ms().unsigned_abs() / 1_000)),
        ..FleetConfig::default()
    };
    let mut fleet = Fleet::new(fleet_config, now);
    let known = restored.agents.len();
    for agent in restored.agents {
        fleet.handle(Input::Restore(Box::new(agent)), now);
    }
    for incident in restored.alerts.incidents {
        fleet.handle(Input::Alert(AlertInput::Restore(Box::new(incident))), now);
    }
    if !config.budgets.is_empty() {
        let mut reader = StoreReader::open(&config.data_dir)?;
        let (wall_ms, told) = (anchor.wall_ms(now), ReachedLevels::Told);
        let setup = read_setup(&config.budgets, wall_ms, anchor, told, &mut reader)?;
        fleet.handle(Input::Budgets(Box::new(setup)), now);
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
