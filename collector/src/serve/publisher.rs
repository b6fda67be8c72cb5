//! The publisher: asks the driver four times a second what has changed, adds what the databases
//! know, and hands it to every subscriber. It is the only one that asks, so the driver reports each
//! change once, and not at all while there is no subscriber.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use heartline_operator::message::{Event, EventOrder, EventQuery, FleetDelta};
use heartline_vocabulary::AgentRowId;
use tokio::sync::broadcast;
use tokio::time::{MissedTickBehavior, interval};

use super::recent_work::{RecentWorkHandle, WorkByAgent};
use crate::driver::{DriverHandle, DriverRequest};
use crate::store::ReaderPool;

/// Shortest time between two deltas.
const DELTA_EVERY: Duration = Duration::from_millis(250);
/// Deltas that a subscriber may be behind before it is cut and resynchronised: eight seconds.
const BACKLOG: usize = 32;
/// Most events in one delta; the rest comes with the next.
const EVENTS_MAX: u32 = 500;
/// Most agents whose work is sent in one delta; the rest comes with the next.
const WORK_MAX: usize = 5_000;

/// A handle to subscribe with. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    deltas: broadcast::Sender<Arc<FleetDelta>>,
    recent_work: RecentWorkHandle,
}

impl Publisher {
    /// Starts publishing on the current runtime. Events and work are read by pools of their own: no
    /// query of an operator holds up the events, nor does work, which may take long.
    pub fn start(driver: DriverHandle, events: ReaderPool, work: ReaderPool) -> Self {
        let (deltas, _) = broadcast::channel(BACKLOG);
        let subscribers = deltas.clone();
        let is_watched = move || subscribers.receiver_count() > 0;
        let publisher = Self { deltas, recent_work: RecentWorkHandle::start(work, is_watched) };
        tokio::spawn(publish(publisher.clone(), driver, events));
        publisher
    }

    /// Subscribes to everything that changes from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<FleetDelta>> {
        self.deltas.subscribe()
    }

    /// Returns every agent's work of the last hour.
    pub fn recent_work(&self) -> &RecentWorkHandle {
        &self.recent_work
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
        work.update(publisher.recent_work.whole());
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
        if self.work.is_same(&work) {
            return;
        }
        let (before, after) = (&self.work, &work);
        let changed = after.iter().filter(|(id, work)| before.get(*id) != Some(work));
        // An agent without any work in the window is left out.
        let emptied = before.iter().filter(|(id, _)| after.get(*id).is_none());
        self.unsent.extend(changed.chain(emptied).map(|(id, _)| id));
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

#[cfg(test)]
mod tests {
    use std::thread;

    use heartline_config::Retention;
    use heartline_operator::message::{CollectorStatus, RecentWork};
    use tokio::time::timeout;

    use super::*;
    use crate::clock::{self, WallClockAnchor};
    use crate::driver::driver_channel;
    use crate::store::{ReaderPoolConfig, Store, StoreConfig, StoreSinks};

    const WAIT: Duration = Duration::from_secs(30);

    fn work(counts: &[(i64, u64)]) -> WorkByAgent {
        let entry = |&(id, ok)| (AgentRowId(id), RecentWork { ok, ..RecentWork::default() });
        counts.iter().map(entry).collect()
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
        let (_store, _) = Store::open(
            &config,
            WallClockAnchor::read(),
            StoreSinks::without_alerts(Arc::new(drop)),
        )
        .unwrap();
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
            publisher.recent_work().refreshed();
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
