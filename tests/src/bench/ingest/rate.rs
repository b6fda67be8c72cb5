//! A constant rate of beats at a collector process on one core: beats alone, or new work in them as
//! fast as it becomes durable; with or without a viewer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use heartline_operator::CollectorDirectories;
use heartline_operator::client::{AccessMode, Client, ClientOptions, Endpoint};
use heartline_operator::message::CollectorStatus;

use crate::bench::live_agents::{
    BeatCounters, LiveAgents, LiveAgentsConfig, REGISTRATION_CONFIG, WorkPattern,
};
use crate::bench::machine;
use crate::harness::TestEnvironment;
use crate::result_table::ResultTable;

/// The interval of each agent, in ms: there are as many agents as beats a second.
const INTERVAL_MS: u32 = 1_000;
/// Rate of first beats, before the measurement: each makes rows in both databases.
const FIRST_BEATS_PER_SECOND: u64 = 5_000;
/// Time in which the store writes the rows of all first beats.
const WARM_UP: Duration = Duration::from_secs(30);

/// The load on the collector.
pub(super) struct RateConfig {
    /// Beats a second, from as many agents.
    pub(super) per_second: u32,
    pub(super) span: Duration,
    pub(super) work: WorkPattern,
    /// Adds a viewer that receives every change.
    pub(super) is_watched: bool,
}

pub(super) fn run(config: &RateConfig) -> Result<()> {
    let RateConfig { per_second, span, work, is_watched } = *config;
    machine::pin(0)?;
    let env = TestEnvironment::new();
    env.configure(REGISTRATION_CONFIG);
    // It inherits the core; everything else moves to the other one.
    let mut collector = env.start_collector();
    machine::pin(1)?;
    let pid = collector.process().pid();
    let operator = env.operator();
    let fleet = LiveAgentsConfig { agents: per_second, interval_ms: INTERVAL_MS, work, sockets: 1 };
    let mut agents = LiveAgents::new(fleet, &env.token(), collector.address())?;
    let rate = u64::from(per_second);
    let first_beats = Duration::from_secs(rate.div_ceil(FIRST_BEATS_PER_SECOND));
    agents.beat(FIRST_BEATS_PER_SECOND.min(rate), first_beats)?;
    agents.beat(rate, WARM_UP)?;
    agents.pause(Duration::from_millis(500))?;
    let viewer = is_watched.then(|| BenchViewer::attach(env.directories())).transpose()?;

    let before = operator.collector();
    let cpu_before = machine::process_cpu_of(pid);
    let beats = agents.beat(rate, span)?;
    let cpu = machine::process_cpu_of(pid).saturating_sub(cpu_before);
    agents.pause(Duration::from_millis(500))?;
    let after = operator.collector();
    let updates = viewer.map(BenchViewer::detach);
    ensure!(updates != Some(0), "the viewer saw nothing");
    print(config, &RateMeasurement { beats, before, after, cpu, updates });
    println!("\nresident: {} MiB for {per_second} agents", machine::resident_of(pid) >> 20);
    Ok(())
}

struct RateMeasurement {
    beats: BeatCounters,
    before: CollectorStatus,
    after: CollectorStatus,
    cpu: Duration,
    /// Updates received by the viewer, if there is one.
    updates: Option<u64>,
}

fn print(config: &RateConfig, measurement: &RateMeasurement) {
    let RateMeasurement { beats, before, after, cpu, updates } = measurement;
    let live = after.datagrams.live - before.datagrams.live;
    let dropped = after.datagrams.kernel_dropped - before.datagrams.kernel_dropped;
    let seconds = (config.span + beats.lag_max).as_secs_f64();
    println!(
        "{} beats a second for {seconds:.0} s from as many agents, {}; the collector on one core\n",
        config.per_second,
        match config.work {
            WorkPattern::Idle => "no new work",
            WorkPattern::Busy => "new work in them as fast as it becomes durable",
        }
    );
    let mut table = ResultTable::new(&["", "measured", "goal"]);
    let mut row = |name: &str, value: String, goal: &str| {
        table.row(&[name.into(), value, goal.into()]);
    };
    row("beats sent", beats.sent.to_string(), "");
    row("judged live", live.to_string(), "all");
    row("lost", beats.sent.saturating_sub(live).to_string(), "0");
    row("dropped by the kernel", dropped.to_string(), "0");
    row("answers received", beats.acks.to_string(), "");
    row("work made durable", beats.durable_segments.to_string(), "");
    row("share of the core", format!("{:.0} %", cpu.as_secs_f64() / seconds * 1e2), "");
    row("sender's worst lag, ms", beats.lag_max.as_millis().to_string(), "");
    row("gaps", (after.gaps - before.gaps).to_string(), "0");
    if let Some(updates) = updates {
        row("updates seen by the viewer", updates.to_string(), "");
    }
    table.print();
}

/// An operator's client that receives every change of the fleet, on a thread of its own.
struct BenchViewer {
    updates: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl BenchViewer {
    fn attach(directories: CollectorDirectories) -> Result<Self> {
        let (updates, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("can't start the viewer's runtime")?;
        let watch = {
            let (updates, stop) = (Arc::clone(&updates), Arc::clone(&stop));
            move || {
                if let Err(error) = runtime.block_on(receive_updates(directories, &updates, &stop))
                {
                    eprintln!("the viewer was disconnected: {error:#}");
                }
            }
        };
        let named = thread::Builder::new().name("viewer".into());
        let thread = named.spawn(watch).context("can't start a viewer")?;
        Ok(Self { updates, stop, thread })
    }

    /// Ends the thread. Returns how many updates were received.
    fn detach(self) -> u64 {
        self.stop.store(true, Ordering::Release);
        let _ = self.thread.join();
        self.updates.load(Ordering::Acquire)
    }
}

async fn receive_updates(
    directories: CollectorDirectories,
    updates: &AtomicU64,
    stop: &AtomicBool,
) -> Result<()> {
    let options = ClientOptions { access: AccessMode::View, ..ClientOptions::default() };
    let client = Client::connect(&Endpoint::Unix(directories), &options).await?;
    let mut subscription = client.subscribe(Vec::new(), 4).await?;
    while !stop.load(Ordering::Acquire) {
        // The timeout lets the loop see `stop`.
        let waited = tokio::time::timeout(Duration::from_secs(1), subscription.next()).await;
        if let Ok(update) = waited {
            drop(update?);
            updates.fetch_add(1, Ordering::AcqRel);
        }
    }
    Ok(())
}
