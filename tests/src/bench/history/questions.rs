//! What operators ask about the past, each measured with the pages of the file in no cache, and again.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use heartline_collector::clock::wall_ms;
use heartline_collector::store::{HistoryReading, PastReading, StoreReader};
use heartline_operator::Filter;
use heartline_operator::message::{
    EventOrder, EventQuery, FleetHistoryQuery, HistoryContent, OUTAGES_MAX, OutageQuery,
    TimelineQuery,
};
use heartline_vocabulary::AgentRowId;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{Advice, fadvise};

use super::{DAY_MS, HOUR_MS};
use crate::clock;

/// Turns of each measurement; the table has their median.
const TURNS: usize = 7;
/// Matches 30 % of the agents.
const THIRD: &str = "host:machine-*1 or host:machine-*2 or host:machine-*3";
/// Cells of a timeline.
const CELLS: i64 = 120;

/// A question, asked about another moment and agent in each turn.
pub(super) type Question = fn(&Questions, &mut StoreReader, u64) -> Result<()>;

/// A closed store to which questions are put.
pub(super) struct Questions {
    pub(super) dir: PathBuf,
    pub(super) agents: u32,
    pub(super) days: u32,
}

impl Questions {
    /// Returns the median time of a question whose pages have to be read from the disk.
    pub(super) fn cold(&self, question: Question) -> Result<Duration> {
        self.measure(|turn| {
            let file = File::open(self.dir.join("history.db"))?;
            fadvise(&file, 0, None, Advice::DontNeed).context("can't empty the page cache")?;
            let mut reader = StoreReader::open(&self.dir)?;
            let begun = clock::monotonic();
            question(self, &mut reader, turn)?;
            Ok(clock::monotonic().saturating_sub(begun))
        })
    }

    /// Returns the median time of a question that was asked before.
    pub(super) fn warm(&self, question: Question) -> Result<Duration> {
        let mut reader = StoreReader::open(&self.dir)?;
        self.measure(|turn| {
            question(self, &mut reader, turn)?;
            let begun = clock::monotonic();
            question(self, &mut reader, turn)?;
            Ok(clock::monotonic().saturating_sub(begun))
        })
    }

    fn measure(&self, mut once: impl FnMut(u64) -> Result<Duration>) -> Result<Duration> {
        let turns = (0..TURNS as u64).map(&mut once).collect::<Result<Vec<_>>>();
        let mut turns = turns?;
        turns.sort_unstable();
        Ok(turns[TURNS / 2])
    }

    /// Returns a moment in the range.
    fn moment(&self, turn: u64) -> i64 {
        let mut rng = fastrand::Rng::with_seed(turn);
        let length = i64::from(self.days) * DAY_MS;
        wall_ms() - rng.i64(length / 20..length * 19 / 20)
    }

    fn agent(&self, turn: u64) -> String {
        format!("agent-{:05}", 1 + fastrand::Rng::with_seed(turn ^ 77).u32(..self.agents))
    }

    /// The fleet at a moment without its work, as it is drawn first.
    pub(super) fn past(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
        self.fleet(reader, turn, false)
    }

    pub(super) fn past_with_work(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
        self.fleet(reader, turn, true)
    }

    fn fleet(&self, reader: &mut StoreReader, turn: u64, with_work: bool) -> Result<()> {
        let PastReading::Fleet(fleet) = reader.past(self.moment(turn), with_work)? else {
            anyhow::bail!("the moment is before the first record");
        };
        ensure!(fleet.agents.len() == self.agents as usize, "agents are missing");
        Ok(())
    }

    pub(super) fn outages_of_agent(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
        let until_ms = self.moment(turn);
        let query = OutageQuery {
            since_ms: Some(until_ms - 30 * DAY_MS),
            until_ms: Some(until_ms),
            agent: Some(self.agent(turn)),
            limit: OUTAGES_MAX,
            ..OutageQuery::default()
        };
        reader.outages(&query, wall_ms()).map(drop).context("outages")
    }

