//! Time that the collector did not observe.

use rusqlite::Connection;

/// The time that was not observed, for many questions about how much of a range it is.
pub(crate) struct UnobservedTime {
    /// Begin and end of each stretch, and the unobserved time before it. They do not touch each other.
    stretches: Vec<(i64, i64, u64)>,
}

impl UnobservedTime {
    /// Reads the gaps that end after a moment.
    pub(crate) fn since(conn: &Connection, since_ms: i64) -> rusqlite::Result<Self> {
        let sql = "SELECT from_ms, to_ms FROM gaps WHERE to_ms > ?1 ORDER BY from_ms";
        let mut statement = conn.prepare_cached(sql)?;
        let gaps = statement.query_map([since_ms], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self::of(gaps.collect::<rusqlite::Result<Vec<_>>>()?))
    }

    /// Returns that of gaps, which come by their begin.
    fn of(gaps: impl IntoIterator<Item = (i64, i64)>) -> Self {
        let mut stretches: Vec<(i64, i64, u64)> = Vec::new();
        for (from_ms, to_ms) in gaps {
            match stretches.last_mut() {
                Some((_, until_ms, _)) if from_ms <= *until_ms => *until_ms = to_ms.max(*until_ms),
                last => {
                    let before_ms = last
                        .map_or(0, |(from, to, before)| *before + (*to - *from).cast_unsigned());
                    stretches.push((from_ms, to_ms, before_ms));
                }
            }
        }
        Self { stretches }
    }

    /// Returns how much of a range was not observed, in ms; 0 for one that ends before it begins.
    pub(crate) fn within(&self, from_ms: i64, to_ms: i64) -> u64 {
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
    use super::*;

    #[test]
    fn what_two_gaps_have_in_common_counts_once() {
        let gaps = [(0, 10), (5, 20), (30, 40), (32, 35), (40, 41)];
        let unobserved = UnobservedTime::of(gaps);
        let is_in_gap =
            |ms: &i64| gaps.iter().any(|(from_ms, to_ms)| (*from_ms..*to_ms).contains(ms));
        for (from_ms, to_ms) in (-5..50).flat_map(|from| (-5..50).map(move |to| (from, to))) {
            let expected = (from_ms..to_ms).filter(is_in_gap).count() as u64;
            assert_eq!(unobserved.within(from_ms, to_ms), expected, "{from_ms}..{to_ms}");
        }
    }
}
