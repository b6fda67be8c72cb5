//! The publisher: asks the driver four times a second what has changed, adds what the databases
//! know, and hands it to every subscriber. It is the only one that asks, so the driver reports each
//! change once, and not at all while there is no subscriber.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use heartline_operator::message::{Event, EventOrder, EventQuery, FleetDelta, RecentWork};
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
/// How long computed work is as good as new.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// Longest wait of a snapshot for work to be computed again.
const REFRESH_WITHIN: Duration = Duration::from_millis(500);
/// Most events in one delta; the rest comes with the next.
const EVENTS_MAX: u32 = 500;
/// Most agents whose work is sent in one delta; the rest comes with the next.
const WORK_MAX: usize = 5_000;

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

/// The work of the last hour, and when its computation began.
#[derive(Clone, Debug, Default)]
struct ComputedWork {
    work: WorkByAgent,
    begun: Option<Instant>,
}

/// A handle to subscribe with. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    deltas: broadcast::Sender<Arc<FleetDelta>>,
    work: watch::Receiver<ComputedWork>,
    /// Work is wanted at once.
    refresh: Arc<Notify>,
}

impl Publisher {
    /// Starts publishing on the current runtime. Events and work are read by pools of their own: no
    /// query of an operator holds up the events, nor does work, which may take long.
    pub fn start(driver: DriverHandle, events: ReaderPool, work_reader: ReaderPool) -> Self {
        let (deltas, _) = broadcast::channel(BACKLOG);
        let (work_tx, work) = watch::channel(ComputedWork::default());
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
        self.work.borrow().work.clone()
    }

