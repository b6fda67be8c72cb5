//! What history takes on the disk.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use rusqlite::Connection;

use crate::result_table::ResultTable;

/// Transitions of an agent in a day.
const TRANSITIONS: f64 = 5.0;
const DAYS_OF_YEAR: f64 = 365.0;
/// What the default retention keeps, in slots.
const MINUTES: f64 = 48.0 * 60.0;
const HOURS: f64 = 90.0 * 24.0;

/// Bytes of the rows of a history.
pub(super) struct RowSizes {
    transition: f64,
    minute: f64,
    hour: f64,
    day: f64,
}

impl RowSizes {
    /// Measures the pages of each table.
    pub(super) fn measure(dir: &Path, transitions: f64) -> Result<Self> {
        let conn = Connection::open(dir.join("history.db"))?;
        conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
        let mut statement =
            conn.prepare("SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, f64>(1)?)))?;
        let sizes: BTreeMap<String, f64> = rows.collect::<rusqlite::Result<_>>()?;
        let of = |names: &[&str]| names.iter().filter_map(|name| sizes.get(*name)).sum::<f64>();
        let row = |table: &str| -> Result<f64> {
            let count: i64 =
                conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
            Ok(of(&[table]) / (count.max(1) as f64))
        };
        let tables = [
            "events",
            "event_details",
            "strips",
            "state_day_cells",
            "outages",
            "checkpoint_fleets",
        ];
        for table in tables {
            println!("{table}: {:.1} bytes a transition", of(&[table]) / transitions);
        }
        let others =
            ["checkpoints", "outages_open", "texts", "events_of_identities", "events_of_commands"];
        Ok(Self {
            transition: (of(&tables) + of(&others)) / transitions,
            minute: row("minutes")?,
            hour: row("hours")?,
            day: row("days")?,
        })
    }

    /// Prints what agents take in a day and in a year.
    pub(super) fn print(&self) {
        let Self { transition, minute, hour, day } = *self;
        println!(
            "\n{transition:.0} bytes a transition, {minute:.0} a minute, {hour:.0} an hour, {day:.0} a day\n"
        );
        let idle = transition * TRANSITIONS;
        // Minutes and hours stand for as long as they are kept.
        let (written, kept) =
            (24.0 * hour + day, minute * MINUTES + hour * HOURS + day * DAYS_OF_YEAR);
        let mut table = ResultTable::new(&["agents", "idle, a year", "busy, a year"]);
        for agents in [20, 1_000, 100_000] {
            let year = |bytes: f64| format!("{:.1} MB", bytes * f64::from(agents) / 1e6);
            let busy = year(idle * DAYS_OF_YEAR + kept);
            table.row(&[agents.to_string(), year(idle * DAYS_OF_YEAR), busy]);
        }
        println!(
            "an agent takes {idle:.0} bytes a day when idle; busy (a task a second) {written:.0} more a day in \
             hours and days, and {:.0} in the minutes of {:.0} hours\n",
            minute * MINUTES,
            MINUTES / 60.0
        );
        table.print();
        println!();
    }
}
