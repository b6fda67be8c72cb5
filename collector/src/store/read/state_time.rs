//! How long an agent was in which state.

use heartline_operator::message::StateTimes;
use heartline_vocabulary::AgentStatus;
use rusqlite::Connection;

use crate::store::history::{AgentMoment, UnobservedTime, checkpoint, strip};

/// A stretch of time in one status.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    from_ms: i64,
    to_ms: i64,
    status: AgentStatus,
}

/// Tells how long an agent was in which state.
pub(super) struct StateReader {
    stretches: Vec<Stretch>,
    unobserved: UnobservedTime,
}

impl StateReader {
    /// Reads the states of an agent in a range.
    pub(super) fn new(
        conn: &Connection,
        ids: &[i64],
        from_ms: i64,
        to_ms: i64,
    ) -> rusqlite::Result<Self> {
        let mut stretches = Vec::new();
        // Before the first record nothing is known.
        let first_ms = checkpoint::first_record_ms(conn)?;
        let known_ms = first_ms.map_or(from_ms, |first_ms| first_ms.max(from_ms));
        for id in ids {
            let (mut moment, mut since_ms) = (AgentMoment::read(conn, *id, known_ms)?, known_ms);
            let mut push = |status: Option<AgentStatus>, from_ms, to_ms| {
                stretches.extend(status.map(|status| Stretch { from_ms, to_ms, status }));
            };
            for entry in strip::entries(conn, *id, &(known_ms + 1..=to_ms - 1))? {
                let before = moment.status;
                moment.apply(&entry);
                if moment.status != before {
                    // A transition can be stamped a little before one that was stored earlier.
                    let at_ms = entry.at_ms.max(since_ms);
                    push(before, since_ms, at_ms);
                    since_ms = at_ms;
                }
            }
            push(moment.status, since_ms, to_ms);
        }
        Ok(Self { stretches, unobserved: UnobservedTime::since(conn, from_ms)? })
    }

    /// Returns the time in each state between two moments of the range.
    pub(super) fn times(&self, from_ms: i64, to_ms: i64) -> StateTimes {
        let mut times = StateTimes::default();
        for stretch in &self.stretches {
            let (from, to) = (stretch.from_ms.max(from_ms), stretch.to_ms.min(to_ms));
            if to > from {
                let unobserved = self.unobserved.within(from, to);
                times.unobserved += unobserved;
                times.add(stretch.status, (to - from).cast_unsigned() - unobserved);
            }
        }
        times
    }
}
