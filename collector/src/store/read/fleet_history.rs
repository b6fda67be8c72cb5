//! Work, percentiles, states and outages of the fleet, or of a part of it, over a range of time.

use std::collections::BTreeMap;
use std::ops::Range;

use heartline_operator::Filter;
use heartline_operator::message::{FleetHistory, FleetHistoryQuery, HistoryContent, StateTimes};
use rusqlite::{Connection, params};

use super::history_plan::KeptFrom;
use super::history_range::{AskedRange, HistoryReading, StepRange};
use super::identity::IdentityChange;
use super::members::{MemberReader, Members};
use super::range::agent_ids;
use super::state_sum::StateSum;
use super::work_sum::{self, PercentileReader, WorkOf, WorkReader};
use super::{ReadError, StoreReader};
use crate::store::history::strip::{self, StripEntry};
use crate::store::history::{AgentMoment, FoldCursors, checkpoint, last_id};
use crate::store::rollup::RollupSum;

impl StoreReader {
    /// Returns the history of the agents that match `filter`, each while it does, in whole steps as far as
    /// `now_ms`. The filter must not read what changes from moment to moment.
    ///
    /// # Errors [`ReadError`]
    pub fn fleet_history(
        &mut self,
        query: &FleetHistoryQuery,
        filter: &Filter,
        now_ms: i64,
    ) -> Result<HistoryReading<FleetHistory>, ReadError> {
        self.history.read("history", |conn| read(conn, query, filter, now_ms))
    }
}

fn read(
    conn: &Connection,
    query: &FleetHistoryQuery,
    filter: &Filter,
    now_ms: i64,
) -> rusqlite::Result<HistoryReading<FleetHistory>> {
    let ids = query.agent.as_deref().map(|name| agent_ids(conn, name)).transpose()?;
    if ids.as_ref().is_some_and(Vec::is_empty) {
        return Ok(HistoryReading::UnknownAgent);
    }
    let cursors = FoldCursors::read(conn)?;
    let kept_from = KeptFrom::read(conn, &cursors)?;
    let FleetHistoryQuery { since_ms, until_ms, step_ms, content, .. } = *query;
    let range =
        match (AskedRange { since_ms, until_ms, step_ms }).resolve(conn, &kept_from, now_ms)? {
            Ok(range) => range,
            Err(refusal) => return Ok(HistoryReading::Refused(refusal)),
        };
    let mut states = match content {
        HistoryContent::WorkAndStates => Some(StateSum::new(conn, range)?),
        HistoryContent::Work | HistoryContent::WorkWithLatencies => None,
    };
    let is_fleet = ids.is_none() && filter.is_empty();
    let members = match &mut states {
        Some(states) => {
            Some(find_members_and_states(conn, ids.as_deref(), filter, &range, states)?)
        }
        None if is_fleet => None,
        None => Some(find_members(conn, ids.as_deref(), filter, &range)?),
    };
    let agents = match &members {
        Some(members) => members.len(),
        None => known_agents(conn, &range)?.len(),
    };
    let reader = StepReader {
        work: WorkReader { conn, cursors },
        marks: members.as_ref().filter(|members| members.are_many()).map(Members::marks),
        members: members.filter(|_| !is_fleet),
        kept_from,
        range,
    };
    let history = reader.read(agents as u64, states, content)?;
    Ok(HistoryReading::History(Box::new(history)))
}

/// Finds the agents that match by their identities alone: all of their events take longer to read.
fn find_members(
    conn: &Connection,
    ids: Option<&[i64]>,
    filter: &Filter,
    range: &StepRange,
) -> rusqlite::Result<Members> {
    let StepRange { from_ms, to_ms, .. } = *range;
    let mut known = known_agents(conn, range)?;
    if let Some(ids) = ids {
        known.retain(|agent| ids.contains(agent));
    }
    if filter.is_empty() {
        return Ok(Members { always: known, sometimes: Vec::new() });
    }
    let mut reader = MemberReader::new(conn, filter, *range)?;
    let cursors = checkpoint::first_since(conn, from_ms)?..=checkpoint::last_until(conn, to_ms)?;
    let before = checkpoint::fleet_at(conn, from_ms)?;
    let mut members = Members::default();
    for agent in known {
        let moment = before.get(&agent).map(AgentMoment::of).unwrap_or_default();
        let changes = IdentityChange::read(conn, agent, &cursors, (from_ms, to_ms))?;
        members.add(agent, reader.parts(agent, &moment, &changes)?, range);
    }
    Ok(members)
}

