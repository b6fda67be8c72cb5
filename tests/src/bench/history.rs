//! What questions about the past cost, on history that was written through the real store.

use std::fs::{self, File};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use heartline_collector::clock::{WallClockAnchor, wall_ms};
use heartline_collector::store::{PastReading, Store, StoreConfig, StoreReader};
use heartline_config::Retention;
use heartline_fleet::{HistoryDbRow, MonoTime, Transition, TransitionCause};
use heartline_operator::message::{EventOrder, EventQuery, OUTAGES_MAX, OutageQuery};
use heartline_vocabulary::{AgentRowId, AgentStatus, Identity, Reason, SharedIdentity};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{Advice, fadvise};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::clock;
use crate::result_table::ResultTable;

/// Rows that are handed over at once.
const BATCH: usize = 10_000;
const DAY_MS: i64 = 86_400_000;
/// Turns of each measurement; the table has their median.
const TURNS: usize = 7;

#[derive(clap::Args)]
pub(super) struct HistoryBenchArgs {
    /// Only checks that it runs, in a few seconds; the numbers mean little
    #[arg(long)]
    smoke: bool,
    /// Number of agents
    #[arg(long, default_value_t = 10_000)]
    agents: u32,
    /// Days of history, with two outages a day of each agent, and five transitions
    #[arg(long, default_value_t = 365)]
    days: u32,
}

pub(super) fn run(args: &HistoryBenchArgs) -> Result<()> {
    let (agents, days) = if args.smoke { (50, 20) } else { (args.agents, args.days) };
    let mut history = GeneratedHistory::open(agents, days)?;
    history.write()?;
    let together = history.fall_silent_together()?;
    let dir = history.close();
    let size = fs::metadata(dir.path().join("history.db"))?.len();
    let events = f64::from(agents) * f64::from(days) * 5.0;
    println!(
        "{agents} agents, {days} days, 5 transitions a day each: {:.0} MB, {:.0} bytes a transition\n",
        size as f64 / 1e6,
        size as f64 / events
    );
    let mut table = ResultTable::new(&["question", "cold ms", "warm ms", "goal"]);
    let questions = Questions { dir, agents, days };
    let rows: [(&str, Question, &str); 6] = [
        ("the fleet at a moment", Questions::past, "cold <= 20"),
        ("outages of one agent, 30 days", Questions::outages_of_agent, "cold <= 5"),
        ("outages of the fleet, a page of an hour", Questions::outages_of_fleet, ""),
        ("newest 200 outages", Questions::newest_outages, ""),
        ("events of one agent, newest 50", Questions::events_of_agent, ""),
        ("a plain read of the rows of one agent, a year", Questions::index_scan, ""),
    ];
    for (name, question, goal) in rows {
        let cells = [questions.cold(question)?, questions.warm(question)?];
        let cells = cells.map(|it| format!("{:.2}", it.as_secs_f64() * 1e3));
        table.row(&[name.to_owned(), cells[0].clone(), cells[1].clone(), goal.to_owned()]);
    }
    let together = format!("{:.0}", together.as_secs_f64() * 1e3);
    let name = format!("{agents} agents fall silent together, until they are durable");
    table.row(&[name, String::new(), together, "<= 100".to_owned()]);
    table.print();
    Ok(())
}

/// A store that is filled with a past.
struct GeneratedHistory {
    dir: TempDir,
    store: Store,
    anchor: WallClockAnchor,
    agents: u32,
    days: u32,
    rng: fastrand::Rng,
    rows: Vec<HistoryDbRow>,
}

impl GeneratedHistory {
    fn open(agents: u32, days: u32) -> Result<Self> {
        let dir = tempfile::tempdir().context("can't make a data directory")?;
        // What is too old would be pruned, and what was written at the disk's pace is no question here.
        let for_ever = Duration::from_secs(36_500 * 86_400);
        let retention =
            Retention { minutes: for_ever, hours: for_ever, days: for_ever, events: for_ever };
        let start_ms = wall_ms() - i64::from(days) * DAY_MS;
        let anchor = WallClockAnchor::new(MonoTime::from_millis(0), start_ms);
        let config = StoreConfig { data_dir: dir.path().to_owned(), retention };
        let (store, _) =
            Store::open(&config, anchor, Arc::new(drop)).context("can't open a store")?;
        let rng = fastrand::Rng::with_seed(0x5eed);
        Ok(Self { dir, store, anchor, agents, days, rng, rows: Vec::new() })
    }

