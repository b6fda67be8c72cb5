//! `history.db`: sessions, transitions, and work counted once.

use std::collections::BTreeMap;

use heartline_fleet::{
    HistoryDbRow, Incident, MonoTime, QualityRecord, RestoredSession, WorkRow, WriteTicket,
};

use heartline_vocabulary::{AgentRowId, AgentStatus, IncidentId, WorkTotals};

use crate::sim::budget_clock::wall_ms;

/// A budget, one agent or all, and the end of a window.
type ToldOf = (Box<str>, Option<i64>, Box<str>);

/// All that is stored of one agent.
#[derive(Clone, Debug)]
pub(in crate::sim) struct AgentHistory {
    pub(super) status: AgentStatus,
    pub(super) since: MonoTime,
    pub(super) last_live: Option<MonoTime>,
    pub(super) starts: u32,
    pub(super) work: WorkTotals,
    pub(super) quality: QualityRecord,
    sessions: Vec<RestoredSession>,
    /// All rows of work, with the wall-clock time of each.
    rows: Vec<(i64, WorkTotals)>,
    /// Name and time of first contact.
    registered: Option<(Box<str>, MonoTime)>,
    forgotten: bool,
}

/// A commit of work.
#[derive(Clone, Debug)]
pub(in crate::sim) struct StoredWork {
    /// Highest committed ticket.
    pub(in crate::sim) ticket: WriteTicket,
    /// Tickets whose segments had been stored before.
    pub(in crate::sim) known: Vec<WriteTicket>,
}

/// Committed rows.
#[derive(Debug, Default)]
pub(in crate::sim) struct HistoryTables {
    past: BTreeMap<i64, AgentHistory>,
    /// The row id under which each session's segment was counted last.
    counted: BTreeMap<(u64, u64), i64>,
    /// Work of each session as counted first, and what was counted again for a successor.
    by_session: BTreeMap<u64, (WorkTotals, WorkTotals)>,
    last_id: i64,
    /// The highest level of each budget that was told, of one agent or of all, in the window with this end.
    told: BTreeMap<ToldOf, u8>,
    /// As they were recorded last.
    incidents: BTreeMap<IncidentId, Incident>,
}

impl AgentHistory {
    fn new() -> Self {
        Self {
            status: AgentStatus::UNKNOWN,
            since: MonoTime::from_nanos(0),
            last_live: None,
            starts: 0,
            work: WorkTotals::default(),
            quality: QualityRecord::default(),
            sessions: Vec::new(),
            rows: Vec::new(),
            registered: None,
            forgotten: false,
        }
    }

    /// Returns the current session and at most `superseded` earlier ones.
    pub(super) fn newest_first(&self, superseded: usize) -> Vec<RestoredSession> {
        self.sessions.iter().rev().take(1 + superseded).copied().collect()
    }

    fn session(&mut self, session: u64) -> &mut RestoredSession {
        let at = self.sessions.iter().position(|it| it.session == session).unwrap_or_else(|| {
            self.sessions.push(RestoredSession { session, applied_segment: 0, ended: None });
            self.sessions.len() - 1
        });
        &mut self.sessions[at]
    }
}

impl HistoryTables {
    /// Returns all that is stored of an agent.
    pub(super) fn past(&self, id: i64) -> AgentHistory {
        self.past.get(&id).cloned().unwrap_or_else(AgentHistory::new)
    }

    /// Returns the agents that were registered and not forgotten.
    pub(super) fn registered(&self) -> impl Iterator<Item = (i64, &str, MonoTime)> {
        self.past.iter().filter_map(|(&id, past)| {
            let (agent, at) = past.registered.as_ref()?;
            Some((id, &**agent, *at))
        })
    }

    /// Returns the agents that were forgotten.
    pub(super) fn forgotten(&self) -> impl Iterator<Item = i64> {
        self.past.iter().filter(|(_, past)| past.forgotten).map(|(&id, _)| id)
    }

    pub(super) fn last_id(&self) -> i64 {
        self.last_id
    }

    /// Returns whether a segment is durable.
    pub(in crate::sim) fn has(&self, session: u64, segment: u64) -> bool {
        self.counted.contains_key(&(session, segment))
    }

    /// Returns the durable work of a session, and what of it is counted for a second row id too.
    pub(in crate::sim) fn of_session(&self, session: u64) -> (WorkTotals, WorkTotals) {
        self.by_session.get(&session).copied().unwrap_or_default()
    }

    /// Returns the durable work of each row id.
    pub(in crate::sim) fn totals(&self) -> BTreeMap<i64, WorkTotals> {
        self.past.iter().map(|(&id, past)| (id, past.work)).collect()
    }

    /// Returns the totals that agents had at a time of the wall clock, of those that have done anything since.
    pub(in crate::sim) fn totals_at(&self, from_ms: i64) -> BTreeMap<i64, WorkTotals> {
        let mut totals = BTreeMap::new();
        for (&id, past) in &self.past {
            let since = work_since(&past.rows, from_ms);
            if since != WorkTotals::default() {
                totals.insert(id, past.work.saturating_sub(&since));
            }
        }
        totals
    }