    /// Has the work of the last hour computed again, unless that was just done, and waits for it, but
    /// not for long: a snapshot of a large fleet must not wait for its history.
    pub async fn refresh_work(&self) {
        if self.work.borrow().begun.is_some_and(|begun| begun.elapsed() < FRESH_FOR) {
            return;
        }
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
    let mut work = WorkTracker::default();
    loop {
        ticks.tick().await;
        if !publisher.has_subscribers() {
            // The next subscriber gets a snapshot first: what happened until then is in it.
            cursor = None;
            continue;
        }
        let Some(mut delta) = driver.request(DriverRequest::Delta).await else { return };
        delta.events = new_events(&reader, &mut cursor).await;
        work.update(publisher.work());
        work.add_to(&mut delta);
        // Without subscribers it goes nowhere, and that is as it should be.
        let _ = publisher.deltas.send(Arc::new(delta));
    }
}

/// Returns the events since the delta before; from the second time on.
async fn new_events(reader: &ReaderPool, cursor: &mut Option<i64>) -> Vec<Event> {
    let query = match *cursor {
        Some(_) => EventQuery {
            after: *cursor,
            limit: EVENTS_MAX,
            order: EventOrder::OldestFirst,
            ..EventQuery::default()
        },
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

/// Tracks whose work is not what was sent last. The window moves for every agent, also for one that
/// does nothing any more.
#[derive(Debug, Default)]
struct WorkTracker {
    work: WorkByAgent,
    unsent: BTreeSet<AgentRowId>,
    /// The agent at which the next delta goes on, so that each has its turn.
    next: i64,
}

impl WorkTracker {
    /// Takes in the work as it was computed last.
    fn update(&mut self, work: WorkByAgent) {
        if Arc::ptr_eq(&self.work.0, &work.0) {
            return;
        }
        let (before, after) = (&self.work.0, &work.0);
        let changed = after.iter().filter(|(id, work)| before.get(id) != Some(work));
        // An agent without any work in the window is left out.
        let emptied = before.keys().filter(|id| !after.contains_key(id));
        self.unsent.extend(changed.map(|(id, _)| *id).chain(emptied.copied()));
        self.work = work;
    }

    /// Adds the work of new agents to a delta, and of those whose work has changed.
    fn add_to(&mut self, delta: &mut FleetDelta) {
        for entry in &mut delta.entries {
            entry.work = self.work.of(entry.id);
            self.unsent.remove(&entry.id);
        }
        while delta.work.len() < WORK_MAX {
            let next = self.unsent.range(AgentRowId(self.next)..).next();
            let Some(&id) = next.or_else(|| self.unsent.first()) else { return };
            self.unsent.remove(&id);
            self.next = id.0.saturating_add(1);
            delta.work.push((id, self.work.of(id)));
        }
    }
}

/// Computes every agent's work of the last hour: again and again while there are subscribers, and
/// when it is wanted at once.
async fn compute_work(
    publisher: Publisher,
    reader: ReaderPool,
    computed: watch::Sender<ComputedWork>,
) {
    loop {
        let begun = Instant::now();
        match reader.read(|reader| reader.work(clock::wall_ms())).await {
            Ok(work) => {
                let work = WorkByAgent(Arc::new(work));
                drop(computed.send_replace(ComputedWork { work, begun: Some(begun) }));
            }
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

#[cfg(test)]
mod tests {
    use std::thread;

    use heartline_config::Retention;
    use heartline_operator::message::CollectorStatus;

    use super::*;
    use crate::clock::WallClockAnchor;
    use crate::driver::driver_channel;
    use crate::store::{ReaderPoolConfig, Store, StoreConfig};

    const WAIT: Duration = Duration::from_secs(30);

    fn work(counts: &[(i64, u64)]) -> WorkByAgent {
        let entry = |&(id, ok)| (AgentRowId(id), RecentWork { ok, ..RecentWork::default() });
        WorkByAgent(Arc::new(counts.iter().map(entry).collect()))
    }

    fn sent(tracker: &mut WorkTracker) -> Vec<(i64, u64)> {
        let mut delta = FleetDelta::default();
        tracker.add_to(&mut delta);
        delta.work.iter().map(|(id, work)| (id.0, work.ok)).collect()
    }

    #[test]
    fn work_is_sent_once_when_it_changes_and_when_it_leaves_the_window() {
        let mut tracker = WorkTracker::default();
        tracker.update(work(&[(1, 10), (2, 20)]));
        assert_eq!(sent(&mut tracker), [(1, 10), (2, 20)]);
        assert_eq!(sent(&mut tracker), []);
        tracker.update(work(&[(1, 10), (2, 21)]));
        assert_eq!(sent(&mut tracker), [(2, 21)]);
        tracker.update(work(&[(2, 21)]));
        assert_eq!(sent(&mut tracker), [(1, 0)], "its last task is more than an hour ago");
    }

    #[test]
    fn a_large_fleet_is_sent_in_turns() {
        let count = WORK_MAX as i64 + 10;
        let all = |ok| work(&(0..count).map(|id| (id, ok)).collect::<Vec<_>>());
        let mut tracker = WorkTracker::default();
        tracker.update(all(1));
        assert_eq!(sent(&mut tracker).len(), WORK_MAX);
        tracker.update(all(2));
        let second = sent(&mut tracker);
        assert_eq!((second[0], second.len()), ((WORK_MAX as i64, 2), WORK_MAX));
    }

    /// A publisher of a store in which an agent has worked, and of a driver that reports no changes.
    #[tokio::test]
    async fn an_agent_that_went_silent_loses_its_work_of_the_last_hour() {
        let dir = tempfile::tempdir().unwrap();
        let config = StoreConfig { data_dir: dir.path().into(), retention: Retention::default() };
        let (_store, _) = Store::open(&config, WallClockAnchor::read(), Arc::new(drop)).unwrap();
        let (driver, inbox) = driver_channel().unwrap();
        thread::spawn(move || {
            // Ends with the test's process.
            loop {
                match inbox.try_next() {
                    Some(DriverRequest::Delta(reply_to)) => {
                        let collector = CollectorStatus::default();
                        let _ = reply_to.send(FleetDelta { collector, ..FleetDelta::default() });
                    }
                    Some(_) => {}
                    None => thread::yield_now(),
                }
            }
        });
        let history = rusqlite::Connection::open(dir.path().join("history.db")).unwrap();
        history.busy_timeout(WAIT).unwrap();
        let minute = clock::wall_ms().div_euclid(60_000);
        history
            .execute(
                "INSERT INTO minutes (slot, agent_id, beats, lost, ok, failed, cost_nano_usd, \
                 tokens_in, tokens_out, latency) VALUES (?1, 7, 1, 0, 41, 1, 0, 0, 0, x'')",
                [minute],
            )
            .unwrap();
        let open = |pool| ReaderPool::open(dir.path(), &pool).unwrap();
        let readers = (open(ReaderPoolConfig::PUBLISHER), open(ReaderPoolConfig::WORK));
        let publisher = Publisher::start(driver, readers.0, readers.1);
        let mut deltas = publisher.subscribe();
        let wait_for_ok = async |deltas: &mut broadcast::Receiver<Arc<FleetDelta>>, ok| loop {
            publisher.refresh_work().await;
            let Ok(delta) = deltas.recv().await else { continue };
            if delta.work.iter().any(|(id, work)| *id == AgentRowId(7) && work.ok == ok) {
                return;
            }
        };
        timeout(WAIT, wait_for_ok(&mut deltas, 41)).await.expect("its work is sent");
        // As an hour later: nothing of it is in the window any more.
        history.execute("DELETE FROM minutes", []).unwrap();
        timeout(WAIT, wait_for_ok(&mut deltas, 0)).await.expect("that it has none is sent");
    }
}