    pub(super) fn outages_of_fleet(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
        let since_ms = self.moment(turn);
        let query = OutageQuery {
            since_ms: Some(since_ms),
            until_ms: Some(since_ms + DAY_MS / 24),
            limit: 200,
            order: EventOrder::OldestFirst,
            ..OutageQuery::default()
        };
        reader.outages(&query, wall_ms()).map(drop).context("outages")
    }

    pub(super) fn newest_outages(&self, reader: &mut StoreReader, _turn: u64) -> Result<()> {
        let query = OutageQuery { limit: 200, ..OutageQuery::default() };
        reader.outages(&query, wall_ms()).map(drop).context("outages")
    }

    pub(super) fn events_of_agent(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
        let query =
            EventQuery { agent: Some(self.agent(turn)), limit: 50, ..EventQuery::default() };
        reader.events(&query).map(drop).context("events")
    }

    pub(super) fn index_scan(&self, _reader: &mut StoreReader, turn: u64) -> Result<()> {
        let path = self.dir.join("history.db");
        let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let sql = "SELECT sum(length(strip)) FROM strips WHERE key BETWEEN ?1 AND ?2";
        let id = i64::from(1 + fastrand::Rng::with_seed(turn ^ 77).u32(..self.agents)) << 12;
        let sql_first = "SELECT min(key) >> 44 FROM strips";
        let first: i64 = conn.query_row(sql_first, [], |row| row.get(0))?;
        for slot in first..first + 13_i64 {
            let key = (slot << 44) | id;
            conn.query_row(sql, [key, key | 0xfff], |_| Ok(())).context("scan")?;
        }
        Ok(())
    }

    /// Percentiles of the whole fleet over 30 days, to the hour.
    pub(super) fn percentiles_of_fleet(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
        self.percentiles(reader, turn, "", HistoryContent::Work)
    }

    /// Percentiles of 30 % of the agents over 30 days, to the hour.
    pub(super) fn percentiles_of_filter(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
        self.percentiles(reader, turn, THIRD, HistoryContent::Work)
    }

    /// Work, states and outages of 30 % of the agents over 30 days.
    pub(super) fn states_of_filter(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
        self.percentiles(reader, turn, THIRD, HistoryContent::WorkAndStates)
    }

    /// Work, states and outages of the whole fleet over 30 days.
    pub(super) fn states_of_fleet(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
        self.percentiles(reader, turn, "", HistoryContent::WorkAndStates)
    }

    fn percentiles(
        &self,
        reader: &mut StoreReader,
        turn: u64,
        filter: &str,
        content: HistoryContent,
    ) -> Result<()> {
        let until_ms = (wall_ms() / HOUR_MS - 3 - turn.cast_signed()) * HOUR_MS;
        let query = FleetHistoryQuery {
            since_ms: Some(until_ms - 29 * DAY_MS),
            until_ms,
            step_ms: Some(DAY_MS),
            agent: None,
            filter: String::new(),
            content,
        };
        let filter = Filter::parse(filter).context("a filter")?;
        match reader.fleet_history(&query, &filter, wall_ms())? {
            HistoryReading::History(history) => {
                ensure!(history.total.latency.is_some(), "there is no work");
                Ok(())
            }
            other => anyhow::bail!("{other:?}"),
        }
    }

    /// The year of all agents as 100 rows, in cells of 3 days, as the terminal app asks for it.
    pub(super) fn year_of_groups(&self, reader: &mut StoreReader, _turn: u64) -> Result<()> {
        self.timeline_of_days(reader, self.groups())
    }

    /// The same in 120 cells that begin at no full day.
    pub(super) fn year_of_groups_uneven(&self, reader: &mut StoreReader, _turn: u64) -> Result<()> {
        self.timeline(reader, self.groups(), i64::from(self.days) * DAY_MS, wall_ms())
    }

