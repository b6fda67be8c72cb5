//! What agents have done since a moment, and in all: what budgets begin with.

use std::collections::BTreeMap;

use heartline_vocabulary::{AgentRowId, WorkTotals};
use rusqlite::Connection;

use super::{ReadError, StoreReader};
use crate::store::history::{FoldCursors, RollupResolution};
use crate::store::rollup::WorkCounts;
use crate::store::sql;

impl StoreReader {
    /// Returns the totals that agents had when a minute began, of those that have done anything since.
    /// Rollups and totals are read as of one moment, so that it does not matter which.
    ///
    /// # Errors [`ReadError`]
    pub fn totals_at(
        &mut self,
        from_ms: i64,
    ) -> Result<BTreeMap<AgentRowId, WorkTotals>, ReadError> {
        self.history.read("spent", |conn| {
            let mut since = BTreeMap::new();
            add_since(conn, from_ms, &mut since)?;
            let mut statement = conn.prepare_cached(
                "SELECT ok, failed, cost_nano_usd, tokens_in, tokens_out FROM agents WHERE id = ?1",
            )?;
            let mut totals = BTreeMap::new();
            for (&agent, counts) in &since {
                let now = statement.query_row([agent], |row| {
                    let count = |column| row.get(column).map(sql::from_count);
                    Ok(WorkTotals {
                        ok: count(0)?,
                        failed: count(1)?,
                        cost_nano_usd: count(2)?,
                        tokens_in: count(3)?,
                        tokens_out: count(4)?,
                    })
                })?;
                totals.insert(AgentRowId(agent), now.saturating_sub(&work_of(counts)));
            }
            Ok(totals)
        })
    }
}

fn work_of(counts: &WorkCounts) -> WorkTotals {
    WorkTotals {
        ok: counts.ok,
        failed: counts.failed,
        cost_nano_usd: counts.cost_nano_usd,
        tokens_in: counts.tokens_in,
        tokens_out: counts.tokens_out,
    }
}

/// Adds what was done from a minute on: by hours where they are folded, and by minutes before the first full
/// hour and after the last that is folded.
fn add_since(
    conn: &Connection,
    from_ms: i64,
    sums: &mut BTreeMap<i64, WorkCounts>,
) -> rusqlite::Result<()> {
    let (minute, hour) = (RollupResolution::Minute, RollupResolution::Hour);
    let per_hour = minute.slots_in(hour);
    let first_minute = minute.slot(from_ms);
    let first_hour = -(-first_minute).div_euclid(per_hour);
    let folded = FoldCursors::read(conn)?.hours;
    let last_hour = last_slot(conn, hour)?.min(folded.slot);
    for slot in first_hour..=last_hour {
        hour.visit(conn, slot, &(0..=i64::MAX), |agent, counts, _| {
            if folded.includes(slot, agent) {
                sums.entry(agent).or_default().add(counts);
            }
        })?;
    }
    let last_minute = last_slot(conn, minute)?;
    let head = first_minute..(first_hour * per_hour).min(last_minute + 1);
    let unfolded = folded.slot.max(first_hour).saturating_mul(per_hour);
    for slot in head.chain(unfolded..last_minute.saturating_add(1)) {
        let of_hour = slot.div_euclid(per_hour);
        minute.visit(conn, slot, &(0..=i64::MAX), |agent, counts, _| {
            if of_hour < first_hour || !folded.includes(of_hour, agent) {
                sums.entry(agent).or_default().add(counts);
            }
        })?;
    }
    Ok(())
}

/// Returns the last slot of a table; a negative one if it is empty.
fn last_slot(conn: &Connection, resolution: RollupResolution) -> rusqlite::Result<i64> {
    let sql = format!("SELECT coalesce(max(slot), -1) FROM {}", resolution.table());
    conn.prepare_cached(&sql)?.query_row([], |row| row.get(0))
}
