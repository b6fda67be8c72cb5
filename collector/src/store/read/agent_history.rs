//! An agent's work and states over a range of time.

use heartline_operator::message::{AgentHistory, AgentHistoryQuery, StateTimes};
use rusqlite::Connection;

use super::history_range::{AskedRange, HistoryReading, KeptFrom, StepRange};
use super::range::agent_ids;
use super::state_sum::StateSum;
use super::work_sum::{PercentileReader, WorkReader};
use super::{ReadError, StoreReader};
use crate::store::history::{AgentMoment, FoldCursors, strip};
use crate::store::rollup::RollupSum;

impl StoreReader {
    /// Returns an agent's history in whole steps, as far as `now_ms`.
    ///
    /// # Errors [`ReadError`]
    pub fn agent_history(
        &mut self,
        query: &AgentHistoryQuery,
        now_ms: i64,
    ) -> Result<HistoryReading<AgentHistory>, ReadError> {
        self.history.read("an agent's history", |conn| read(conn, query, now_ms))
    }
}

fn read(
    conn: &Connection,
    query: &AgentHistoryQuery,
    now_ms: i64,
) -> rusqlite::Result<HistoryReading<AgentHistory>> {
    let ids = agent_ids(conn, &query.agent)?;
    if ids.is_empty() {
        return Ok(HistoryReading::UnknownAgent);
    }
    let cursors = FoldCursors::read(conn)?;
    let kept_from = KeptFrom::read(conn, &cursors)?;
    let AgentHistoryQuery { since_ms, until_ms, step_ms, .. } = *query;
    let range =
        match (AskedRange { since_ms, until_ms, step_ms }).resolve(conn, &kept_from, now_ms)? {
            Ok(range) => range,
            Err(refusal) => return Ok(HistoryReading::Refused(refusal)),
        };
    let StepRange { from_ms, to_ms, step_ms, .. } = range;
    let mut states = StateSum::new(conn, range)?;
    for id in &ids {
        let moment = AgentMoment::read(conn, *id, from_ms)?;
        let entries = strip::entries(conn, *id, &(from_ms + 1..=to_ms - 1))?;
        states.add(moment, &entries, std::slice::from_ref(&range.whole()))?;
    }
    let (work, mut percentiles) = (WorkReader { conn, cursors }, PercentileReader::new());
    let (mut steps, mut total) = (Vec::with_capacity(range.len()), RollupSum::default());
    let (mut total_times, mut total_outages) = (StateTimes::default(), 0);
    for (step, (times, outages)) in range.steps().zip(&states.steps) {
        let mut sum = RollupSum::default();
        for id in &ids {
            work.add_agent(*id, step, &mut sum)?;
        }
        total.add_sum(&sum);
        total_times.add_all(times);
        total_outages += outages;
        steps.push(percentiles.step(step.0, &sum, (*times, *outages)));
    }
    Ok(HistoryReading::History(Box::new(AgentHistory {
        agent: query.agent.clone(),
        from_ms,
        to_ms,
        step_ms,
        steps,
        total: percentiles.step(from_ms, &total, (total_times, total_outages)),
        outages: states.outages,
    })))
}
