//! What both databases know, merged into what the core is told at its start.

mod control;
mod history;

use std::cmp::Reverse;

use heartline_fleet::{DesiredState, IdentityInterner, RestoredAgent, RestoredSession};

use heartline_vocabulary::AgentRowId;
use rusqlite::Connection;

use crate::clock::WallClockAnchor;

use control::{DesiredRow, RosterRow};
use history::{PastAgent, PastSession};

pub(super) use control::revocations;

/// Sessions that an agent gets back, newest first, beside those that have not ended.
const SESSIONS: usize = 8;

/// Everything that `control.db` says.
#[derive(Debug)]
pub(super) struct Roster {
    agents: Vec<RosterRow>,
    desired: Vec<DesiredRow>,
}

/// Everything that `history.db` says of agents, by ascending id.
#[derive(Debug, Default)]
pub(super) struct Past {
    agents: Vec<PastAgent>,
    sessions: Vec<PastSession>,
}

impl Roster {
    pub(super) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        let mut identities = IdentityInterner::default();
        Ok(Self {
            agents: control::agents(conn, &mut identities)?,
            desired: control::desired(conn)?,
        })
    }

    /// Every agent that ever was, with its name and when it was first seen.
    pub(super) fn names(&self) -> impl Iterator<Item = (AgentRowId, &str, i64)> {
        self.agents.iter().map(|agent| (agent.id, &*agent.name, agent.first_seen_ms))
    }
}

impl Past {
    pub(super) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        Ok(Self { agents: history::agents(conn)?, sessions: history::sessions(conn)? })
    }

    /// Agents of the roster that have no name here yet.
    pub(super) fn unnamed<'a>(
        &'a self,
        roster: &'a Roster,
    ) -> impl Iterator<Item = (AgentRowId, &'a str, i64)> {
        let mut past = Merge::new(&self.agents);
        roster
            .names()
            .filter(move |&(id, ..)| past.find(id).is_none_or(|past| past.name.is_empty()))
    }

    /// Agents that were forgotten, and that the roster still has: each file is written on its own,
    /// and a crash may leave the word of it in only one of them. Whatever came after it, even from
    /// an agent of the same name, stands in history under another id.
    pub(super) fn forgotten(&self, roster: &Roster) -> Vec<(AgentRowId, i64)> {
        let mut past = Merge::new(&self.agents);
        let kept = roster.agents.iter().filter(|agent| !agent.forgotten);
        kept.filter_map(|agent| Some((agent.id, past.find(agent.id)?.forgotten_ms?))).collect()
    }

    /// Agents that the roster has never heard of, whose name nobody in it has: a roster that was
    /// restored from a copy is older than the history beside it.
    pub(super) fn strangers(&self, roster: &Roster) -> Vec<(AgentRowId, Box<str>, i64)> {
        let mut known = Merge::new(&roster.agents);
        let unknown = |agent: &&PastAgent| {
            known.find(agent.id).is_none() && agent.forgotten_ms.is_none() && !agent.name.is_empty()
        };
        let strangers: Vec<&PastAgent> = self.agents.iter().filter(unknown).collect();
        if strangers.is_empty() {
            return Vec::new();
        }
        let taken: std::collections::HashSet<&str> =
            roster.agents.iter().filter(|row| !row.forgotten).map(|row| &*row.name).collect();
        strangers
            .into_iter()
            .filter(|agent| !taken.contains(&*agent.name))
            .map(|agent| (agent.id, agent.name.clone(), agent.first_seen_ms))
            .collect()
    }
}

/// The smallest id that no agent ever had, in either file.
pub(super) fn next_id(roster: &Roster, past: &Past) -> AgentRowId {
    let last = roster.agents.last().map_or(0, |agent| agent.id.0);
    AgentRowId(last.max(past.agents.last().map_or(0, |agent| agent.id.0)) + 1)
}

/// The agents as the core wants them.
pub(super) fn merge(roster: Roster, past: &Past, anchor: WallClockAnchor) -> Vec<RestoredAgent> {
    let (mut pasts, mut desires) = (Merge::new(&past.agents), Merge::new(&roster.desired));
    let (mut sessions, unheard) = (Merge::new(&past.sessions), PastAgent::unheard());
    let alive = roster.agents.into_iter().filter(|agent| !agent.forgotten);
    alive
        .map(|agent| {
            let past = pasts.find(agent.id).unwrap_or(&unheard);
            let sessions = newest(sessions.find_all(agent.id));
            let desired = desires.find(agent.id).map(|row| Box::new(desired(row, past, anchor)));
            RestoredAgent {
                id: agent.id,
                agent: agent.name,
                first_seen: anchor.mono(agent.first_seen_ms),
                identity: agent.identity,
                interval_ms: agent.interval_ms,
                status: past.status,
                since: anchor.mono(past.since_ms.unwrap_or(agent.first_seen_ms)),
                last_live: past.last_beat_ms.map(|at| anchor.mono(at)),
                starts: past.starts,
                sessions,
                totals: past.totals,
                desired,
            }
        })
        .collect()
}

/// Newest first: the last few, and all that have not ended.
fn newest(sessions: &[PastSession]) -> Vec<RestoredSession> {
    let mut sessions: Vec<&PastSession> = sessions.iter().collect();
    sessions.sort_unstable_by_key(|session| Reverse((session.starts, session.started_ms)));
    let kept = sessions
        .iter()
        .enumerate()
        .filter(|(at, session)| *at < SESSIONS || session.ended.is_none());
    kept.map(|(_, session)| RestoredSession {
        session: session.session,
        applied_segment: session.applied_segment,
        ended: session.ended,
    })
    .collect()
}

fn desired(row: &DesiredRow, past: &PastAgent, anchor: WallClockAnchor) -> DesiredState {
    DesiredState {
        generation: row.generation,
        killed: row.killed,
        cause: row.cause,
        by: row.by.clone(),
        reason: row.reason.clone(),
        at: anchor.mono(row.at_ms),
        delivered_ms: row.delivered_ms,
        obeyed_ms: row.obeyed_ms,
        last_segment: u64::MAX,
        disobeyed: past.disobeyed_generation == row.generation,
    }
}

/// What is asked for in ascending order of ids, from rows in ascending order of ids.
struct Merge<'a, T> {
    rest: &'a [T],
}

trait OfAgent {
    fn agent(&self) -> AgentRowId;
}

impl<'a, T: OfAgent> Merge<'a, T> {
    fn new(rows: &'a [T]) -> Self {
        Self { rest: rows }
    }

    /// All rows of an agent.
    fn find_all(&mut self, id: AgentRowId) -> &'a [T] {
        let before = self.rest.iter().take_while(|row| row.agent() < id).count();
        self.rest = &self.rest[before..];
        let here = self.rest.iter().take_while(|row| row.agent() == id).count();
        &self.rest[..here]
    }

    /// The row of an agent, if it has one.
    fn find(&mut self, id: AgentRowId) -> Option<&'a T> {
        self.find_all(id).first()
    }
}
