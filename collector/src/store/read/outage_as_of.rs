//! An outage as it was known at a moment before its end.

use heartline_operator::message::Outage;
use heartline_vocabulary::AgentStatus;
use rusqlite::{Connection, OptionalExtension as _};

use crate::store::history::strip;
use crate::store::history::{StatusCode, UnobservedTime, is_outage};
use crate::store::sql;

/// What an event says of an outage: words, missed beats, and the time between two.
type EventFacts = (Option<String>, Option<i64>, Option<i64>);

/// Takes from an outage what was not known yet at a moment, which it had begun before.
pub(super) fn cut(
    conn: &Connection,
    agent: i64,
    gaps: &UnobservedTime,
    outage: &mut Outage,
    at_ms: i64,
) -> rusqlite::Result<()> {
    outage.notes.retain(|note| note.at_ms <= at_ms);
    if outage.end_ms.is_some_and(|end_ms| end_ms <= at_ms) {
        return Ok(());
    }
    outage.end_ms = None;
    outage.unobserved_ms = gaps.within(outage.start_ms, at_ms);
    let mut known = KnownOutage { worst: None, cause: None, missed: 0, run: None };
    for entry in strip::entries(conn, agent, &(outage.start_ms..=at_ms))? {
        let status = entry.status.and_then(StatusCode::from_code).map(|code| code.0);
        let Some(status) = status.filter(|status| is_outage(*status)) else { continue };
        if entry.cursor >= outage.id {
            let facts = read_facts(conn, entry.cursor)?;
            known.go_on(entry.at_ms, status, facts, gaps);
        }
    }
    // Where its begin has been removed, the table has all that is known.
    if let Some(worst) = known.worst {
        outage.missed_beats = sql::from_count(known.missed_until(at_ms, gaps));
        (outage.worst, outage.cause) = (worst, known.cause);
    }
    Ok(())
}

/// An outage as far as its events have been read.
struct KnownOutage {
    worst: Option<AgentStatus>,
    cause: Option<String>,
    /// Beats that were missed in runs of them that have ended.
    missed: i64,
    /// When the first beat of the run was due, and the time between two.
    run: Option<(i64, i64)>,
}

impl KnownOutage {
    fn go_on(
        &mut self,
        at_ms: i64,
        status: AgentStatus,
        (words, missed, interval_ms): EventFacts,
        gaps: &UnobservedTime,
    ) {
        let run = missed.zip(interval_ms.filter(|it| *it > 0));
        let run = run.map(|(missed, interval_ms)| (at_ms - missed * interval_ms, interval_ms));
        // A run of missed beats goes on from late to silent.
        if self.run.is_none() || run.is_none() {
            self.missed = self.missed_until(at_ms, gaps);
            self.run = run;
        }
        let is_worse =
            self.worst.is_none_or(|worst| status.state.severity() > worst.state.severity());
        if is_worse {
            (self.worst, self.cause) = (Some(status), words);
        }
    }

    fn missed_until(&self, at_ms: i64, gaps: &UnobservedTime) -> i64 {
        let Some((from_ms, interval_ms)) = self.run else { return self.missed };
        let unobserved_ms = gaps.within(from_ms, at_ms).cast_signed();
        self.missed + (at_ms - from_ms - unobserved_ms).max(0) / interval_ms
    }
}

fn read_facts(conn: &Connection, cursor: i64) -> rusqlite::Result<EventFacts> {
    let sql = "SELECT (SELECT text FROM texts WHERE id = words), missed, interval_ms \
               FROM event_details WHERE cursor = ?1";
    let facts = conn
        .prepare_cached(sql)?
        .query_row([cursor], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    Ok(facts.unwrap_or_default())
}