    /// All of the past until now in cells of 3 days.
    fn timeline_of_days(&self, reader: &mut StoreReader, rows: Vec<Vec<AgentRowId>>) -> Result<()> {
        let (cell_ms, now_ms) = (3 * DAY_MS, wall_ms());
        let cells = (i64::from(self.days) * DAY_MS / cell_ms + 1) as u32;
        let from_ms = (now_ms / cell_ms + 1 - i64::from(cells)) * cell_ms;
        let query = TimelineQuery { from_ms, cell_ms, cells, rows };
        let timeline = reader.timeline(&query, now_ms)?;
        ensure!(timeline.rows.len() == query.rows.len(), "rows are missing");
        Ok(())
    }

    /// All agents as 100 rows.
    fn groups(&self) -> Vec<Vec<AgentRowId>> {
        let ids = (1..=i64::from(self.agents)).map(AgentRowId).collect::<Vec<_>>();
        ids.chunks(ids.len().div_ceil(100)).map(<[AgentRowId]>::to_vec).collect()
    }

    /// A page of 40 agents over an hour, 30 days, and all of it.
    pub(super) fn page_of_hour(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
        self.page(reader, turn, HOUR_MS)
    }

    pub(super) fn page_of_month(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
        self.page(reader, turn, 30 * DAY_MS)
    }

    /// All of it in cells of 3 days, as the terminal app asks for it.
    pub(super) fn page_of_all(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
        self.timeline_of_days(reader, self.scattered(turn))
    }

    /// The same in 120 cells that begin at no full day.
    pub(super) fn page_of_all_uneven(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
        self.page(reader, turn, i64::from(self.days) * DAY_MS)
    }

    /// A page of 40 agents that are scattered over the fleet.
    pub(super) fn page(&self, reader: &mut StoreReader, turn: u64, span_ms: i64) -> Result<()> {
        let until_ms = self.moment(turn).max(wall_ms() - i64::from(self.days) * DAY_MS + span_ms);
        self.timeline(reader, self.scattered(turn), span_ms, until_ms)
    }

    /// 40 agents that are scattered over the fleet, a row each.
    fn scattered(&self, turn: u64) -> Vec<Vec<AgentRowId>> {
        let mut rng = fastrand::Rng::with_seed(turn);
        (0..40).map(|_| vec![AgentRowId(i64::from(rng.u32(1..=self.agents)))]).collect()
    }

    fn timeline(
        &self,
        reader: &mut StoreReader,
        rows: Vec<Vec<AgentRowId>>,
        span_ms: i64,
        until_ms: i64,
    ) -> Result<()> {
        let cell_ms = span_ms / CELLS;
        let from_ms = until_ms - cell_ms * CELLS;
        let query = TimelineQuery { from_ms, cell_ms, cells: CELLS as u32, rows };
        let timeline = reader.timeline(&query, wall_ms())?;
        ensure!(timeline.rows.len() == query.rows.len(), "rows are missing");
        Ok(())
    }

    /// What any answer has to read of the agents' days, or of the fleet's.
    pub(super) fn scan_of_days(&self, _reader: &mut StoreReader, _turn: u64) -> Result<()> {
        self.sum("SELECT sum(ok + length(latency)) FROM days")
    }

    pub(super) fn scan_of_fleet(&self, _reader: &mut StoreReader, _turn: u64) -> Result<()> {
        self.sum("SELECT sum(ok + length(latency)) FROM fleet_days")
    }

    pub(super) fn scan_of_strips(&self, _reader: &mut StoreReader, _turn: u64) -> Result<()> {
        self.sum("SELECT sum(length(strip)) FROM strips")
    }

    fn sum(&self, sql: &str) -> Result<()> {
        let path = self.dir.join("history.db");
        let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        conn.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).map(drop).context("scan")
    }
}
