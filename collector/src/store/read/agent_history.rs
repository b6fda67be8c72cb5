//! An agent's work and states over a range of time.

use heartline_operator::message::{
    AgentHistory, AgentHistoryQuery, HistoryStep, PastGap, STEPS_MAX, StateTimes,
};
use heartline_vocabulary::AgentStatus;
use rusqlite::Connection;

use super::range::agent_ids;
use super::work::latency_quantiles;
use super::{ReadError, StoreReader, gap};
use crate::store::history::{
    EventCode, FoldCursors, RollupResolution, StatusCode, checkpoint, strip,
};
use crate::store::rollup::Rollup;

const MINUTE_MS: i64 = RollupResolution::Minute.slot_ms();
const HOUR_MS: i64 = RollupResolution::Hour.slot_ms();
const DAY_MS: i64 = RollupResolution::Day.slot_ms();

/// The lengths of steps that are chosen from.
const STEPS_MS: [i64; 8] = [
    MINUTE_MS,
    5 * MINUTE_MS,
    15 * MINUTE_MS,
    HOUR_MS,
    6 * HOUR_MS,
    DAY_MS,
    7 * DAY_MS,
    30 * DAY_MS,
];
/// The end of the year 9999.
const LAST_MS: i64 = 253_402_300_799_999;
/// Steps that a chosen length makes at most.
const CHOSEN_STEPS: i64 = 60;

/// An agent's history, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentHistoryReading {
    History(Box<AgentHistory>),
    UnknownAgent,
    /// The length of a step is none of those that there are.
    WrongStep,
    /// The range has so many steps, which are too many.
    TooManySteps(i64),
    /// Work is kept in steps so short from this moment on only.
    TooFine(i64),
}

impl StoreReader {
    /// Returns an agent's history in whole steps, as far as `now_ms`.
    ///
    /// # Errors [`ReadError`]
    pub fn agent_history(
        &mut self,
        query: &AgentHistoryQuery,
        now_ms: i64,
    ) -> Result<AgentHistoryReading, ReadError> {
        self.history.read("an agent's history", |conn| read(conn, query, now_ms))
    }
}

fn read(
    conn: &Connection,
    query: &AgentHistoryQuery,
    now_ms: i64,
) -> rusqlite::Result<AgentHistoryReading> {
    let ids = agent_ids(conn, &query.agent)?;
    if ids.is_empty() {
        return Ok(AgentHistoryReading::UnknownAgent);
    }
    // A client may ask for anything: there are no steps outside of the years that can be written.
    let until_ms = query.until_ms.clamp(0, LAST_MS);
    let first_ms = checkpoint::first_record_ms(conn)?.unwrap_or(until_ms);
    let since_ms = query.since_ms.unwrap_or(first_ms).clamp(0, until_ms);
    let cursors = FoldCursors::read(conn)?;
    let kept_from = KeptFrom::read(conn, &cursors)?;
    let fits = |step_ms: &i64| {
        let begin_ms = since_ms.div_euclid(*step_ms) * step_ms;
        (until_ms - since_ms) / step_ms <= CHOSEN_STEPS
            && kept_from.of_step(*step_ms).is_none_or(|kept_ms| begin_ms >= kept_ms)
    };
    let longest_ms = STEPS_MS[STEPS_MS.len() - 1];
    let step_ms =
        query.step_ms.unwrap_or_else(|| STEPS_MS.into_iter().find(fits).unwrap_or(longest_ms));
    let is_known = (MINUTE_MS..=LAST_MS).contains(&step_ms)
        && step_ms % MINUTE_MS == 0
        && (DAY_MS % step_ms == 0 || step_ms % DAY_MS == 0);
    if !is_known {
        return Ok(AgentHistoryReading::WrongStep);
    }
    let from_ms = since_ms.div_euclid(step_ms) * step_ms;
    let count = (until_ms - from_ms + step_ms - 1) / step_ms;
    if count > STEPS_MAX as i64 {
        return Ok(AgentHistoryReading::TooManySteps(count));
    }
    if let Some(kept_ms) = kept_from.of_step(step_ms).filter(|kept_ms| from_ms < *kept_ms) {
        return Ok(AgentHistoryReading::TooFine(kept_ms));
    }
    let work = WorkReader { conn, ids: &ids, cursors };
    let to_ms = (from_ms + count * step_ms).min(now_ms.max(until_ms));
    let states = StateReader::new(conn, &ids, from_ms, to_ms)?;
    let (mut steps, mut total) = (Vec::new(), Rollup::default());
    let mut total_times = StateTimes::default();
    for at in 0..count {
        let (start_ms, end_ms) = (from_ms + at * step_ms, from_ms + (at + 1) * step_ms);
        let mut rollup = Rollup::default();
        work.add(start_ms, end_ms, &mut rollup)?;
        let times = states.times(start_ms, end_ms.min(to_ms));
        total.add(&rollup.counts, &rollup.latency.pack());
        total_times.add_all(&times);
        steps.push(step(start_ms, &rollup, times));
    }
    Ok(AgentHistoryReading::History(Box::new(AgentHistory {
        agent: query.agent.clone(),
        from_ms,
        to_ms,
        step_ms,
        steps,
        total: step(from_ms, &total, total_times),
    })))
}

fn step(at_ms: i64, rollup: &Rollup, state_ms: StateTimes) -> HistoryStep {
    let counts = &rollup.counts;
    HistoryStep {
        at_ms,
        beats: counts.beats,
        lost: counts.lost,
        ok: counts.ok,
        failed: counts.failed,
        latency: latency_quantiles(&rollup.latency),
        cost_nano_usd: counts.cost_nano_usd,
        tokens_in: counts.tokens_in,
        tokens_out: counts.tokens_out,
        state_ms,
    }
}

