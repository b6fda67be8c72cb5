//! What stands in `history.db`, read past the collector.

use std::path::Path;

use heartline_vocabulary::WorkTotals;
use rusqlite::{Connection, OpenFlags};

use super::worker::Deeds;

/// The sum over the minutes of an agent: all its work, as long as none is old enough to be folded
/// into hours.
///
/// # Panics
/// If `history.db` can't be read.
#[must_use]
#[track_caller]
pub fn rolled_up(data_dir: &Path, agent: &str) -> Deeds {
    let database = data_dir.join("history.db");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let conn = Connection::open_with_flags(&database, flags).expect("history.db can be opened");
    let sums = conn.query_row(
        "SELECT coalesce(sum(m.ok), 0), coalesce(sum(m.failed), 0),
                coalesce(sum(m.cost_nano_usd), 0), coalesce(sum(m.tokens_in), 0),
                coalesce(sum(m.tokens_out), 0)
         FROM minutes m JOIN agents a ON a.id = m.agent_id WHERE a.name = ?1",
        [agent],
        |row| {
            let sum = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
            Ok(Deeds(WorkTotals {
                ok: sum(0)?,
                failed: sum(1)?,
                cost_nano_usd: sum(2)?,
                tokens_in: sum(3)?,
                tokens_out: sum(4)?,
            }))
        },
    );
    sums.expect("minutes can be summed up")
}
