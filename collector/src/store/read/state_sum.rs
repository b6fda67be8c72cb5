//! Time in each state and outages of many agents, step by step, from their strips.

use std::ops::Range;

use heartline_operator::message::{OutageFigures, StateTimes};
use heartline_vocabulary::AgentStatus;
use rusqlite::{Connection, OptionalExtension as _};

use super::history_range::StepRange;
use crate::store::history::strip::StripEntry;
use crate::store::history::{AgentMoment, UnobservedTime};

/// Adds up what agents were.
pub(super) struct StateSum<'a> {
    conn: &'a Connection,
    range: StepRange,
    unobserved: UnobservedTime,
    /// Of each step, times and how many outages began.
    pub(super) steps: Vec<(StateTimes, u64)>,
    pub(super) outages: OutageFigures,
}

/// An outage that goes on.
#[derive(Clone, Copy, Debug)]
struct OpenOutage {
    start_ms: i64,
    is_counted: bool,
}

impl<'a> StateSum<'a> {
    pub(super) fn new(conn: &'a Connection, range: StepRange) -> rusqlite::Result<Self> {
        Ok(Self {
            conn,
            range,
            unobserved: UnobservedTime::since(conn, range.from_ms)?,
            steps: vec![Default::default(); range.len()],
            outages: OutageFigures::default(),
        })
    }

    /// Adds an agent: what it was at the begin of the range, its events in it, and the parts of the range in
    /// which it counts. An outage counts when it began in one of them, or before the range.
    pub(super) fn add(
        &mut self,
        mut moment: AgentMoment,
        entries: &[StripEntry],
        parts: &[Range<i64>],
    ) -> rusqlite::Result<()> {
        let StepRange { from_ms, to_ms, .. } = self.range;
        let mut since_ms = from_ms;
        let mut open = match moment.outage {
            Some(outage) => Some(self.begin(self.start_of(outage)?.unwrap_or(from_ms), parts)),
            None => None,
        };
        for entry in entries {
            let before = moment;
            moment.apply(entry);
            if moment.status == before.status && moment.outage == before.outage {
                continue;
            }
            let at_ms = entry.at_ms.clamp(since_ms, to_ms);
            if let Some(status) = before.status {
                self.add_stretch(status, since_ms..at_ms, parts);
            }
            since_ms = at_ms;
            match (open, moment.outage) {
                (None, Some(_)) => open = Some(self.begin(at_ms, parts)),
                (Some(outage), None) => {
                    if outage.is_counted {
                        self.outages.ended += 1;
                        self.outages.repair_ms += (at_ms - outage.start_ms).max(0).cast_unsigned();
                    }
                    open = None;
                }
                _ => {}
            }
        }
        if let Some(status) = moment.status {
            self.add_stretch(status, since_ms..to_ms, parts);
        }
        Ok(())
    }

    fn begin(&mut self, start_ms: i64, parts: &[Range<i64>]) -> OpenOutage {
        let within_ms = start_ms.max(self.range.from_ms);
        let is_counted = parts.iter().any(|part| part.contains(&within_ms));
        if is_counted {
            self.outages.count += 1;
            if start_ms >= self.range.from_ms {
                self.outages.began += 1;
                let step = self.range.step_of(start_ms);
                if let Some((_, outages)) = self.steps.get_mut(step) {
                    *outages += 1;
                }
            }
        }
        OpenOutage { start_ms, is_counted }
    }

    fn start_of(&self, outage: i64) -> rusqlite::Result<Option<i64>> {
        let sql = "SELECT start_ms FROM outages WHERE cursor = ?1";
        self.conn.prepare_cached(sql)?.query_row([outage], |row| row.get(0)).optional()
    }

    fn add_stretch(&mut self, status: AgentStatus, stretch: Range<i64>, parts: &[Range<i64>]) {
        for part in parts {
            let (mut from_ms, to_ms) =
                (stretch.start.max(part.start), stretch.end.min(part.end).min(self.range.to_ms));
            while from_ms < to_ms {
                let step = self.range.step_of(from_ms);
                let end_ms = self.range.from_ms + (step as i64 + 1) * self.range.step_ms;
                let end_ms = end_ms.min(to_ms);
                let Some((times, _)) = self.steps.get_mut(step) else { return };
                let unobserved_ms = self.unobserved.within(from_ms, end_ms);
                times.unobserved += unobserved_ms;
                times.add(status, (end_ms - from_ms).cast_unsigned() - unobserved_ms);
                from_ms = end_ms;
            }
        }
    }
}
