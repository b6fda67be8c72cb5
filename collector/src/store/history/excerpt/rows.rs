//! The rows of an excerpt that are no events: sessions, notes, rollups.

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::{ExcerptWriter, TextKind};
use crate::store::history::fold::{self, FoldCursor, FoldCursors};
use crate::store::history::resolution::RollupResolution;
use crate::store::sql::execute;

const HOUR_MS: i64 = RollupResolution::Hour.slot_ms();

impl ExcerptWriter<'_> {
    /// Writes the sessions of agents that overlap the excerpt. What ended later goes on.
    pub(super) fn write_sessions(&self, agents: impl Iterator<Item = i64>) -> rusqlite::Result<()> {
        let super::Excerpt { since_ms, until_ms } = self.excerpt;
        let mut statement = self.source.prepare(
            "SELECT session, started_ms, starts, applied_segment, min(last_beat_ms, ?3), \
                iif(ended_ms < ?3, ended, NULL), iif(ended_ms < ?3, ended_ms, NULL) FROM sessions \
             WHERE agent_id = ?1 AND started_ms < ?3 AND (ended_ms IS NULL OR ended_ms >= ?2)",
        )?;
        for agent in agents {
            let mut rows = statement.query([agent, since_ms, until_ms])?;
            while let Some(row) = rows.next()? {
                let sql = "INSERT INTO sessions (agent_id, session, started_ms, starts, \
                              applied_segment, last_beat_ms, ended, ended_ms) \
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
                let parameters = params![
                    agent,
                    row.get::<_, Value>(0)?,
                    row.get::<_, Value>(1)?,
                    row.get::<_, Value>(2)?,
                    row.get::<_, Value>(3)?,
                    row.get::<_, Value>(4)?,
                    row.get::<_, Value>(5)?,
                    row.get::<_, Value>(6)?,
                ];
                execute(self.into, sql, parameters)?;
            }
        }
        Ok(())
    }

    /// Writes all notes on the outages that are in the excerpt, also those of later: they tell of these.
    pub(super) fn write_notes(&mut self) -> rusqlite::Result<()> {
        let mut outages = self.into.prepare("SELECT cursor FROM outages ORDER BY cursor")?;
        let outages = outages.query_map([], |row| row.get(0))?;
        let sql = "SELECT id, at_ms, \"by\", acknowledges, words FROM notes WHERE outage = ?1";
        let mut notes = self.source.prepare(sql)?;
        for outage in outages.collect::<rusqlite::Result<Vec<i64>>>()? {
            let mut rows = notes.query([outage])?;
            while let Some(row) = rows.next()? {
                let by = self.texts.map(TextKind::Operator, row.get_ref(2)?.as_str()?);
                let words = self.texts.map(TextKind::Words, row.get_ref(4)?.as_str()?);
                let sql = "INSERT INTO notes (id, outage, at_ms, \"by\", acknowledges, words) \
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                let (id, at_ms, acknowledges) =
                    (row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(3)?);
                execute(self.into, sql, params![id, outage, at_ms, by, acknowledges, words])?;
                self.contents.operators.insert(by);
                self.contents.texts.insert(words);
            }
        }
        self.contents.texts.remove("");
        Ok(())
    }

    /// Writes the rollups that overlap the excerpt, and what the work of the hour before it and the cost of its
    /// first day are read from. Where there are finer rows of the slot that the excerpt ends in, the coarse
    /// one is left out: it has what came later.
    pub(super) fn write_rollups(&self) -> rusqlite::Result<()> {
        let super::Excerpt { since_ms, until_ms } = self.excerpt;
        let day_ms = RollupResolution::Day.slot_ms();
        let midnight_ms = since_ms.div_euclid(day_ms) * day_ms;
        let cursors = FoldCursors::read(self.source)?;
        let minutes_from = RollupResolution::Minute.slot(since_ms - HOUR_MS);
        let minutes_to = RollupResolution::Minute.slot(until_ms - 1);
        copy(self.source, self.into, RollupResolution::Minute, minutes_from, minutes_to)?;
        let ends = [
            (RollupResolution::Hour, RollupResolution::Minute, cursors.hours),
            (RollupResolution::Day, RollupResolution::Hour, cursors.days),
        ];
        for (coarse, fine, cursor) in ends {
            let last = coarse.slot(until_ms - 1);
            let is_cut =
                until_ms % coarse.slot_ms() != 0 && has_slots(self.source, fine, coarse, last)?;
            let last = if is_cut { last - 1 } else { last };
            copy(self.source, self.into, coarse, coarse.slot(midnight_ms), last)?;
            let end = FoldCursor { slot: last + 1, agent: 0 };
            if cursor.slot > 0 {
                cursor.min(end).write(self.into, coarse)?;
            }
        }
        // Those of the source have what came later, and before.
        fold::rebuild_fleet(self.into)
    }
}

/// Returns whether there is any finer row of a slot.
fn has_slots(
    conn: &Connection,
    fine: RollupResolution,
    coarse: RollupResolution,
    slot: i64,
) -> rusqlite::Result<bool> {
    let per_slot = fine.slots_in(coarse);
    let sql =
        format!("SELECT EXISTS (SELECT 1 FROM {} WHERE slot BETWEEN ?1 AND ?2)", fine.table());
    conn.query_row(&sql, [slot * per_slot, (slot + 1) * per_slot - 1], |row| row.get(0))
}

/// Copies the rows of slots from one to another, both included.
fn copy(
    source: &Connection,
    into: &Connection,
    resolution: RollupResolution,
    from: i64,
    to: i64,
) -> rusqlite::Result<()> {
    let sql = format!("SELECT * FROM {} WHERE slot BETWEEN ?1 AND ?2", resolution.table());
    let mut statement = source.prepare(&sql)?;
    let columns = statement.column_count();
    let places = vec!["?"; columns].join(", ");
    let insert = format!("INSERT INTO {} VALUES ({places})", resolution.table());
    let mut insert = into.prepare(&insert)?;
    let mut rows = statement.query([from, to])?;
    while let Some(row) = rows.next()? {
        let values = (0..columns).map(|column| row.get::<_, Value>(column));
        insert.execute(params_from_iter(values.collect::<rusqlite::Result<Vec<_>>>()?))?;
    }
    Ok(())
}