    fn write(&mut self) -> Result<()> {
        for id in 1..=self.agents {
            let shared = SharedIdentity {
                host: Some(format!("machine-{}", id % 100).into()),
                ..SharedIdentity::default()
            };
            let (id, at) = (AgentRowId(i64::from(id)), MonoTime::from_millis(i64::from(id)));
            let agent = format!("agent-{:05}", id.0).into();
            self.rows.push(HistoryDbRow::Registered { id, agent, at });
            let identity = Identity { pid: Some(4_000), shared: shared.into() };
            self.rows.push(HistoryDbRow::Identity { id, at, identity });
            self.transition(id, at, AgentStatus::HEALTHY);
        }
        self.hand_over()?;
        for day in 0..self.days {
            // Two outages of each agent: one that gets worse, one that does not.
            let mut day_rows = Vec::with_capacity(self.agents as usize * 5);
            for id in 1..=self.agents {
                let mut at_ms = i64::from(day) * DAY_MS + self.rng.i64(0..DAY_MS / 2);
                for status in [
                    AgentStatus::degraded(Reason::Late),
                    AgentStatus::unreachable(Reason::Silent),
                    AgentStatus::HEALTHY,
                    AgentStatus::degraded(Reason::Stalled),
                    AgentStatus::HEALTHY,
                ] {
                    day_rows.push((at_ms, id, status));
                    at_ms += self.rng.i64(60_000..4 * 3_600_000);
                }
            }
            day_rows.sort_unstable_by_key(|(at_ms, id, _)| (*at_ms, *id));
            for (at_ms, id, status) in day_rows {
                self.transition(AgentRowId(i64::from(id)), MonoTime::from_millis(at_ms), status);
                if self.rows.len() >= BATCH {
                    self.hand_over()?;
                }
            }
        }
        self.hand_over()
    }

    fn transition(&mut self, id: AgentRowId, at: MonoTime, to: AgentStatus) {
        let cause = match to.reason {
            Some(Reason::Late) => TransitionCause::Missed { beats: 3, interval_ms: 30_000 },
            Some(Reason::Silent) => TransitionCause::Missed { beats: 10, interval_ms: 30_000 },
            Some(_) => TransitionCause::NoProgress { age_ms: 300_000, step: Some("fetch".into()) },
            None => TransitionCause::Beat,
        };
        let step = to.reason.map(|_| "fetch".into());
        let lasted = Some(Duration::from_secs(3_600));
        let from = AgentStatus::HEALTHY;
        self.rows.push(HistoryDbRow::Transition(Transition {
            id,
            at,
            from,
            to,
            lasted,
            cause,
            step,
        }));
    }

    /// Writes what was collected, and waits until it is durable.
    fn hand_over(&mut self) -> Result<()> {
        self.store.record(std::mem::take(&mut self.rows), self.anchor);
        let (reply_to, reply) = oneshot::channel();
        self.store.flush_history(reply_to);
        reply.blocking_recv().context("the store has ended")
    }

    /// Returns how long it takes until the transitions of all agents at once are durable.
    fn fall_silent_together(&mut self) -> Result<Duration> {
        let at = MonoTime::from_millis(i64::from(self.days + 1) * DAY_MS);
        for id in 1..=self.agents {
            self.transition(
                AgentRowId(i64::from(id)),
                at,
                AgentStatus::unreachable(Reason::Silent),
            );
        }
        let begun = clock::monotonic();
        self.hand_over()?;
        Ok(clock::monotonic().saturating_sub(begun))
    }

    fn close(self) -> TempDir {
        self.store.close();
        self.dir
    }
}

type Question = fn(&Questions, &mut StoreReader, u64) -> Result<()>;

/// The questions, each asked about another moment and agent in every turn.
struct Questions {
    dir: TempDir,
    agents: u32,
    days: u32,
}

impl Questions {
    /// Returns the median time of a question whose pages have to be read from the disk.
    fn cold(&self, question: Question) -> Result<Duration> {
        self.measure(|turn| {
            let file = File::open(self.dir.path().join("history.db"))?;
            fadvise(&file, 0, None, Advice::DontNeed).context("can't empty the page cache")?;
            let mut reader = StoreReader::open(self.dir.path())?;
            let begun = clock::monotonic();
            question(self, &mut reader, turn)?;
            Ok(clock::monotonic().saturating_sub(begun))
        })
    }

    /// Returns the median time of a question that was asked before.
    fn warm(&self, question: Question) -> Result<Duration> {
        let mut reader = StoreReader::open(self.dir.path())?;
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

    fn past(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
        let PastReading::Fleet(fleet) = reader.past(self.moment(turn))? else {
            anyhow::bail!("the moment is before the first record");
        };
        ensure!(fleet.agents.len() == self.agents as usize, "agents are missing");
        Ok(())
    }

    fn outages_of_agent(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
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

    fn outages_of_fleet(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
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

    fn newest_outages(&self, reader: &mut StoreReader, _turn: u64) -> Result<()> {
        let query = OutageQuery { limit: 200, ..OutageQuery::default() };
        reader.outages(&query, wall_ms()).map(drop).context("outages")
    }

    fn events_of_agent(&self, reader: &mut StoreReader, turn: u64) -> Result<()> {
        let query =
            EventQuery { agent: Some(self.agent(turn)), limit: 50, ..EventQuery::default() };
        reader.events(&query).map(drop).context("events")
    }

    fn index_scan(&self, _reader: &mut StoreReader, turn: u64) -> Result<()> {
        let path = self.dir.path().join("history.db");
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
}
