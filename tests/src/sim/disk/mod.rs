//! The two databases, as far as the core can tell: rows become durable in groups and in order, some
//! time after they were written, and a crash leaves exactly what was durable.

mod control;
mod history;

use heartline_fleet::{ControlDbRow, HistoryDbRow, MonoTime, RestoredAgent, WriteTicket};

use heartline_vocabulary::AgentRowId;

pub(super) use self::control::{Control, Durable};
pub(super) use self::history::{History, Stored};

/// Rows that wait for their group's commit.
#[derive(Debug)]
pub(super) struct Queue<Row> {
    rows: Vec<Row>,
    /// Whether a commit is to come.
    pub(super) is_scheduled: bool,
}

impl<Row> Default for Queue<Row> {
    fn default() -> Self {
        Self { rows: Vec::new(), is_scheduled: false }
    }
}

impl<Row> Queue<Row> {
    fn take(&mut self) -> Vec<Row> {
        self.is_scheduled = false;
        std::mem::take(&mut self.rows)
    }
}

/// Both databases and what waits for them.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// `control.db`.
    pub(super) control: Control,
    /// `history.db`.
    pub(super) history: History,
    /// Waits for `control.db`.
    pub(super) control_queue: Queue<ControlDbRow>,
    /// Waits for `history.db`.
    pub(super) history_queue: Queue<HistoryDbRow>,
    /// When anything was last committed.
    pub(super) last_alive: Option<MonoTime>,
}

/// What the store tells the collector.
#[derive(Clone, Debug)]
pub(super) enum Notice {
    /// See [`heartline_fleet::Input::Persisted`].
    Persisted(Vec<Durable>),
    /// See [`heartline_fleet::Input::Abandoned`].
    Abandoned(WriteTicket),
    /// See [`heartline_fleet::Input::Stored`].
    Stored(Stored),
}

impl Disk {
    /// Writes a row for `control.db`; says whether a commit must be scheduled.
    pub(super) fn persist(&mut self, row: ControlDbRow) -> bool {
        self.control_queue.rows.push(row);
        !std::mem::replace(&mut self.control_queue.is_scheduled, true)
    }

    /// Writes a row for `history.db`; says whether a commit must be scheduled.
    pub(super) fn record(&mut self, row: HistoryDbRow) -> bool {
        self.history_queue.rows.push(row);
        !std::mem::replace(&mut self.history_queue.is_scheduled, true)
    }

    /// Commits what waits for `control.db`. `refuses` says for each command whether it fails.
    pub(super) fn commit_control(
        &mut self,
        now: MonoTime,
        refuses: impl FnMut() -> bool,
    ) -> Vec<Notice> {
        self.last_alive = Some(now);
        let rows = self.control_queue.take();
        self.control.commit(rows, now, refuses)
    }

    /// Commits what waits for `history.db`.
    pub(super) fn commit_history(&mut self, now: MonoTime) -> Vec<Notice> {
        self.last_alive = Some(now);
        let rows = self.history_queue.take();
        self.history.commit(rows).map(Notice::Stored).into_iter().collect()
    }

    /// What was not committed is gone.
    pub(super) fn crash(&mut self) {
        self.control_queue = Queue::default();
        self.history_queue = Queue::default();
    }

    /// The smallest id that no agent ever had.
    pub(super) fn next_id(&self) -> AgentRowId {
        let last = self.control.last_id().max(self.history.last_id());
        AgentRowId(last + 1)
    }

    /// Everybody that is known, with at most so many superseded sessions each. Labels are off by
    /// what the wall clock was set by since.
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
                    let at = label(desired.at);
                    Box::new(heartline_fleet::DesiredState { at, ..desired.clone() })
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
                    totals: past.work.into(),
                    desired,
                }
            })
            .collect()
    }
}
