//! Times that were not observed.

use heartline_operator::message::PastGap;
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::store::history::GapCauseCode;

fn read(row: &Row<'_>) -> rusqlite::Result<PastGap> {
    let GapCauseCode(cause) = row.get(2)?;
    Ok(PastGap { from_ms: row.get(0)?, to_ms: row.get(1)?, cause })
}

/// Returns the gaps that end after a moment, by their begin.
fn since(conn: &Connection, since_ms: i64) -> rusqlite::Result<Vec<PastGap>> {
    let sql = "SELECT from_ms, to_ms, cause FROM gaps WHERE to_ms > ?1 ORDER BY from_ms";
    conn.prepare_cached(sql)?.query_map([since_ms], read)?.collect()
}

/// Returns the gap that a moment is in.
pub(super) fn at(conn: &Connection, at_ms: i64) -> rusqlite::Result<Option<PastGap>> {
    let sql = "SELECT from_ms, to_ms, cause FROM gaps WHERE from_ms <= ?1 AND to_ms > ?1 LIMIT 1";
    conn.prepare_cached(sql)?.query_row([at_ms], read).optional()
}

/// The time that was not observed, for many questions about how much of a range it is.
pub(super) struct UnobservedTime {
    /// Begin and end of each stretch, and the unobserved time before it. They do not touch each other.
    stretches: Vec<(i64, i64, u64)>,
}

impl UnobservedTime {
    /// Reads the gaps that end after a moment.
    pub(super) fn since(conn: &Connection, since_ms: i64) -> rusqlite::Result<Self> {
        Ok(Self::of(&since(conn, since_ms)?))
    }

    fn of(gaps: &[PastGap]) -> Self {
        let mut stretches: Vec<(i64, i64, u64)> = Vec::new();
        for gap in gaps {
            match stretches.last_mut() {
                Some((_, to_ms, _)) if gap.from_ms <= *to_ms => *to_ms = gap.to_ms.max(*to_ms),
                last => {
                    let before_ms = last
                        .map_or(0, |(from, to, before)| *before + (*to - *from).cast_unsigned());
                    stretches.push((gap.from_ms, gap.to_ms, before_ms));
                }
            }
        }
        Self { stretches }
    }

    /// Returns how much of a range was not observed, in ms; 0 for one that ends before it begins.
    pub(super) fn within(&self, from_ms: i64, to_ms: i64) -> u64 {
        self.until(to_ms.max(from_ms)) - self.until(from_ms)
    }

    fn until(&self, at_ms: i64) -> u64 {
        let begun = self.stretches.partition_point(|(from_ms, ..)| *from_ms < at_ms);
        let Some((from_ms, to_ms, before_ms)) = begun.checked_sub(1).map(|at| self.stretches[at])
        else {
            return 0;
        };
        before_ms + (at_ms.min(to_ms) - from_ms).cast_unsigned()
    }
}

#[cfg(test)]
mod tests {
    use heartline_vocabulary::GapCause;

    use super::*;

    #[test]
    fn what_two_gaps_have_in_common_counts_once() {
        let gap = |from_ms, to_ms| PastGap { from_ms, to_ms, cause: GapCause::Down };
        let gaps = [gap(0, 10), gap(5, 20), gap(30, 40), gap(32, 35), gap(40, 41)];
        let unobserved = UnobservedTime::of(&gaps);
        let is_in_gap = |ms: &i64| gaps.iter().any(|gap| (gap.from_ms..gap.to_ms).contains(ms));
        for (from_ms, to_ms) in (-5..50).flat_map(|from| (-5..50).map(move |to| (from, to))) {
            let expected = (from_ms..to_ms).filter(is_in_gap).count() as u64;
            assert_eq!(unobserved.within(from_ms, to_ms), expected, "{from_ms}..{to_ms}");
        }
    }
}
