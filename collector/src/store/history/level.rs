//! The three resolutions in which work is kept.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::store::rollup::{Rollup, SUM_COLUMNS, Sums};

/// A resolution, and the table of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Minute,
    Hour,
    Day,
}

macro_rules! level_sql {
    (read $table:literal) => {
        concat!(
            "SELECT beats, lost, ok, failed, cost_nano_usd, tokens_in, tokens_out, latency FROM ",
            $table,
            " WHERE slot = ?1 AND agent_id = ?2"
        )
    };
    (write $table:literal) => {
        concat!(
            "INSERT OR REPLACE INTO ",
            $table,
            " (slot, agent_id, beats, lost, ok, failed, cost_nano_usd, tokens_in, tokens_out, \
             latency) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        )
    };
    (range $table:literal) => {
        concat!(
            "SELECT beats, lost, ok, failed, cost_nano_usd, tokens_in, tokens_out, latency, \
             agent_id FROM ",
            $table,
            " WHERE slot = ?1 AND agent_id > ?2 AND agent_id <= ?3"
        )
    };
    (prune $table:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE (slot, agent_id) IN (SELECT slot, agent_id FROM ",
            $table,
            " WHERE slot < ?1 ORDER BY slot, agent_id LIMIT ?2)"
        )
    };
    (first $table:literal) => {
        concat!("SELECT min(slot) FROM ", $table, " WHERE slot >= ?1")
    };
}

macro_rules! by_level {
    ($level:expr, $statement:ident) => {
        match $level {
            Level::Minute => level_sql!($statement "minutes"),
            Level::Hour => level_sql!($statement "hours"),
            Level::Day => level_sql!($statement "days"),
        }
    };
}

const LATENCY: usize = SUM_COLUMNS;
const AGENT: usize = SUM_COLUMNS + 1;

impl Level {
    /// Its table.
    pub(crate) const fn table(self) -> &'static str {
        match self {
            Self::Minute => "minutes",
            Self::Hour => "hours",
            Self::Day => "days",
        }
    }

    /// Length of a slot, in ms.
    pub(crate) const fn slot_ms(self) -> i64 {
        match self {
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }

    /// The slot that a moment falls into. Days are those of UTC.
    pub(crate) const fn slot(self, wall_ms: i64) -> i64 {
        wall_ms.div_euclid(self.slot_ms())
    }

    /// The next coarser one.
    pub(crate) const fn coarser(self) -> Option<Self> {
        match self {
            Self::Minute => Some(Self::Hour),
            Self::Hour => Some(Self::Day),
            Self::Day => None,
        }
    }

    /// How many of its slots make one of `coarser`.
    pub(crate) const fn slots_in(self, coarser: Self) -> i64 {
        coarser.slot_ms() / self.slot_ms()
    }

    /// Adds to what an agent has in a slot.
    pub(super) fn add(
        self,
        conn: &Connection,
        slot: i64,
        agent: i64,
        mut rollup: Rollup,
    ) -> rusqlite::Result<()> {
        conn.prepare_cached(by_level!(self, read))?
            .query_row(params![slot, agent], |row| {
                rollup.sums.add(&Sums::read(row, 0)?);
                rollup.latency.add_packed(row.get_ref(LATENCY)?.as_blob()?);
                Ok(())
            })
            .optional()?;
        let mut latency = Vec::new();
        rollup.latency.pack(&mut latency);
        let [beats, lost, ok, failed, cost, tokens_in, tokens_out] = rollup.sums.columns();
        conn.prepare_cached(by_level!(self, write))?.execute(params![
            slot, agent, beats, lost, ok, failed, cost, tokens_in, tokens_out, latency
        ])?;
        Ok(())
    }

    /// Visits the agents after `after` up to `through` that have anything in a slot.
    pub(crate) fn visit(
        self,
        conn: &Connection,
        slot: i64,
        (after, through): (i64, i64),
        mut visit: impl FnMut(i64, &Sums, &[u8]),
    ) -> rusqlite::Result<()> {
        let mut statement = conn.prepare_cached(by_level!(self, range))?;
        let mut rows = statement.query([slot, after, through])?;
        while let Some(row) = rows.next()? {
            visit(row.get(AGENT)?, &Sums::read(row, 0)?, row.get_ref(LATENCY)?.as_blob()?);
        }
        Ok(())
    }

    /// What one agent has in a slot.
    pub(crate) fn read(
        self,
        conn: &Connection,
        slot: i64,
        agent: i64,
        visit: impl FnOnce(&Sums, &[u8]),
    ) -> rusqlite::Result<()> {
        let mut statement = conn.prepare_cached(by_level!(self, read))?;
        let mut rows = statement.query([slot, agent])?;
        if let Some(row) = rows.next()? {
            visit(&Sums::read(row, 0)?, row.get_ref(LATENCY)?.as_blob()?);
        }
        Ok(())
    }

    /// The first slot from `slot` on in which anything happened.
    pub(super) fn first(self, conn: &Connection, slot: i64) -> rusqlite::Result<Option<i64>> {
        conn.prepare_cached(by_level!(self, first))?.query_row([slot], |row| row.get(0))
    }

    /// Removes at most `limit` rows of slots before `before`, oldest first; says how many.
    pub(super) fn prune(
        self,
        conn: &Connection,
        before: i64,
        limit: u32,
    ) -> rusqlite::Result<usize> {
        conn.prepare_cached(by_level!(self, prune))?.execute(params![before, limit])
    }
}
