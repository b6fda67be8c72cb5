//! The two databases as the core sees them: rows become durable in groups and in order, some time
//! after they were written, and a crash leaves what was durable.

mod control;
mod history;

use heartline_fleet::{ControlDbRow, HistoryDbRow, MonoTime, RestoredAgent, WriteTicket};

use heartline_vocabulary::AgentRowId;

pub(super) use self::control::{ControlTables, DurableCommand};
pub(super) use self::history::{HistoryTables, StoredWork};

/// Rows that wait for their group's commit.
#[derive(Debug)]
pub(super) struct CommitQueue<Row> {
    rows: Vec<Row>,
    pub(super) is_scheduled: bool,
}

impl<Row> Default for CommitQueue<Row> {
    fn default() -> Self {
        Self { rows: Vec::new(), is_scheduled: false }
    }
}

impl<Row> CommitQueue<Row> {
    fn take(&mut self) -> Vec<Row> {
        self.is_scheduled = false;
        std::mem::take(&mut self.rows)
    }
}

/// Both databases and the rows that wait for them.
#[derive(Debug, Default)]
pub(super) struct SimDisk {
    pub(super) control: ControlTables,
    pub(super) history: HistoryTables,
    pub(super) control_queue: CommitQueue<ControlDbRow>,
    pub(super) history_queue: CommitQueue<HistoryDbRow>,
    /// By how much the wall clock of the collector that writes is ahead of its monotonic one, in ms.
    pub(super) wall_ahead_ms: i64,
    /// Time of the last commit.
    pub(super) last_alive: Option<MonoTime>,
}

/// A report of the store to the collector.
#[derive(Clone, Debug)]
pub(super) enum StoreNotice {
    Persisted(Vec<DurableCommand>),
    Abandoned(WriteTicket),
    Stored(StoredWork),
}

impl SimDisk {
    /// Queues a row for `control.db`; returns whether a commit must be scheduled.
    pub(super) fn persist(&mut self, row: ControlDbRow) -> bool {
        self.control_queue.rows.push(row);
        !std::mem::replace(&mut self.control_queue.is_scheduled, true)
    }

    /// Queues a row for `history.db`; returns whether a commit must be scheduled.
    pub(super) fn record(&mut self, row: HistoryDbRow) -> bool {
        self.history_queue.rows.push(row);
        !std::mem::replace(&mut self.history_queue.is_scheduled, true)
    }

    /// Commits the rows for `control.db`. `refuses` decides for each command whether it fails.
    pub(super) fn commit_control(
        &mut self,
        now: MonoTime,
        refuses: impl FnMut() -> bool,
    ) -> Vec<StoreNotice> {
        self.last_alive = Some(now);
        let rows = self.control_queue.take();
        self.control.commit(rows, self.wall_ahead_ms, refuses)
    }

    /// Commits the rows for `history.db`.
    pub(super) fn commit_history(&mut self, now: MonoTime) -> Vec<StoreNotice> {
        self.last_alive = Some(now);
        let rows = self.history_queue.take();
        self.history.commit(rows, self.wall_ahead_ms).map(StoreNotice::Stored).into_iter().collect()
    }

    /// Drops all rows that were not committed.
    pub(super) fn crash(&mut self) {
        self.control_queue = CommitQueue::default();
        self.history_queue = CommitQueue::default();
    }

    /// Returns the smallest row id that no agent ever had.
    pub(super) fn next_id(&self) -> AgentRowId {
        let last = self.control.last_id().max(self.history.last_id());
        AgentRowId(last + 1)
    }

    /// Returns every registered agent with at most `superseded` earlier sessions. `label` moves
    /// stored times by what the wall clock was set by since.
    pub(super) fn restore(
        &mut self,
        superseded: usize,
        label: impl Fn(MonoTime) -> MonoTime,
    ) -> Vec<RestoredAgent> {
        self.history.forgotten().for_each(|id| self.control.forget(id));
        for (id, agent, first_seen) in self.history.registered() {
            self.control.adopt(id, agent, first_seen);
        }
        self.control
            .agents()
            .map(|(id, known)| {
                let past = self.history.past(id);
                let desired = self.control.desired(id).map(|desired| {
                    let at = desired.at.nanos() - self.wall_ahead_ms * 1_000_000;
                    let at = MonoTime::from_nanos(at);
                    Box::new(heartline_fleet::CommandRecord { at, ..desired.clone() })
                });
                RestoredAgent {
                    id: AgentRowId(id),
                    agent: known.agent.clone(),
                    first_seen: label(known.first_seen),
                    identity: known.identity.clone(),
                    interval_ms: known.interval_ms,
                    status: past.status,
                    since: label(past.since),
                    last_live: past.last_live.map(&label),
                    starts: past.starts,
                    sessions: past.newest_first(superseded),
                    totals: past.work,
                    quality: past.quality,
                    desired,
                }
            })
            .collect()
    }
}
