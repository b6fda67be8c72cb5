//! So many beats a second, for so long, at a whole collector process on one core: beats alone, or
//! new work in them as fast as it becomes durable; looked at by nobody, or by one viewer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use heartline_operator::Directories;
use heartline_operator::client::{Access, Client, ClientOptions, Endpoint};
use heartline_operator::message::CollectorStatus;

use super::live::{Live, Told, Work};
use crate::bench::machine;
use crate::bench::table::Table;
use crate::world::World;

/// The interval of each agent, in ms: there are as many agents as beats a second.
const INTERVAL_MS: u32 = 1_000;
/// First beats a second, before anything is measured: each makes rows in both databases.
const FIRST_PER_SECOND: u64 = 5_000;
/// Until then the rows of everybody's first beats are written, behind the driver's back.
const SETTLED_AFTER: Duration = Duration::from_secs(30);

/// What the collector has to bear.
pub(super) struct Load {
    /// Beats a second, from as many agents.
    pub(super) per_second: u32,
    /// For so long.
    pub(super) span: Duration,
    pub(super) work: Work,
    /// Whether a viewer is told every change.
    pub(super) is_watched: bool,
}

pub(super) fn run(load: &Load) -> Result<()> {
    let Load { per_second, span, work, is_watched } = *load;
    machine::pin(0)?;
    let world = World::new();
    // It inherits the core; everything else moves to the other one.
    let mut collector = world.start_collector();
    machine::pin(1)?;
    let pid = collector.process().pid();
    let operator = world.operator();
    let mut crowd = Live::new(per_second, INTERVAL_MS, &world.token(), collector.address(), work)?;
    let rate = u64::from(per_second);
    let first = Duration::from_secs(rate.div_ceil(FIRST_PER_SECOND));
    crowd.beat(FIRST_PER_SECOND.min(rate), first)?;
    crowd.beat(rate, SETTLED_AFTER)?;
    crowd.hush(Duration::from_millis(500))?;
    let viewer = is_watched.then(|| Viewer::attach(world.directories())).transpose()?;

    let before = operator.collector();
    let cpu_before = machine::process_cpu_of(pid);
    let told = crowd.beat(rate, span)?;
    let cpu = machine::process_cpu_of(pid).saturating_sub(cpu_before);
    crowd.hush(Duration::from_millis(500))?;
    let after = operator.collector();
    let updates = viewer.map(Viewer::detach);
    ensure!(updates != Some(0), "the viewer saw nothing");
    print(load, &Minute { told, before, after, cpu, updates });
    println!("\nresident: {} MiB for {per_second} agents", machine::resident_of(pid) >> 20);
    Ok(())
}

/// What was measured.
struct Minute {
    told: Told,
    before: CollectorStatus,
    after: CollectorStatus,
    cpu: Duration,
    updates: Option<u64>,
}

fn print(load: &Load, minute: &Minute) {
    let Minute { told, before, after, .. } = minute;
    let live = after.datagrams.live - before.datagrams.live;
    let dropped = after.datagrams.kernel_dropped - before.datagrams.kernel_dropped;
    let seconds = (load.span + told.behind).as_secs_f64();
    println!(
        "{} beats a second for {seconds:.0} s from as many agents, {}; the collector on one core\n",
        load.per_second,
        match load.work {
            Work::Idle => "no new work",
            Work::Busy => "new work in them as fast as it becomes durable",
        }
    );
    let mut table = Table::new(&["", "measured", "goal"]);
    let mut row = |what: &str, value: String, goal: &str| {
        table.row(&[what.into(), value, goal.into()]);
    };
    row("beats sent", told.sent.to_string(), "");
    row("judged live", live.to_string(), "all");
    row("lost", told.sent.saturating_sub(live).to_string(), "0");
    row("dropped by the kernel", dropped.to_string(), "0");
    row("answers received", told.answers.to_string(), "");
    row("work made durable", told.durable.to_string(), "");
    row("share of the core", format!("{:.0} %", minute.cpu.as_secs_f64() / seconds * 1e2), "");
    row("sender's worst lag, ms", told.behind.as_millis().to_string(), "");
    row("gaps", (after.gaps - before.gaps).to_string(), "0");
    if let Some(updates) = minute.updates {
        row("updates seen by the viewer", updates.to_string(), "");
    }
    table.print();
}

/// Somebody who looks at the fleet all the time.
struct Viewer {
    updates: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Viewer {
    fn attach(directories: Directories) -> Result<Self> {
        let (updates, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("can't start the viewer's runtime")?;
        let watch = {
            let (updates, stop) = (Arc::clone(&updates), Arc::clone(&stop));
            move || {
                if let Err(error) = runtime.block_on(look(directories, &updates, &stop)) {
                    eprintln!("the viewer was cut: {error:#}");
                }
            }
        };
        let named = thread::Builder::new().name("viewer".into());
        let thread = named.spawn(watch).context("can't start a viewer")?;
        Ok(Self { updates, stop, thread })
    }

    /// Gives how many updates it saw.
    fn detach(self) -> u64 {
        self.stop.store(true, Ordering::Release);
        let _ = self.thread.join();
        self.updates.load(Ordering::Acquire)
    }
}

async fn look(directories: Directories, updates: &AtomicU64, stop: &AtomicBool) -> Result<()> {
    let options = ClientOptions { access: Access::View, ..ClientOptions::default() };
    let client = Client::connect(&Endpoint::Unix(directories), &options).await?;
    let mut news = client.subscribe(Vec::new(), 4).await?;
    while !stop.load(Ordering::Acquire) {
        // Looks up now and then to see whether it is to stop.
        let waited = tokio::time::timeout(Duration::from_secs(1), news.next()).await;
        if let Ok(update) = waited {
            drop(update?);
            updates.fetch_add(1, Ordering::AcqRel);
        }
    }
    Ok(())
}
