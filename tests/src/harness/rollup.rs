//! What a collector has stored of an agent's work.

use std::collections::BTreeMap;
use std::path::Path;

use heartline_protocol::bucket::PackedHistogram;
use heartline_vocabulary::WorkTotals;
use rusqlite::{Connection, OpenFlags};

/// Reads an agent's work from the minutes in `history.db`: all of it, as long as none is old enough
/// to be folded into hours.
///
/// # Panics
/// If `history.db` can't be read.
#[track_caller]
pub fn rollup_totals(data_dir: &Path, agent: &str) -> WorkTotals {
    let sums = open(data_dir).query_row(
        "SELECT coalesce(sum(m.ok), 0), coalesce(sum(m.failed), 0),
                coalesce(sum(m.cost_nano_usd), 0), coalesce(sum(m.tokens_in), 0),
                coalesce(sum(m.tokens_out), 0)
         FROM minutes m JOIN agents a ON a.id = m.agent_id WHERE a.name = ?1",
        [agent],
        |row| {
            let sum = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
            Ok(WorkTotals {
                ok: sum(0)?,
                failed: sum(1)?,
                cost_nano_usd: sum(2)?,
                tokens_in: sum(3)?,
                tokens_out: sum(4)?,
            })
        },
    );
    sums.expect("minutes can be summed up")
}

/// Reads the count of each latency bucket of an agent, from the same minutes.
///
/// # Panics
/// If `history.db` can't be read.
#[track_caller]
pub fn rollup_latencies(data_dir: &Path, agent: &str) -> BTreeMap<u16, u64> {
    let conn = open(data_dir);
    let query = "SELECT m.latency FROM minutes m JOIN agents a ON a.id = m.agent_id
                 WHERE a.name = ?1";
    let mut query = conn.prepare(query).expect("history.db has minutes");
    let mut rows = query.query([agent]).expect("minutes can be read");
    let mut buckets = BTreeMap::new();
    while let Some(row) = rows.next().expect("minutes can be read") {
        let packed: Vec<u8> = row.get(0).expect("a minute has its latencies");
        let packed = PackedHistogram::new(&packed).expect("a collector stores packed histograms");
        for (bucket, count) in packed.pairs() {
            *buckets.entry(bucket).or_default() += count;
        }
    }
    buckets
}

#[track_caller]
fn open(data_dir: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let conn = Connection::open_with_flags(data_dir.join("history.db"), flags);
    conn.expect("history.db can be opened")
}
