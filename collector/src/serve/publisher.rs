//! The publisher: asks the driver four times a second what has changed, adds what the databases
//! know, and hands it to every subscriber. It is the only one that asks, so the driver reports each
//! change once, and not at all while there is no subscriber.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use heartline_operator::message::{Event, EventQuery, FleetDelta, RecentWork};
use heartline_vocabulary::AgentRowId;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::clock;
use crate::driver::{DriverHandle, DriverRequest};
use crate::store::ReaderPool;

/// Shortest time between two deltas.
const DELTA_EVERY: Duration = Duration::from_millis(250);
/// Deltas that a subscriber may be behind before it is cut and resynchronised: eight seconds.
const BACKLOG: usize = 32;
/// Time between two computations of the work of the last hour…
const WORK_EVERY: Duration = Duration::from_secs(5);
/// …unless that took so long that it would take more than this share of a core.
const WORK_SHARE: u32 = 20;
/// Longest wait of a snapshot for work to be computed again.
const REFRESH_WITHIN: Duration = Duration::from_millis(500);
/// Most events in one delta; the rest comes with the next.
const EVENTS_MAX: u32 = 500;

/// Every agent's work of the last hour; agents without any are left out.
#[derive(Clone, Debug, Default)]
pub struct WorkByAgent(Arc<BTreeMap<AgentRowId, RecentWork>>);

impl WorkByAgent {
    /// Returns the work of one agent.
    pub fn of(&self, agent: AgentRowId) -> RecentWork {
        let work = self.0.get(&agent).cloned();
        work.unwrap_or_else(|| RecentWork { window_ms: 3_600_000, ..RecentWork::default() })
    }
}

/// A handle to subscribe with. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    deltas: broadcast::Sender<Arc<FleetDelta>>,
    work: watch::Receiver<WorkByAgent>,
    /// Work is wanted at once.
    refresh: Arc<Notify>,
}

impl Publisher {
    /// Starts publishing on the current runtime. Events and work are read by pools of their own: no
    /// query of an operator holds up the events, nor does work, which may take long.
    pub fn start(driver: DriverHandle, events: ReaderPool, work_reader: ReaderPool) -> Self {
        let (deltas, _) = broadcast::channel(BACKLOG);
        let (work_tx, work) = watch::channel(WorkByAgent::default());
        let publisher = Self { deltas, work, refresh: Arc::default() };
        tokio::spawn(publish(publisher.clone(), driver, events));
        tokio::spawn(compute_work(publisher.clone(), work_reader, work_tx));
        publisher
    }

    /// Subscribes to everything that changes from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<FleetDelta>> {
        self.deltas.subscribe()
    }

    /// Returns every agent's work of the last hour, as far as it was computed.
    pub fn work(&self) -> WorkByAgent {
        self.work.borrow().clone()
    }

    /// Has the work of the last hour computed again, and waits for it, but not for long: a snapshot
    /// of a large fleet must not wait for its history.
    pub async fn refresh_work(&self) {
        let mut work = self.work.clone();
        work.mark_unchanged();
        self.refresh.notify_one();
        let _ = timeout(REFRESH_WITHIN, work.changed()).await;
    }

    fn has_subscribers(&self) -> bool {
        self.deltas.receiver_count() > 0
    }
}

async fn publish(publisher: Publisher, driver: DriverHandle, reader: ReaderPool) {
    let mut ticks = interval(DELTA_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut cursor = None;
    let mut last_sent = BTreeMap::new();
    loop {
        ticks.tick().await;
        if !publisher.has_subscribers() {
            // The next subscriber gets a snapshot first: what happened until then is in it.
            cursor = None;
            last_sent.clear();
            continue;
        }
        let Some(mut delta) = driver.request(DriverRequest::Delta).await else { return };
        delta.events = new_events(&reader, &mut cursor).await;
        add_work(&publisher, &mut delta, &mut last_sent);
        // Without subscribers it goes nowhere, and that is as it should be.
        let _ = publisher.deltas.send(Arc::new(delta));
    }
}

/// Returns the events since the delta before; from the second time on.
async fn new_events(reader: &ReaderPool, cursor: &mut Option<i64>) -> Vec<Event> {
    let query = match *cursor {
        Some(_) => EventQuery { after: *cursor, limit: EVENTS_MAX, ..EventQuery::default() },
        // Subscribers have asked for earlier events themselves: only the end is wanted.
        None => EventQuery { limit: 1, ..EventQuery::default() },
    };
    let read = reader.read(move |reader| reader.events(&query));
    match read.await {
        Ok((events, _)) => {
            let is_first = cursor.is_none();
            let last = events.last().map(|event| event.cursor);
            *cursor = Some(last.or(*cursor).unwrap_or(0));
            if is_first { Vec::new() } else { events }
        }
        Err(error) => {
            tracing::warn!("can't read events for subscribers: {error}");
            Vec::new()
        }
    }
}

/// Adds the work of the agents in a delta, as far as it differs from what was sent of it.
fn add_work(
    publisher: &Publisher,
    delta: &mut FleetDelta,
    last_sent: &mut BTreeMap<AgentRowId, RecentWork>,
) {
    let work_by_agent = publisher.work();
    for entry in &mut delta.entries {
        entry.work = work_by_agent.of(entry.id);
    }
    for (id, _) in &delta.vitals {
        let work = work_by_agent.of(*id);
        if last_sent.get(id) != Some(&work) {
            last_sent.insert(*id, work.clone());
            delta.work.push((*id, work));
        }
    }
}

/// Computes every agent's work of the last hour: again and again while there are subscribers, and
/// when it is wanted at once.
async fn compute_work(
    publisher: Publisher,
    reader: ReaderPool,
    computed: watch::Sender<WorkByAgent>,
) {
    loop {
        let begun = Instant::now();
        match reader.read(|reader| reader.work(clock::wall_ms())).await {
            Ok(work) => drop(computed.send_replace(WorkByAgent(Arc::new(work)))),
            Err(error) => tracing::warn!("can't compute the work of the last hour: {error}"),
        }
        let pause = WORK_EVERY.max(begun.elapsed() * WORK_SHARE);
        let again = async {
            sleep_until(begun + pause).await;
            while !publisher.has_subscribers() {
                sleep_until(Instant::now() + DELTA_EVERY).await;
            }
        };
        tokio::select! {
            () = again => {}
            () = publisher.refresh.notified() => {
                // Several requests at once share one computation, and its cost is bounded.
                sleep_until(begun + begun.elapsed().min(DELTA_EVERY)).await;
            }
        }
    }
}