    /// Returns what an agent has done since a time of the wall clock.
    pub(in crate::sim) fn work_since(&self, id: i64, from_ms: i64) -> WorkTotals {
        self.past.get(&id).map_or(WorkTotals::default(), |past| work_since(&past.rows, from_ms))
    }

    /// Returns the highest level of a budget that was told in the window that ends then.
    pub(in crate::sim) fn told(&self, budget: &str, agent: Option<i64>, ends: &str) -> u8 {
        self.told.get(&(budget.into(), agent, ends.into())).copied().unwrap_or(0)
    }

    /// Returns the row id under which each durable segment was counted last.
    pub(in crate::sim) fn counted(&self) -> BTreeMap<(u64, u64), i64> {
        self.counted.clone()
    }

    /// Returns the incidents that go on, as the store gives them back.
    pub(in crate::sim) fn open_incidents(&self) -> Vec<Incident> {
        self.incidents.values().filter(|it| it.ended.is_none()).map(Incident::as_stored).collect()
    }

    /// Returns the smallest number that no incident had.
    pub(in crate::sim) fn next_incident(&self) -> IncidentId {
        self.incidents.keys().max().map_or(IncidentId(1), |id| IncidentId(id.0 + 1))
    }

    pub(super) fn commit(
        &mut self,
        rows: Vec<HistoryDbRow>,
        wall_ahead_ms: i64,
    ) -> Option<StoredWork> {
        let mut stored: Option<StoredWork> = None;
        for row in rows {
            match row {
                HistoryDbRow::Registered { id, agent, at } => {
                    self.of(id).registered = Some((agent, at));
                }
                HistoryDbRow::Forgotten { id, .. } => {
                    let past = self.of(id);
                    (past.registered, past.forgotten) = (None, true);
                }
                HistoryDbRow::Session { id, session, starts, .. } => {
                    let past = self.of(id);
                    past.starts = starts;
                    let known = *past.session(session);
                    past.sessions.retain(|it| it.session != session);
                    past.sessions.push(RestoredSession { ended: None, ..known });
                }
                HistoryDbRow::SessionEnded { id, session, end, .. } => {
                    self.of(id).session(session).ended = Some(end);
                }
                HistoryDbRow::Transition(row) => {
                    let past = self.of(row.id);
                    (past.status, past.since) = (row.to, row.at);
                }
                HistoryDbRow::LastBeat { id, at, .. } => self.of(id).last_live = Some(at),
                HistoryDbRow::Work(row) => {
                    let stored =
                        stored.get_or_insert(StoredWork { ticket: row.ticket, known: Vec::new() });
                    stored.ticket = row.ticket;
                    if !self.add(&row, wall_ahead_ms) {
                        stored.known.push(row.ticket);
                    }
                }
                HistoryDbRow::Identity { .. }
                | HistoryDbRow::Commanded { .. }
                | HistoryDbRow::Obeyed { .. }
                | HistoryDbRow::Disobeyed { .. }
                | HistoryDbRow::Gap { .. }
                | HistoryDbRow::Notice(_) => {}
                HistoryDbRow::Budget(event) => {
                    let agent = event.agent.map(|id| id.0);
                    let key = (event.budget.clone(), agent, event.window_ends.clone());
                    let told = self.told.entry(key).or_default();
                    *told = event.percent.max(*told);
                }
                HistoryDbRow::Incident(incident) => {
                    self.incidents.insert(incident.id, *incident);
                }
            }
        }
        stored
    }

    /// Adds a segment, unless this agent's session has got as far already.
    fn add(&mut self, row: &WorkRow, wall_ahead_ms: i64) -> bool {
        let past = self.of(row.id);
        let session = past.session(row.session);
        if row.segment <= session.applied_segment {
            return false;
        }
        session.applied_segment = row.segment;
        past.work = past.work.saturating_add(&row.work);
        past.rows.push((wall_ms(row.at, wall_ahead_ms), row.work));
        past.quality = row.quality;
        let is_first = self.counted.insert((row.session, row.segment), row.id.0).is_none();
        let (once, again) = self.by_session.entry(row.session).or_default();
        let sum = if is_first { once } else { again };
        *sum = sum.saturating_add(&row.work);
        true
    }

    fn of(&mut self, id: AgentRowId) -> &mut AgentHistory {
        self.last_id = self.last_id.max(id.0);
        self.past.entry(id.0).or_insert_with(AgentHistory::new)
    }
}

fn work_since(rows: &[(i64, WorkTotals)], from_ms: i64) -> WorkTotals {
    let since = rows.iter().filter(|row| row.0 >= from_ms);
    since.fold(WorkTotals::default(), |sum, row| sum.saturating_add(&row.1))
}
