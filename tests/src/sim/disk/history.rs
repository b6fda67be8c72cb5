//! `history.db`: sessions, standings, and work counted once.

use std::collections::{BTreeMap, BTreeSet};

use heartline_fleet::{HistoryDbRow, MonoTime, RestoredSession, WorkRow, WriteTicket};

use heartline_vocabulary::{AgentRowId, AgentStatus};

use crate::sim::work::Work;

/// All that is stored of one agent.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Past {
    pub(super) status: AgentStatus,
    pub(super) since: MonoTime,
    pub(super) last_live: Option<MonoTime>,
    pub(super) starts: u32,
    pub(super) work: Work,
    sessions: Vec<RestoredSession>,
    /// Its name and when it was first seen, unless it was forgotten.
    registered: Option<(Box<str>, MonoTime)>,
    forgotten: bool,
}

/// A commit of work.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Stored {
    /// The highest ticket.
    pub(in crate::sim) ticket: WriteTicket,
    /// Those that were stored from before.
    pub(in crate::sim) known: Vec<WriteTicket>,
}

/// The committed tables.
#[derive(Debug, Default)]
pub(in crate::sim) struct History {
    past: BTreeMap<i64, Past>,
    segments: BTreeSet<(u64, u64)>,
    counted: BTreeSet<(i64, u64, u64)>,
    by_session: BTreeMap<u64, Work>,
    last_id: i64,
}

impl Past {
    fn new() -> Self {
        Self {
            status: AgentStatus::UNKNOWN,
            since: MonoTime::from_nanos(0),
            last_live: None,
            starts: 0,
            work: Work::default(),
            sessions: Vec::new(),
            registered: None,
            forgotten: false,
        }
    }

    /// The current session, and at most so many that it superseded.
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

impl History {
    /// All that is stored of an agent.
    pub(super) fn past(&self, id: i64) -> Past {
        self.past.get(&id).cloned().unwrap_or_else(Past::new)
    }

    /// Everybody that was registered and not forgotten.
    pub(super) fn registered(&self) -> impl Iterator<Item = (i64, &str, MonoTime)> {
        self.past.iter().filter_map(|(&id, past)| {
            let (agent, at) = past.registered.as_ref()?;
            Some((id, &**agent, *at))
        })
    }

    /// Everybody that was forgotten.
    pub(super) fn forgotten(&self) -> impl Iterator<Item = i64> {
        self.past.iter().filter(|(_, past)| past.forgotten).map(|(&id, _)| id)
    }

    pub(super) fn last_id(&self) -> i64 {
        self.last_id
    }

    /// Whether a segment is durable.
    pub(in crate::sim) fn has(&self, session: u64, segment: u64) -> bool {
        self.segments.contains(&(session, segment))
    }

    /// The work of one session that is durable.
    pub(in crate::sim) fn of_session(&self, session: u64) -> Work {
        self.by_session.get(&session).copied().unwrap_or_default()
    }

    /// The work of every agent that is durable.
    pub(in crate::sim) fn totals(&self) -> BTreeMap<i64, Work> {
        self.past.iter().map(|(&id, past)| (id, past.work)).collect()
    }

    /// Every segment that is durable, with its agent and session.
    pub(in crate::sim) fn counted(&self) -> BTreeSet<(i64, u64, u64)> {
        self.counted.clone()
    }

    pub(super) fn commit(&mut self, rows: Vec<HistoryDbRow>) -> Option<Stored> {
        let mut stored: Option<Stored> = None;
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
                        stored.get_or_insert(Stored { ticket: row.ticket, known: Vec::new() });
                    stored.ticket = row.ticket;
                    if !self.add(&row) {
                        stored.known.push(row.ticket);
                    }
                }
                HistoryDbRow::Commanded { .. }
                | HistoryDbRow::Obeyed { .. }
                | HistoryDbRow::Disobeyed { .. }
                | HistoryDbRow::Gap { .. } => {}
            }
        }
        stored
    }

    /// Adds a segment, unless its session has got as far already.
    fn add(&mut self, row: &WorkRow) -> bool {
        let work = Work::from(row);
        let past = self.of(row.id);
        let session = past.session(row.session);
        if row.segment <= session.applied_segment {
            return false;
        }
        session.applied_segment = row.segment;
        past.work.add(&work);
        self.segments.insert((row.session, row.segment));
        self.counted.insert((row.id.0, row.session, row.segment));
        self.by_session.entry(row.session).or_default().add(&work);
        true
    }

    fn of(&mut self, id: AgentRowId) -> &mut Past {
        self.last_id = self.last_id.max(id.0);
        self.past.entry(id.0).or_insert_with(Past::new)
    }
}
