//! A store that is filled with a past.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use heartline_collector::clock::{WallClockAnchor, wall_ms};
use heartline_collector::store::{Store, StoreConfig, StoreSinks};
use heartline_config::Retention;
use heartline_fleet::{HistoryDbRow, MonoTime, Transition, TransitionCause, WorkRow, WriteTicket};
use heartline_protocol::bucket;
use heartline_vocabulary::{AgentRowId, AgentStatus, Identity, Reason, SharedIdentity, WorkTotals};
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::{DAY_MS, HOUR_MS};
use crate::clock;

/// Rows that are handed over at once.
const BATCH: usize = 10_000;
/// Time after a day's end at which the store folds it.
const FOLD_GRACE_MS: i64 = 10 * 60_000;
/// Longest wait until everything is folded.
const FOLD_TIMEOUT: Duration = Duration::from_secs(1_800);

/// A store that is filled with a past.
pub(super) struct GeneratedHistory {
    dir: PathBuf,
    store: Store,
    anchor: WallClockAnchor,
    agents: u32,
    days: u32,
    rng: fastrand::Rng,
    rows: Vec<HistoryDbRow>,
}

impl GeneratedHistory {
    /// Opens a store, a new one or one that was closed.
    pub(super) fn open(dir: &Path, agents: u32, days: u32) -> Result<Self> {
        let dir = dir.to_owned();
        // What is too old would be pruned, and what was written at the disk's pace is no question here.
        let for_ever = Duration::from_secs(36_500 * 86_400);
        let retention =
            Retention { minutes: for_ever, hours: for_ever, days: for_ever, events: for_ever };
        let start_ms = wall_ms() - i64::from(days) * DAY_MS;
        let anchor = WallClockAnchor::new(MonoTime::from_millis(0), start_ms);
        let config = StoreConfig { data_dir: dir.clone(), retention };
        let (store, _) = Store::open(&config, anchor, StoreSinks::without_alerts(Arc::new(drop)))
            .context("can't open a store")?;
        let rng = fastrand::Rng::with_seed(0x5eed);
        Ok(Self { dir, store, anchor, agents, days, rng, rows: Vec::new() })
    }

    /// Writes the work of an hour, of each agent in each minute.
    pub(super) fn write_minutes(&mut self) -> Result<()> {
        let begin_ms = i64::from(self.days) * DAY_MS - 2 * HOUR_MS;
        let latencies = SampleLatencies::new(&mut self.rng, 29);
        let mut ticket = 0;
        for minute in 0..60 {
            for id in 1..=self.agents {
                ticket += 1;
                self.rows.push(HistoryDbRow::Work(Box::new(WorkRow {
                    ticket: WriteTicket(ticket),
                    id: AgentRowId(i64::from(id)),
                    session: 1,
                    segment: ticket,
                    at: MonoTime::from_millis(begin_ms + minute * 60_000),
                    work: WorkTotals {
                        ok: 59,
                        failed: 1,
                        cost_nano_usd: 1_000_000,
                        tokens_in: 30_000,
                        tokens_out: 4_000,
                    },
                    latency: latencies.of(id, &mut self.rng).into(),
                    quality: heartline_fleet::QualityRecord::default(),
                    beats: 2,
                    lost: 0,
                })));
                if self.rows.len() >= BATCH {
                    self.hand_over()?;
                }
            }
        }
        self.hand_over()
    }

    pub(super) fn write(&mut self) -> Result<()> {
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
    pub(super) fn fall_silent_together(&mut self) -> Result<Duration> {
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

    pub(super) fn close(self) {
        self.store.close();
    }

    /// Waits until the store has folded all hours that are due, and packed all days.
    pub(super) fn wait_until_folded(&self) -> Result<()> {
        let conn = Connection::open(self.dir.join("history.db"))?;
        let due = (wall_ms() - FOLD_GRACE_MS) / DAY_MS;
        let sql = "SELECT min((SELECT coalesce(max(slot), 0) FROM folds WHERE into_table = 'days'), \
                   (SELECT coalesce(max(day) + 1, 0) FROM state_days WHERE next_agent IS NULL))";
        let begun = clock::monotonic();
        while conn.query_row(sql, [], |row| row.get::<_, i64>(0))? < due {
            let waited = clock::monotonic().saturating_sub(begun);
            ensure!(waited < FOLD_TIMEOUT, "folding takes too long");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

/// Writes the hours of so many days, each with a row of every agent, as folding has left them: to write their
/// tasks would take hours. Folding them into days, the sums of the fleet, and packing the states of days, are left
/// to the store.
pub(super) fn write_hours(dir: &Path, agents: u32, days: u32) -> Result<()> {
    let mut rng = fastrand::Rng::with_seed(0xf01d);
    let latencies = SampleLatencies::new(&mut rng, 48);
    let mut conn = Connection::open(dir.join("history.db"))?;
    // The hour that is not over has none.
    let last = wall_ms() / HOUR_MS - 3;
    for hour in last - i64::from(days) * 24..=last {
        let tx = conn.transaction()?;
        let mut insert = tx.prepare_cached(
            "INSERT INTO hours VALUES (?1, ?2, 120, 0, 3590, 10, 1000000000, 9000000, 800000, ?3)",
        )?;
        for id in 1..=agents {
            insert.execute(params![hour, id, latencies.of(id, &mut rng)])?;
        }
        drop(insert);
        tx.commit()?;
    }
    conn.execute_batch(
        "DELETE FROM meta WHERE key = 'fleet_rollups_version';
         DELETE FROM folds WHERE into_table = 'days';
         DELETE FROM state_days;
         INSERT OR REPLACE INTO folds VALUES ('hours', (SELECT max(slot) + 1 FROM hours), 0)",
    )?;
    Ok(())
}

/// Latencies of agents of several kinds. Those of one kind resemble each other: a day has few more buckets than
/// an hour.
struct SampleLatencies(Vec<[Vec<u8>; SAMPLES]>);

const KINDS: u32 = 32;
const SAMPLES: usize = 8;

impl SampleLatencies {
    fn new(rng: &mut fastrand::Rng, buckets: usize) -> Self {
        let kind = |_| {
            let first = rng.u16(330..420);
            std::array::from_fn(|_| packed_latencies(rng, first, buckets))
        };
        Self((0..KINDS).map(kind).collect())
    }

    fn of(&self, agent: u32, rng: &mut fastrand::Rng) -> &[u8] {
        &self.0[(agent % KINDS) as usize][rng.usize(..SAMPLES)]
    }
}

/// Returns a packed histogram with so many buckets that are not empty, from about one bucket on.
fn packed_latencies(rng: &mut fastrand::Rng, first: u16, buckets: usize) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut step = first + rng.u16(..4);
    for _ in 0..buckets {
        bucket::pack(&mut packed, step, rng.u64(1..160));
        step = rng.u16(1..4);
    }
    packed
}