/// The moments from which on work is kept by the minute and by the hour; `None` where nothing has been
/// removed.
struct KeptFrom {
    minutes_ms: Option<i64>,
    hours_ms: Option<i64>,
}

impl KeptFrom {
    fn read(conn: &Connection, cursors: &FoldCursors) -> rusqlite::Result<Self> {
        let first = |table: &str| {
            let sql = format!("SELECT min(slot) FROM {table}");
            conn.query_row(&sql, [], |row| row.get::<_, Option<i64>>(0))
        };
        let (minute, hour, day) = (first("minutes")?, first("hours")?, first("days")?);
        // What has been folded and is not there has been removed. The coarse slot in which the finer ones
        // begin may have lost some.
        let kept =
            |fine: Option<i64>, coarse: Option<i64>, folded: i64, per_coarse: i64, ms: i64| {
                let coarse = coarse?;
                let fine = fine.map_or(folded, |fine| fine.div_euclid(per_coarse));
                (fine > coarse).then(|| (fine + 1) * ms)
            };
        let per_hour = RollupResolution::Minute.slots_in(RollupResolution::Hour);
        let per_day = RollupResolution::Hour.slots_in(RollupResolution::Day);
        Ok(Self {
            minutes_ms: kept(minute, hour, cursors.hours.slot, per_hour, HOUR_MS),
            hours_ms: kept(hour, day, cursors.days.slot, per_day, DAY_MS),
        })
    }

    /// Returns from when on steps of this length can be answered for; `None`: always.
    fn of_step(&self, step_ms: i64) -> Option<i64> {
        if step_ms % DAY_MS == 0 {
            None
        } else if step_ms % HOUR_MS == 0 {
            self.hours_ms
        } else {
            self.minutes_ms.max(self.hours_ms)
        }
    }
}

/// Adds up work of ranges, from the coarsest rows that are exact.
struct WorkReader<'a> {
    conn: &'a Connection,
    ids: &'a [i64],
    cursors: FoldCursors,
}

impl WorkReader<'_> {
    /// Adds the work between two moments, both at a whole minute, or, where only hours are kept, hour.
    fn add(&self, from_ms: i64, to_ms: i64, sum: &mut Rollup) -> rusqlite::Result<()> {
        for &agent in self.ids {
            let mut at_ms = from_ms;
            while at_ms < to_ms {
                at_ms = self.add_largest(agent, at_ms, to_ms, sum)?;
            }
        }
        Ok(())
    }

    /// Adds the work of the longest slot that begins here, is over before the end, and holds all finer ones;
    /// returns its end.
    fn add_largest(
        &self,
        agent: i64,
        at_ms: i64,
        to_ms: i64,
        sum: &mut Rollup,
    ) -> rusqlite::Result<i64> {
        let fits = |resolution: RollupResolution| {
            at_ms % resolution.slot_ms() == 0 && at_ms + resolution.slot_ms() <= to_ms
        };
        let (day, hour) = (at_ms.div_euclid(DAY_MS), at_ms.div_euclid(HOUR_MS));
        let (resolution, slot) =
            if fits(RollupResolution::Day) && self.cursors.days.includes(day, agent) {
                (RollupResolution::Day, day)
            } else if fits(RollupResolution::Hour) && self.cursors.hours.includes(hour, agent) {
                (RollupResolution::Hour, hour)
            } else {
                (RollupResolution::Minute, at_ms.div_euclid(MINUTE_MS))
            };
        resolution.visit(self.conn, slot, &(agent..=agent), |_, counts, latency| {
            sum.add(counts, latency);
        })?;
        Ok((slot + 1) * resolution.slot_ms())
    }
}

/// A stretch of time in one status.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from_ms: i64,
    to_ms: i64,
    status: AgentStatus,
}

/// Tells how long an agent was in which state.
struct StateReader {
    stretches: Vec<Stretch>,
    gaps: Vec<PastGap>,
}

impl StateReader {
    fn new(conn: &Connection, ids: &[i64], from_ms: i64, to_ms: i64) -> rusqlite::Result<Self> {
        let mut stretches = Vec::new();
        let before = checkpoint::fleet_at(conn, from_ms)?;
        for id in ids {
            let status_of = |code| StatusCode::from_code(code).map(|code| code.0);
            let mut open = before
                .get(id)
                .and_then(|agent| status_of(agent.status))
                .map(|status| (from_ms, status));
            for entry in strip::entries(conn, *id, &(from_ms + 1..=to_ms - 1))? {
                let next = match entry.kind {
                    EventCode::Transition => entry.status.and_then(status_of),
                    EventCode::Registered => Some(AgentStatus::UNKNOWN),
                    EventCode::Forgotten => None,
                    _ => continue,
                };
                let at_ms = entry.at_ms;
                if let Some((since_ms, status)) = open {
                    stretches.push(Stretch {
                        from_ms: since_ms,
                        to_ms: at_ms.max(since_ms),
                        status,
                    });
                }
                open = next.map(|status| (at_ms, status));
            }
            if let Some((since_ms, status)) = open {
                stretches.push(Stretch { from_ms: since_ms, to_ms, status });
            }
        }
        Ok(Self { stretches, gaps: gap::since(conn, from_ms)? })
    }

    fn times(&self, from_ms: i64, to_ms: i64) -> StateTimes {
        let mut times = StateTimes::default();
        for stretch in &self.stretches {
            let (from, to) = (stretch.from_ms.max(from_ms), stretch.to_ms.min(to_ms));
            if to > from {
                let unobserved = gap::overlap_ms(&self.gaps, from, to);
                times.unobserved += unobserved;
                times.add(stretch.status, (to - from).cast_unsigned() - unobserved);
            }
        }
        times
    }
}