/// Finds the agents that match, and adds what they were to `states`.
fn find_members_and_states(
    conn: &Connection,
    ids: Option<&[i64]>,
    filter: &Filter,
    range: &StepRange,
    states: &mut StateSum<'_>,
) -> rusqlite::Result<Members> {
    let StepRange { from_ms, to_ms, .. } = *range;
    let mut reader = match filter.is_empty() {
        true => None,
        false => Some(MemberReader::new(conn, filter, *range)?),
    };
    let mut members = Members::default();
    let mut add = |agent: i64, moment: AgentMoment, entries: &[StripEntry]| {
        if moment.status.is_none() && entries.is_empty() {
            return Ok(());
        }
        let parts = match &mut reader {
            Some(reader) => reader.parts(agent, &moment, &IdentityChange::among(entries))?,
            None => std::iter::once(range.whole()).collect(),
        };
        states.add(moment, entries, &parts)?;
        members.add(agent, parts, range);
        Ok(())
    };
    let times_ms = from_ms + 1..=to_ms - 1;
    let mut before = fleet_at(conn, ids, filter, from_ms)?;
    match ids {
        Some(ids) => {
            for id in ids {
                let moment = before.remove(id).unwrap_or_default();
                add(*id, moment, &strip::entries(conn, *id, &times_ms)?)?;
            }
        }
        None => {
            let last = last_id(conn)?;
            strip::visit_agents(conn, &(0..=last), &times_ms, |agent, entries| {
                add(agent, before.remove(&agent).unwrap_or_default(), entries)
            })?;
            for (agent, moment) in before {
                add(agent, moment, &[])?;
            }
        }
    }
    Ok(members)
}

/// Returns what agents were at a moment: these, or all.
fn fleet_at(
    conn: &Connection,
    ids: Option<&[i64]>,
    filter: &Filter,
    at_ms: i64,
) -> rusqlite::Result<BTreeMap<i64, AgentMoment>> {
    match ids.filter(|_| filter.is_empty()) {
        // Without the fleet, and without identities, which only filters need.
        Some(ids) => AgentMoment::read_each(conn, ids.iter().copied(), at_ms),
        None => {
            let fleet = checkpoint::fleet_at(conn, at_ms)?;
            Ok(fleet.iter().map(|(id, agent)| (*id, AgentMoment::of(agent))).collect())
        }
    }
}

/// Returns the agents that were known in a range, by their row ids.
fn known_agents(conn: &Connection, range: &StepRange) -> rusqlite::Result<Vec<i64>> {
    let sql = "SELECT id FROM agents \
               WHERE first_seen_ms < ?2 AND (forgotten_ms IS NULL OR forgotten_ms > ?1) ORDER BY id";
    let mut statement = conn.prepare_cached(sql)?;
    statement.query_map(params![range.from_ms, range.to_ms], |row| row.get(0))?.collect()
}

/// Reads the work of each step.
struct StepReader<'a> {
    work: WorkReader<'a>,
    /// `None`: the whole fleet.
    members: Option<Members>,
    /// Those that always match, where they are many.
    marks: Option<Vec<bool>>,
    kept_from: KeptFrom,
    range: StepRange,
}

impl StepReader<'_> {
    fn read(
        &self,
        agents: u64,
        states: Option<StateSum<'_>>,
        content: HistoryContent,
    ) -> rusqlite::Result<FleetHistory> {
        let StepRange { from_ms, to_ms, step_ms, .. } = self.range;
        let mut history =
            FleetHistory { agents, from_ms, to_ms, step_ms, ..FleetHistory::default() };
        let (mut percentiles, mut total) = (PercentileReader::new(), RollupSum::default());
        let mut total_times = (StateTimes::default(), 0);
        for (at, step) in self.range.steps().enumerate() {
            let mut sum = RollupSum::default();
            self.add_work(step, &mut sum)?;
            total.add_sum(&sum);
            let times = states.as_ref().and_then(|states| states.steps.get(at).copied());
            let times = times.unwrap_or_default();
            total_times.0.add_all(&times.0);
            total_times.1 += times.1;
            if content == HistoryContent::WorkWithLatencies {
                history.latencies.push(sum.latency.pairs().collect());
            }
            let latency = percentiles.quantiles(&sum.latency);
            history.steps.push(work_sum::step(step.0, &sum.counts, latency, times));
        }
        let latency = percentiles.quantiles(&total.latency);
        history.total = work_sum::step(from_ms, &total.counts, latency, total_times);
        history.outages = states.map(|states| states.outages).unwrap_or_default();
        Ok(history)
    }

    fn add_work(&self, step: (i64, i64), sum: &mut RollupSum) -> rusqlite::Result<()> {
        let Some(members) = &self.members else {
            return self.work.add(WorkOf::Fleet, step, sum);
        };
        match &self.marks {
            Some(marks) => self.work.add(WorkOf::Marked(marks), step, sum)?,
            None => {
                for agent in &members.always {
                    self.add_agent(*agent, step, sum)?;
                }
            }
        }
        for (agent, parts) in &members.sometimes {
            for part in parts {
                let part = self.whole_slots(part);
                let part = (part.0.max(step.0), part.1.min(step.1));
                self.add_agent(*agent, part, sum)?;
            }
        }
        Ok(())
    }

    fn add_agent(
        &self,
        agent: i64,
        range: (i64, i64),
        sum: &mut RollupSum,
    ) -> rusqlite::Result<()> {
        self.work.visit_agent(agent, range, |counts, latency| sum.add(counts, latency))
    }

    /// Returns the part of the range in which slots begin in this part: a slot counts as it began.
    fn whole_slots(&self, part: &Range<i64>) -> (i64, i64) {
        let edge = |at_ms: i64| match at_ms {
            at_ms if at_ms == self.range.from_ms => i64::MIN,
            at_ms if at_ms == self.range.to_ms => i64::MAX,
            at_ms => self.kept_from.next_slot(at_ms),
        };
        (edge(part.start), edge(part.end))
    }
}
