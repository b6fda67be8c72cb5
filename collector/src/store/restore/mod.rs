//! The state of the last run, read from both databases and merged for the core.

mod control;
mod history;

use std::cmp::Reverse;
use std::collections::HashSet;

use heartline_fleet::{CommandRecord, Incident, MonoTime, RestoredAgent, RestoredSession};
use heartline_protocol::ControlId;
use heartline_vocabulary::{AgentRowId, Identity, IncidentId};
use rusqlite::Connection;

use super::control::StoredSilence;
use super::control::silence;
use super::history::{self as history_db, AgentRecord, OutboxNotice};
use crate::clock::{self, WallClockAnchor};

use control::{ControlAgentRow, DesiredStateRow};
use history::{HistoryAgentRow, SessionRow};

pub(super) use control::{ControlDbState, read_revocations};
pub(super) use history::HistoryDbState;

/// The state of the last run, as the store gives it when it is opened.
#[derive(Debug)]
pub struct RestoredState {
    /// The series that generations of commands belong to.
    pub control: ControlId,
    /// Every agent that was not forgotten, by ascending id.
    pub agents: Vec<RestoredAgent>,
    /// When the collector of the last run was last known to be alive.
    pub last_alive: Option<MonoTime>,
    /// The smallest id that no agent ever had.
    pub next_id: AgentRowId,
    pub revocations: Vec<TokenRevocation>,
    pub alerts: RestoredAlerts,
    /// Sentences for operators about databases that were set aside.
    pub banners: Vec<String>,
}

/// What the last run has left to be told.
#[derive(Debug)]
pub struct RestoredAlerts {
    /// The incidents that go on.
    pub incidents: Vec<Incident>,
    /// The smallest number that no incident of this history ever had.
    pub next_id: IncidentId,
    /// What is still to be sent, in order, an entry for each sink.
    pub pending: Vec<OutboxNotice>,
    /// Those that have not ended by the wall clock.
    pub silences: Vec<StoredSilence>,
}

/// A scope whose token of one key epoch is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRevocation {
    pub scope: String,
    pub epoch: u8,
}

impl RestoredAlerts {
    pub(super) fn read(
        control: &Connection,
        conn: &Connection,
        anchor: WallClockAnchor,
    ) -> rusqlite::Result<Self> {
        Ok(Self {
            silences: silence::read(control, clock::wall_ms())?,
            incidents: history_db::incident::read_open(conn, anchor)?,
            next_id: history_db::incident::next_id(conn)?,
            pending: history_db::outbox::read_pending(conn)?,
        })
    }
}

/// Newest sessions that an agent gets back, beside those that have not ended.
const NEWEST_SESSIONS: usize = 8;

impl HistoryDbState {
    /// Iterates over the agents of `control.db` of which `history.db` lacks the row, the name, or
    /// that they were forgotten.
    pub(super) fn missing_in_history<'a>(
        &'a self,
        control: &'a ControlDbState,
    ) -> impl Iterator<Item = &'a AgentRecord> {
        let mut known = MergeJoinCursor::new(&self.agents, |row| row.agent.id);
        control.agents.iter().map(|row| &row.agent).filter(move |agent| {
            known.find(agent.id).is_none_or(|HistoryAgentRow { agent: known, .. }| {
                known.name.is_empty()
                    || (known.forgotten_ms.is_none() && agent.forgotten_ms.is_some())
            })
        })
    }

    /// Returns what agents of `control.db` said of themselves where `history.db` knows nothing of it: one that was
    /// begun anew. They tell it once a session.
    pub(super) fn missing_identities(
        &self,
        control: &ControlDbState,
    ) -> Vec<(AgentRowId, Identity)> {
        let mut known = MergeJoinCursor::new(&self.agents, |row| row.agent.id);
        let kept = control.agents.iter().filter(|row| row.agent.forgotten_ms.is_none());
        kept.filter_map(|ControlAgentRow { agent, identity, .. }| {
            let is_known = known.find(agent.id).is_some_and(|row| row.has_identity);
            Some((agent.id, identity.clone()?)).filter(|_| !is_known)
        })
        .collect()
    }

    /// Returns the ids of agents that were forgotten and that `control.db` still has, with the
    /// time: each file is committed on its own, and a crash may come in between. An agent of the
    /// same name that came later has another id.
    pub(super) fn forgotten_in_history(&self, control: &ControlDbState) -> Vec<(AgentRowId, i64)> {
        let mut history = MergeJoinCursor::new(&self.agents, |row| row.agent.id);
        let forgotten = control.kept_agents().filter_map(|agent| {
            let forgotten_ms = history.find(agent.id)?.agent.forgotten_ms?;
            Some((agent.id, forgotten_ms))
        });
        forgotten.collect()
    }

    /// Returns the agents that `control.db` lacks, if no agent in it has their name: a `control.db`
    /// that was restored from a copy is older than the history beside it.
    pub(super) fn missing_in_control(&self, control: &ControlDbState) -> Vec<&AgentRecord> {
        let mut known = MergeJoinCursor::new(&control.agents, |row| row.agent.id);
        let is_missing = |agent: &&AgentRecord| {
            known.find(agent.id).is_none() && agent.forgotten_ms.is_none() && !agent.name.is_empty()
        };
        let mut missing: Vec<&AgentRecord> =
            self.agents.iter().map(|row| &row.agent).filter(is_missing).collect();
        if !missing.is_empty() {
            let names: HashSet<&str> = control.kept_agents().map(|agent| &*agent.name).collect();
            missing.retain(|agent| !names.contains(&*agent.name));
        }
        missing
    }
}

