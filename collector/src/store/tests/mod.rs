//! The whole store, on real files.

mod agent_chart;
mod agent_history;
mod backup;
mod control;
mod crash;
mod fleet_history;
mod history;
mod incident;
mod incident_forged;
mod locked;
mod lost;
mod once;
mod outages;
mod outbox;
mod reading;
mod retention;
mod timeline;
mod trouble;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use heartline_config::Retention;
use heartline_fleet::{
    CommandRow, CommandRowTarget, ControlDbRow, HistoryDbRow, MonoTime, RestoredAgent, WorkRow,
    WriteTicket,
};

use heartline_protocol::bucket;
use heartline_vocabulary::{Action, AgentRowId, CommandTarget, Reason, State, WorkTotals};
use tempfile::TempDir;

use super::{
    OutboxEvent, OutboxNotice, RestoredState, Store, StoreConfig, StoreError, StoreEvent,
    StoreReader, StoreSinks,
};
use crate::clock::WallClockAnchor;

/// Monotonic zero is 14:30 on the first of April 2026.
const ZERO_MS: i64 = 1_775_053_800_000;
/// Longest wait for an event.
const EVENT_TIMEOUT: Duration = Duration::from_secs(60);

fn anchor() -> WallClockAnchor {
    WallClockAnchor::new(MonoTime::from_nanos(0), ZERO_MS)
}

fn at(ms: i64) -> MonoTime {
    MonoTime::from_millis(ms)
}

/// An open store with its events.
struct OpenStore {
    store: Store,
    events: Receiver<StoreEvent>,
    outbox: Receiver<Vec<OutboxEvent>>,
    restored: RestoredState,
    /// Of what is recorded.
    anchor: WallClockAnchor,
}

fn try_open(dir: &Path) -> Result<OpenStore, StoreError> {
    // The times in these tests are fixed, and must not be too old for the clock.
    let for_ever = Duration::from_secs(36_500 * 86_400);
    let retention =
        Retention { minutes: for_ever, hours: for_ever, days: for_ever, events: for_ever };
    try_open_with(dir, retention)
}

fn try_open_with(dir: &Path, retention: Retention) -> Result<OpenStore, StoreError> {
    let (sender, events) = mpsc::channel();
    let config = StoreConfig { data_dir: dir.into(), retention };
    let notify = move |event| drop(sender.send(event));
    let (outbox_sender, outbox) = mpsc::channel();
    let release = move |events| drop(outbox_sender.send(events));
    let sinks = StoreSinks { notify: Arc::new(notify), release: Arc::new(release) };
    let (store, restored) = Store::open(&config, anchor(), sinks)?;
    Ok(OpenStore { store, events, outbox, restored, anchor: anchor() })
}

fn open(dir: &Path) -> OpenStore {
    try_open(dir).unwrap()
}

fn reader(dir: &TempDir) -> StoreReader {
    StoreReader::open(dir.path()).unwrap()
}

fn path(dir: &TempDir, file: &str) -> PathBuf {
    dir.path().join(file)
}

impl OpenStore {
    fn record(&self, rows: impl Into<Vec<HistoryDbRow>>) {
        self.store.record(rows.into(), self.anchor);
    }

    fn persist(&self, rows: impl Into<Vec<ControlDbRow>>) {
        self.store.persist(rows.into(), self.anchor);
    }

    /// Waits for the next event that is wanted.
    fn wait_for<T>(&self, mut wanted: impl FnMut(StoreEvent) -> Option<T>) -> T {
        loop {
            let event = self.events.recv_timeout(EVENT_TIMEOUT).expect("the store reports in time");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    }

    /// Waits until work is stored; returns the tickets of duplicates.
    fn wait_stored(&self, through: u64) -> Vec<u64> {
        let mut all = Vec::new();
        self.wait_for(|event| match event {
            StoreEvent::HistoryStored { ticket, known } => {
                all.extend(known.iter().map(|ticket| ticket.0));
                (ticket.0 >= through).then_some(())
            }
            _ => None,
        });
        all
    }

    fn wait_persisted(&self, wanted: u64) {
        self.wait_for(|event| match event {
            StoreEvent::Persisted { ticket } => (ticket.0 == wanted).then_some(()),
            other => panic!("{other:?}"),
        });
    }

    /// Closes it and opens the directory again.
    fn again(self, dir: &TempDir) -> OpenStore {
        self.store.close();
        open(dir.path())
    }

    fn agent(&self, id: i64) -> &RestoredAgent {
        self.restored.agents.iter().find(|agent| agent.id.0 == id).expect("it was restored")
    }
}

/// Registers an agent in both databases.
fn register(opened: &OpenStore, id: i64, name: &str) {
    opened.persist([ControlDbRow::Registered {
        id: AgentRowId(id),
        agent: name.into(),
        at: at(0),
    }]);
    opened.record([HistoryDbRow::Registered { id: AgentRowId(id), agent: name.into(), at: at(0) }]);
}

/// A segment with one success of 100 ms, one failure and a cent.
fn segment(ticket: u64, id: i64, session: u64, segment: u64) -> HistoryDbRow {
    segment_at(ticket, id, session, segment, 1_000)
}

fn segment_at(ticket: u64, id: i64, session: u64, segment: u64, at_ms: i64) -> HistoryDbRow {
    let mut latency = Vec::new();
    bucket::pack(&mut latency, bucket::index(100_000), 2);
    HistoryDbRow::Work(Box::new(WorkRow {
        ticket: WriteTicket(ticket),
        id: AgentRowId(id),
        session,
        segment,
        at: at(at_ms),
        work: WorkTotals {
            ok: 1,
            failed: 1,
            cost_nano_usd: 10_000_000,
            tokens_in: 3,
            tokens_out: 4,
        },
        latency: latency.into(),
        quality: heartline_fleet::QualityRecord::default(),
        beats: 1,
        lost: 0,
    }))
}

fn command(ticket: u64, request_id: u64, action: Action, targets: &[(i64, u64)]) -> ControlDbRow {
    let target = |&(id, generation): &(i64, u64)| {
        let target = CommandTarget {
            agent: format!("agent-{id}").into(),
            generation,
            state: State::Healthy,
            changed: true,
        };
        CommandRowTarget { id: AgentRowId(id), target, lifts: None }
    };
    ControlDbRow::Command(CommandRow {
        ticket: WriteTicket(ticket),
        request_id,
        at: at(5_000),
        action,
        cause: Reason::Operator,
        by: "root@host".into(),
        reason: "burns money".into(),
        targets: targets.iter().map(target).collect(),
    })
}
