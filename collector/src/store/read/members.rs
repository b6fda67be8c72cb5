//! The agents of a query, each while it matches.

use std::collections::BTreeMap;
use std::ops::Range;

use heartline_operator::Filter;
use heartline_operator::message::{PastAgent, RecentWork};
use heartline_vocabulary::{AgentRowId, AgentStatus};
use rusqlite::Connection;

use super::history_range::StepRange;
use super::identity::{IdentityChange, IdentityReader};
use crate::store::history::AgentMoment;

/// Row ids for each agent from which on all rows of a range are read, and not those of the agents alone.
const ROWS_PER_SEEK: usize = 16;

/// Decides in which parts of a range agents match.
pub(super) struct MemberReader<'a> {
    conn: &'a Connection,
    filter: &'a Filter,
    range: StepRange,
    names: BTreeMap<i64, String>,
    identities: IdentityReader,
}

/// The agents that match in a range.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// Those that match in all of it.
    pub(super) always: Vec<i64>,
    /// Those that match in parts of it.
    pub(super) sometimes: Vec<(i64, Vec<Range<i64>>)>,
}

impl<'a> MemberReader<'a> {
    pub(super) fn new(
        conn: &'a Connection,
        filter: &'a Filter,
        range: StepRange,
    ) -> rusqlite::Result<Self> {
        let mut statement = conn.prepare_cached("SELECT id, name FROM agents")?;
        let names = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let names = names.collect::<rusqlite::Result<_>>()?;
        Ok(Self { conn, filter, range, names, identities: IdentityReader::default() })
    }

    /// Returns the parts of the range in which an agent matches. Before it says what it is, it is what it says
    /// then.
    pub(super) fn parts(
        &mut self,
        agent: i64,
        begin: &AgentMoment,
        changes: &[IdentityChange],
    ) -> rusqlite::Result<Vec<Range<i64>>> {
        let StepRange { from_ms, to_ms, .. } = self.range;
        let mut identity = begin.identity.or_else(|| changes.first()?.identity);
        let (mut parts, mut since_ms) = (Vec::new(), from_ms);
        for change in changes {
            if change.identity == identity {
                continue;
            }
            let at_ms = change.at_ms.clamp(since_ms, to_ms);
            self.push(&mut parts, agent, identity, since_ms..at_ms)?;
            (since_ms, identity) = (at_ms, change.identity);
        }
        self.push(&mut parts, agent, identity, since_ms..to_ms)?;
        Ok(parts)
    }

    fn push(
        &mut self,
        parts: &mut Vec<Range<i64>>,
        agent: i64,
        identity: Option<i64>,
        part: Range<i64>,
    ) -> rusqlite::Result<()> {
        if part.is_empty() {
            return Ok(());
        }
        let entry = PastAgent {
            id: AgentRowId(agent),
            agent: self.names.get(&agent).cloned().unwrap_or_default(),
            identity: self.identities.get(self.conn, None, identity)?,
            status: AgentStatus::UNKNOWN,
            since_ms: part.start,
            starts: 0,
            work: RecentWork::default(),
        };
        if !self.filter.matches(&entry.to_entry(), part.start) {
            return Ok(());
        }
        match parts.last_mut() {
            Some(last) if last.end == part.start => last.end = part.end,
            _ => parts.push(part),
        }
        Ok(())
    }
}

impl Members {
    /// Adds an agent that matches in parts of a range.
    pub(super) fn add(&mut self, agent: i64, parts: Vec<Range<i64>>, range: &StepRange) {
        match &parts[..] {
            [] => {}
            [whole] if *whole == range.whole() => self.always.push(agent),
            _ => self.sometimes.push((agent, parts)),
        }
    }

    /// Returns the number of agents.
    pub(super) fn len(&self) -> usize {
        self.always.len() + self.sometimes.len()
    }

    /// Returns whether the rows of all agents should be read to find those of these.
    pub(super) fn are_many(&self) -> bool {
        let last = self.always.iter().max().map_or(0, |last| usize::try_from(*last).unwrap_or(0));
        self.always.len() * ROWS_PER_SEEK > last
    }

    /// Returns a mark at the row id of each agent that always matches.
    pub(super) fn marks(&self) -> Vec<bool> {
        let last = self.always.iter().max().map_or(0, |last| usize::try_from(*last).unwrap_or(0));
        let mut marks = vec![false; last + 1];
        for agent in &self.always {
            if let Some(mark) = usize::try_from(*agent).ok().and_then(|at| marks.get_mut(at)) {
                *mark = true;
            }
        }
        marks
    }
}
