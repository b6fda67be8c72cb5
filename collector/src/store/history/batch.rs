//! Everything that is written together.

use heartline_fleet::HistoryDbRow;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::work::{Confirmed, Tally};
use super::{agents, event, meta};
use crate::clock::WallClockAnchor;

/// Writes rows in one transaction, with a note that the collector was alive.
pub(super) fn commit<'a>(
    conn: &mut Connection,
    rows: impl Iterator<Item = (&'a HistoryDbRow, WallClockAnchor)>,
    now_ms: i64,
) -> rusqlite::Result<Confirmed> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut tally = Tally::default();
    for (row, anchor) in rows {
        if let HistoryDbRow::Work(work) = row {
            tally.count(&tx, work, anchor.wall_ms(work.at))?;
        } else {
            event::write(&tx, row, anchor)?;
            update(&tx, row, anchor)?;
        }
    }
    let confirmed = tally.write(&tx)?;
    meta::set_alive(&tx, now_ms)?;
    tx.commit()?;
    Ok(confirmed)
}

/// Keeps what a restart wants to know in step with what happens.
fn update(
    tx: &Transaction<'_>,
    row: &HistoryDbRow,
    anchor: WallClockAnchor,
) -> rusqlite::Result<()> {
    match row {
        HistoryDbRow::Registered { id, agent, at } => {
            agents::register(tx, *id, agent, anchor.wall_ms(*at))
        }
        HistoryDbRow::Forgotten { id, at, .. } => agents::forget(tx, *id, anchor.wall_ms(*at)),
        HistoryDbRow::Session { id, session, at, starts } => {
            agents::begin_session(tx, *id, *session, anchor.wall_ms(*at), *starts)
        }
        HistoryDbRow::SessionEnded { id, session, at, end } => {
            agents::end_session(tx, *id, *session, anchor.wall_ms(*at), *end)
        }
        HistoryDbRow::Transition(row) => agents::stand(tx, row.id, row.to, anchor.wall_ms(row.at)),
        HistoryDbRow::LastBeat { id, session, at } => {
            agents::last_beat(tx, *id, *session, anchor.wall_ms(*at))
        }
        HistoryDbRow::Disobeyed { id, generation, .. } => agents::disobeyed(tx, *id, *generation),
        HistoryDbRow::Commanded { .. }
        | HistoryDbRow::Obeyed { .. }
        | HistoryDbRow::Gap { .. }
        | HistoryDbRow::Work(_) => Ok(()),
    }
}
