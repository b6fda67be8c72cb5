//! What the collector has stored, beside what has arrived.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::harness::ReceivedWebhook;

/// Times of the webhook's bodies are in whole seconds.
const ROUNDING_MS: i64 = 1_000;

/// What was told of what happened.
#[derive(Debug, Default)]
pub struct AlertAccount {
    /// Outages in which an agent was unreachable.
    pub outages: usize,
    /// Notices in the outbox.
    pub notices: usize,
    /// Requests that were taken.
    pub arrived: usize,
    /// Requests that came again with an id that had come before.
    pub repeated: usize,
    /// Outages and notices that nobody was told of, in words.
    pub missing: Vec<String>,
    /// Ids that stood for different things.
    pub ambiguous: Vec<String>,
    /// From the decision to the arrival of each notice that came alone, in ms, ascending.
    pub delays_ms: Vec<i64>,
}

/// Returns whether all agents are well, and nothing is left to be sent.
pub(super) fn is_settled(data_dir: &Path) -> bool {
    let Ok(conn) = open(data_dir) else { return false };
    let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    let pending = count("SELECT count(*) FROM deliveries WHERE state IN ('pending', 'attempted')");
    let open = count("SELECT count(*) FROM incidents WHERE ended_ms IS NULL");
    matches!((pending, open), (Ok(0), Ok(0)))
}

fn open(data_dir: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    Connection::open_with_flags(data_dir.join("history.db"), flags)
}

impl AlertAccount {
    pub(super) fn read(data_dir: &Path, received: &[ReceivedWebhook]) -> Self {
        let conn = open(data_dir).expect("history.db can be read");
        let mut account = Self { arrived: received.len(), ..Self::default() };
        let told = account.read_received(received);
        account.check_notices(&conn, &told, received).expect("history.db has notices");
        account.check_outages(&conn, received).expect("history.db has outages");
        account
    }

    /// Returns the ids of all notices that arrived, by themselves or as part of another one.
    fn read_received(&mut self, received: &[ReceivedWebhook]) -> BTreeSet<String> {
        let (mut told, mut by_id) = (BTreeSet::new(), BTreeMap::new());
        for webhook in received {
            let ids = webhook.body["data"]["told"].as_array().into_iter().flatten();
            let ids: Vec<String> =
                ids.filter_map(|it| it["id"].as_str().map(str::to_owned)).collect();
            told.extend(ids.iter().cloned());
            match by_id.insert(webhook.id.clone(), ids.last().cloned()) {
                Some(before) if before != ids.last().cloned() => {
                    self.ambiguous.push(webhook.id.clone());
                }
                Some(_) => self.repeated += 1,
                None => {}
            }
        }
        told
    }

    fn check_notices(
        &mut self,
        conn: &Connection,
        told: &BTreeSet<String>,
        received: &[ReceivedWebhook],
    ) -> rusqlite::Result<()> {
        let mut statement = conn.prepare("SELECT incident, number, at_ms FROM notices")?;
        let rows = statement.query_map([], |row| {
            let incident = heartline_vocabulary::IncidentId(row.get::<_, i64>(0)?.cast_unsigned());
            Ok((format!("{incident}-{}", row.get::<_, u32>(1)?), row.get::<_, i64>(2)?))
        })?;
        let notices: BTreeMap<String, i64> = rows.collect::<rusqlite::Result<_>>()?;
        self.notices = notices.len();
        let missing = notices.keys().filter(|id| !told.contains(*id));
        self.missing.extend(missing.map(|id| format!("notice {id}")));
        let alone = received.iter().filter_map(|webhook| {
            let ids = webhook.body["data"]["told"].as_array()?;
            let [only] = &ids[..] else { return None };
            Some(webhook.at_ms - notices.get(only["id"].as_str()?)?)
        });
        self.delays_ms = alone.collect();
        self.delays_ms.sort_unstable();
        Ok(())
    }

    /// Checks that each outage in which an agent was unreachable is in something that arrived.
    fn check_outages(
        &mut self,
        conn: &Connection,
        received: &[ReceivedWebhook],
    ) -> rusqlite::Result<()> {
        let mut told: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
        for webhook in received {
            let data = &webhook.body["data"];
            let opened = time_ms(&data["incident"]["opened"]).unwrap_or(i64::MAX);
            for member in data["members"].as_array().into_iter().flatten() {
                let (Some(agent), Some(since)) =
                    (member["agent"].as_str(), time_ms(&member["since"]))
                else {
                    continue;
                };
                told.entry(agent.to_owned()).or_default().push((opened.min(since), since));
            }
        }
        let sql = "SELECT a.name, e.at_ms FROM events e JOIN agents a ON a.id = e.agent_id \
                   JOIN names n ON n.what = 'status' AND n.code = e.status \
                   WHERE e.kind = 1 AND n.name LIKE 'unreachable%'";
        let mut statement = conn.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for row in rows {
            let (agent, at_ms): (String, i64) = row?;
            self.outages += 1;
            // A member of an incident that fell again has the time of its last fall.
            let is_told = told.get(&agent).is_some_and(|all| {
                all.iter()
                    .any(|&(from, to)| from - ROUNDING_MS <= at_ms && at_ms <= to + 2 * ROUNDING_MS)
            });
            if !is_told {
                self.missing.push(format!("{agent} unreachable at {at_ms}"));
            }
        }
        Ok(())
    }

    /// Returns the delay that so many percent of the notices have at most.
    pub fn delay_ms(&self, percent: usize) -> i64 {
        let at = (self.delays_ms.len() * percent / 100).min(self.delays_ms.len().saturating_sub(1));
        self.delays_ms.get(at).copied().unwrap_or(0)
    }
}

fn time_ms(value: &serde_json::Value) -> Option<i64> {
    Some(value.as_str()?.parse::<jiff::Timestamp>().ok()?.as_millisecond())
}