impl ControlDbState {
    fn kept_agents(&self) -> impl Iterator<Item = &AgentRecord> {
        self.agents.iter().map(|row| &row.agent).filter(|agent| agent.forgotten_ms.is_none())
    }
}

/// Returns the smallest id that no agent ever had, in either file.
pub(super) fn next_id(control: &ControlDbState, history: &HistoryDbState) -> AgentRowId {
    let last_of_control = control.agents.last().map_or(0, |row| row.agent.id.0);
    let last_of_history = history.agents.last().map_or(0, |row| row.agent.id.0);
    AgentRowId(last_of_control.max(last_of_history) + 1)
}

/// Merges both states into the agents of the core.
pub(super) fn merge(
    control: ControlDbState,
    history: &HistoryDbState,
    anchor: WallClockAnchor,
) -> Vec<RestoredAgent> {
    let mut rows = MergeJoinCursor::new(&history.agents, |row| row.agent.id);
    let mut sessions = MergeJoinCursor::new(&history.sessions, |row| row.agent_id);
    let mut desired = MergeJoinCursor::new(&control.desired, |row| row.agent_id);
    let unknown = HistoryAgentRow::default();
    let kept = control.agents.into_iter().filter(|row| row.agent.forgotten_ms.is_none());
    kept.map(|ControlAgentRow { agent, interval_ms, identity }| {
        let row = rows.find(agent.id).unwrap_or(&unknown);
        let desired = desired.find(agent.id);
        RestoredAgent {
            id: agent.id,
            agent: agent.name,
            first_seen: anchor.mono(agent.first_seen_ms),
            identity,
            interval_ms,
            status: row.status,
            since: anchor.mono(row.since_ms.unwrap_or(agent.first_seen_ms)),
            last_live: row.last_beat_ms.map(|at| anchor.mono(at)),
            starts: row.starts,
            sessions: newest_sessions(sessions.find_all(agent.id)),
            totals: row.totals,
            quality: row.quality,
            desired: desired.map(|desired| Box::new(restore_desired(desired, row, anchor))),
        }
    })
    .collect()
}

/// Returns the newest sessions and all that have not ended, newest first.
fn newest_sessions(rows: &[SessionRow]) -> Vec<RestoredSession> {
    let mut rows: Vec<&SessionRow> = rows.iter().collect();
    rows.sort_unstable_by_key(|row| Reverse((row.starts, row.started_ms)));
    let kept =
        rows.iter().enumerate().filter(|(at, row)| *at < NEWEST_SESSIONS || row.ended.is_none());
    kept.map(|(_, row)| RestoredSession {
        session: row.session,
        applied_segment: row.applied_segment,
        ended: row.ended,
    })
    .collect()
}

fn restore_desired(
    row: &DesiredStateRow,
    history: &HistoryAgentRow,
    anchor: WallClockAnchor,
) -> CommandRecord {
    CommandRecord {
        generation: row.generation,
        killed: row.killed,
        cause: row.cause,
        by: row.by.clone(),
        reason: row.reason.clone(),
        at: anchor.mono(row.at_ms),
        delivered_ms: row.delivered_ms,
        obeyed_ms: row.obeyed_ms,
        last_segment: u64::MAX,
        disobeyed: history.disobeyed_generation == row.generation,
        lifts: row.lifts,
    }
}

/// A cursor of a merge join: finds rows by ids that are asked for in ascending order, in rows that
/// are in ascending order, too.
struct MergeJoinCursor<'a, T> {
    rest: &'a [T],
    agent_id: fn(&T) -> AgentRowId,
}

impl<'a, T> MergeJoinCursor<'a, T> {
    fn new(rest: &'a [T], agent_id: fn(&T) -> AgentRowId) -> Self {
        Self { rest, agent_id }
    }

    fn find_all(&mut self, id: AgentRowId) -> &'a [T] {
        let before = self.rest.iter().take_while(|row| (self.agent_id)(row) < id).count();
        self.rest = &self.rest[before..];
        let found = self.rest.iter().take_while(|row| (self.agent_id)(row) == id).count();
        &self.rest[..found]
    }

    fn find(&mut self, id: AgentRowId) -> Option<&'a T> {
        self.find_all(id).first()
    }
}
