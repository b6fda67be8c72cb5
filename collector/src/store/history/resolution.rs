//! The three resolutions of work, each with a table of rollups.

use std::ops::{Range, RangeInclusive};

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::store::rollup::{ROLLUP_COLUMNS, Rollup, RollupSum, WorkCounts};

/// Length of a day, in UTC.
pub(crate) const DAY_MS: i64 = RollupResolution::Day.slot_ms();

/// The length of a rollup's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RollupResolution {
    Minute,
    Hour,
    Day,
}

/// Returns SQL with the table of a resolution between its parts.
macro_rules! for_table {
    ($resolution:expr, $first:expr $(, $next:expr)+) => {
        match $resolution {
            RollupResolution::Minute => concat!($first $(, "minutes", $next)+),
            RollupResolution::Hour => concat!($first $(, "hours", $next)+),
            RollupResolution::Day => concat!($first $(, "days", $next)+),
        }
    };
}

/// The column behind those of a rollup.
const KEY: usize = ROLLUP_COLUMNS;

impl RollupResolution {
    pub(super) const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    pub(crate) const fn table(self) -> &'static str {
        for_table!(self, "", "")
    }

    pub(crate) const fn slot_ms(self) -> i64 {
        match self {
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }

    /// Returns the slot of a moment: the number of the minute, hour or day (UTC) since 1970.
    pub(crate) const fn slot(self, wall_ms: i64) -> i64 {
        wall_ms.div_euclid(self.slot_ms())
    }

    /// Returns the resolution that this one is folded into.
    pub(crate) const fn coarser(self) -> Option<Self> {
        match self {
            Self::Minute => Some(Self::Hour),
            Self::Hour => Some(Self::Day),
            Self::Day => None,
        }
    }

    /// Returns how many slots make one of `coarser`.
    pub(crate) const fn slots_in(self, coarser: Self) -> i64 {
        coarser.slot_ms() / self.slot_ms()
    }

    /// Adds to an agent's rollup of a slot.
    pub(super) fn add(
        self,
        conn: &Connection,
        slot: i64,
        agent: i64,
        mut rollup: Rollup,
    ) -> rusqlite::Result<()> {
        let select = for_table!(
            self,
            "SELECT beats, lost, ok, failed, cost_nano_usd, tokens_in, tokens_out, latency FROM ",
            " WHERE slot = ?1 AND agent_id = ?2"
        );
        conn.prepare_cached(select)?
            .query_row([slot, agent], |row| rollup.add_row(row))
            .optional()?;
        let [beats, lost, ok, failed, cost, tokens_in, tokens_out] = rollup.counts.columns();
        let insert = for_table!(
            self,
            "INSERT OR REPLACE INTO ",
            " (slot, agent_id, beats, lost, ok, failed, cost_nano_usd, tokens_in, tokens_out, \
             latency) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        );
        conn.prepare_cached(insert)?.execute(params![
            slot,
            agent,
            beats,
            lost,
            ok,
            failed,
            cost,
            tokens_in,
            tokens_out,
            rollup.latency.pack()
        ])?;
        Ok(())
    }

    /// Adds to the fleet's rollup of a slot.
    pub(super) fn add_to_fleet(
        self,
        conn: &Connection,
        slot: i64,
        sum: &mut RollupSum,
    ) -> rusqlite::Result<()> {
        self.visit_fleet(conn, slot..slot + 1, |counts, latency| sum.add(counts, latency))?;
        let [beats, lost, ok, failed, cost, tokens_in, tokens_out] = sum.counts.columns();
        let insert = for_table!(
            self,
            "INSERT OR REPLACE INTO fleet_",
            " (slot, beats, lost, ok, failed, cost_nano_usd, tokens_in, tokens_out, latency) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
        );
        let latency = sum.latency.to_sparse().pack();
        let row = params![slot, beats, lost, ok, failed, cost, tokens_in, tokens_out, latency];
        conn.prepare_cached(insert)?.execute(row)?;
        Ok(())
    }

    /// Computes the sums of all agents anew.
    pub(super) fn rebuild_fleet(self, conn: &Connection) -> rusqlite::Result<()> {
        conn.execute_batch(for_table!(self, "DELETE FROM fleet_", ";"))?;
        let mut next = self.first_slot(conn, i64::MIN)?;
        while let Some(slot) = next {
            let mut sum = RollupSum::default();
            let add = |_, counts: &WorkCounts, latency: &[u8]| sum.add(counts, latency);
            self.visit(conn, slot, &(0..=i64::MAX), add)?;
            self.add_to_fleet(conn, slot, &mut sum)?;
            next = self.first_slot(conn, slot + 1)?;
        }
        Ok(())
    }

    /// Visits the fleet's rollups of consecutive slots; latencies are packed.
    pub(crate) fn visit_fleet(
        self,
        conn: &Connection,
        slots: Range<i64>,
        mut visit: impl FnMut(&WorkCounts, &[u8]),
    ) -> rusqlite::Result<()> {
        let select = for_table!(
            self,
            "SELECT beats, lost, ok, failed, cost_nano_usd, tokens_in, tokens_out, latency \
             FROM fleet_",
            " WHERE slot >= ?1 AND slot < ?2"
        );
        let mut statement = conn.prepare_cached(select)?;
        let mut rows = statement.query([slots.start, slots.end])?;
        while let Some(row) = rows.next()? {
            visit(&WorkCounts::read(row)?, WorkCounts::latency(row)?);
        }
        Ok(())
    }

    /// Visits the rollups of a slot with the ids of their agents; latencies are packed.
    pub(crate) fn visit(
        self,
        conn: &Connection,
        slot: i64,
        agents: &RangeInclusive<i64>,
        visit: impl FnMut(i64, &WorkCounts, &[u8]),
    ) -> rusqlite::Result<()> {
        self.visit_wanted(conn, slot, agents, |_| true, visit)
    }

    /// Visits the rollups of a slot of those agents that are wanted, as [`Self::visit`] does: of the others
    /// nothing is read.
    pub(crate) fn visit_wanted(
        self,
        conn: &Connection,
        slot: i64,
        agents: &RangeInclusive<i64>,
        is_wanted: impl Fn(i64) -> bool,
        mut visit: impl FnMut(i64, &WorkCounts, &[u8]),
    ) -> rusqlite::Result<()> {
        let select = for_table!(
            self,
            "SELECT beats, lost, ok, failed, cost_nano_usd, tokens_in, tokens_out, latency, \
             agent_id FROM ",
            " WHERE slot = ?1 AND agent_id BETWEEN ?2 AND ?3"
        );
        let mut statement = conn.prepare_cached(select)?;
        let mut rows = statement.query([slot, *agents.start(), *agents.end()])?;
        while let Some(row) = rows.next()? {
            let agent = row.get(KEY)?;
            if is_wanted(agent) {
                visit(agent, &WorkCounts::read(row)?, WorkCounts::latency(row)?);
            }
        }
        Ok(())
    }

    /// Returns the first slot at or after `slot` that has a rollup.
    pub(super) fn first_slot(self, conn: &Connection, slot: i64) -> rusqlite::Result<Option<i64>> {
        let sql = for_table!(self, "SELECT min(slot) FROM ", " WHERE slot >= ?1");
        conn.prepare_cached(sql)?.query_row([slot], |row| row.get(0))
    }

    /// Removes the oldest rollups of slots before `before`, at most `limit`, and those of the fleet when no
    /// agent's are left; returns how many.
    pub(super) fn prune(
        self,
        conn: &Connection,
        before: i64,
        limit: u32,
    ) -> rusqlite::Result<usize> {
        let sql = for_table!(
            self,
            "DELETE FROM ",
            " WHERE (slot, agent_id) IN (SELECT slot, agent_id FROM ",
            " WHERE slot < ?1 ORDER BY slot, agent_id LIMIT ?2)"
        );
        let removed = conn.prepare_cached(sql)?.execute(params![before, limit])?;
        if removed > 0 {
            return Ok(removed);
        }
        let sql = for_table!(
            self,
            "DELETE FROM fleet_",
            " WHERE slot IN (SELECT slot FROM fleet_",
            " WHERE slot < ?1 ORDER BY slot LIMIT ?2)"
        );
        conn.prepare_cached(sql)?.execute(params![before, limit])
    }
}
