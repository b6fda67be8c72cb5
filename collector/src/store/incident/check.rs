//! The rows of an incident file: each value is looked at once, and counts for a digest.
//!
//! What reads history trusts its own writer: times that can be added, codes that mean something, text that was
//! scrubbed. A file of a stranger has to keep to that before anything reads it.

use heartline_protocol::bucket::PackedHistogram;
use heartline_vocabulary::SharedIdentity;
use heartline_vocabulary::text::is_hostile;
use ring::digest::{Context, SHA256};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::DIGEST;
use crate::store::history::{EventCode, GapCauseCode, StatusCode, checkpoint, strip};

/// The end of the year 9999.
pub(super) const TIME_MAX_MS: i64 = 253_402_300_799_999;
/// Largest cursor and count, as on the wire.
const NUMBER_MAX: i64 = 1 << 53;
/// Largest id of an agent: a strip has so many bits for it.
const AGENT_MAX: i64 = (1 << 32) - 1;
/// Longest text: four times what any writer stores.
const TEXT_MAX: usize = 16 << 10;
/// Longest blob but for that of a checkpoint, which grows with the fleet.
const BLOB_MAX: usize = 64 << 10;

/// A value that no writer of this program stores.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{column} of {table} has a value that makes no sense")]
pub(super) struct WrongValue {
    table: String,
    column: String,
}

/// Looks at every value, and returns a digest of all but itself.
pub(super) fn digest(conn: &Connection) -> rusqlite::Result<Result<String, WrongValue>> {
    let mut digest = Context::new(&SHA256);
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut statement = conn.prepare(sql)?;
    let tables = statement.query_map([], |row| row.get::<_, String>(0))?;
    for table in tables.collect::<rusqlite::Result<Vec<_>>>()? {
        digest.update(table.as_bytes());
        let quoted = format!("SELECT * FROM \"{table}\" ORDER BY 1, 2");
        let mut rows = conn.prepare(&quoted)?;
        let columns: Vec<String> = rows.column_names().map(str::to_owned).collect();
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            if table == "incident" && row.get_ref(0)? == ValueRef::Text(DIGEST.as_bytes()) {
                continue;
            }
            let kind = match table.as_str() {
                "events" => Some(row.get_ref("kind")?),
                _ => None,
            };
            for (at, column) in columns.iter().enumerate() {
                let value = row.get_ref(at)?;
                if !is_sane(&table, column, kind, value) {
                    let (table, column) = (table.clone(), column.clone());
                    return Ok(Err(WrongValue { table, column }));
                }
                update(&mut digest, value);
            }
        }
    }
    let bytes = digest.finish();
    Ok(Ok(bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()))
}

fn update(digest: &mut Context, value: ValueRef<'_>) {
    let (tag, bytes): (u8, &[u8]) = match value {
        ValueRef::Null => (0, &[]),
        ValueRef::Integer(number) => {
            digest.update(&[1]);
            digest.update(&number.to_be_bytes());
            return;
        }
        ValueRef::Real(number) => {
            digest.update(&[2]);
            digest.update(&number.to_be_bytes());
            return;
        }
        ValueRef::Text(bytes) => (3, bytes),
        ValueRef::Blob(bytes) => (4, bytes),
    };
    digest.update(&[tag]);
    digest.update(&bytes.len().to_be_bytes());
    digest.update(bytes);
}

fn is_sane(table: &str, column: &str, kind: Option<ValueRef<'_>>, value: ValueRef<'_>) -> bool {
    match value {
        ValueRef::Null => true,
        // What is derived when a day is over is in no file.
        _ if matches!(table, "state_days" | "state_day_cells") => false,
        ValueRef::Integer(number) => match (table, column) {
            ("events", "kind") => EventCode::from_code(number).is_some(),
            ("events", "status") => match kind {
                Some(ValueRef::Integer(kind)) if kind == EventCode::Gap.code() => {
                    GapCauseCode::from_code(number).is_some()
                }
                _ => StatusCode::from_code(number).is_some(),
            },
            ("events", "value") => match kind {
                Some(ValueRef::Integer(kind))
                    if kind == EventCode::Gap.code() || kind == EventCode::ClockStep.code() =>
                {
                    is_time(number)
                }
                _ => number >= 0,
            },
            ("agents", "status") | ("outages", "worst") => StatusCode::from_code(number).is_some(),
            ("gaps", "cause") => GapCauseCode::from_code(number).is_some(),
            _ => is_sane_number(column, number),
        },
        ValueRef::Real(_) => false,
        ValueRef::Text(bytes) => is_sane_text(column, bytes),
        ValueRef::Blob(bytes) => is_sane_blob(column, bytes),
    }
}

fn is_time(ms: i64) -> bool {
    (-TIME_MAX_MS..=TIME_MAX_MS).contains(&ms)
}

fn is_sane_number(column: &str, number: i64) -> bool {
    match column {
        // All bits count.
        "session" => true,
        // The slot of a strip stands in front of its agent.
        "key" => (0..=TIME_MAX_MS / strip::SLOT_MS).contains(&(number >> 44)),
        "agent_id" | "id" => (0..=AGENT_MAX).contains(&number),
        // A slot is a minute at least.
        "slot" => (-TIME_MAX_MS / 60_000..=TIME_MAX_MS / 60_000).contains(&number),
        "beats" | "lost" | "ok" | "failed" | "cost_nano_usd" | "tokens_in" | "tokens_out" => {
            number >= 0
        }
        _ if column.ends_with("_ms") => is_time(number),
        _ => (0..=NUMBER_MAX).contains(&number),
    }
}

fn is_sane_text(column: &str, bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    // The lines of a crash are joined.
    let is_allowed = |c: char| !is_hostile(c) || (c == '\n' && column == "last_lines");
    text.len() <= TEXT_MAX && text.chars().all(is_allowed)
}

fn is_sane_blob(column: &str, bytes: &[u8]) -> bool {
    match column {
        "fleet" => checkpoint::decode_checked(bytes).is_some_and(|fleet| {
            fleet.iter().all(|(id, agent)| {
                (0..=AGENT_MAX).contains(id)
                    && is_time(agent.since_ms)
                    && StatusCode::from_code(agent.status).is_some()
                    && agent.outage.is_none_or(|outage| (0..=NUMBER_MAX).contains(&outage))
            })
        }),
        "strip" => bytes.len() <= BLOB_MAX && is_sane_strip(bytes),
        "latency" => bytes.len() <= BLOB_MAX && PackedHistogram::new(bytes).is_ok(),
        "body" => {
            let identity = rmp_serde::from_slice::<SharedIdentity>(bytes);
            bytes.len() <= BLOB_MAX && identity.is_ok_and(|identity| is_sane_identity(&identity))
        }
        // An incident file judges nobody further.
        "quality" => bytes.is_empty(),
        _ => false,
    }
}

fn is_sane_strip(bytes: &[u8]) -> bool {
    // The slot that a strip begins in is at most this large.
    strip::decode_checked(bytes).is_some_and(|entries| {
        entries.iter().all(|entry| {
            let ended = entry.ended.unwrap_or_default();
            let numbers =
                [Some(entry.cursor), entry.identity, Some(ended.missed), ended.cause, ended.step];
            is_time(entry.at_ms)
                && numbers.into_iter().flatten().all(|number| (0..=NUMBER_MAX).contains(&number))
                && entry.status.is_none_or(|status| StatusCode::from_code(status).is_some())
        })
    })
}

fn is_sane_identity(identity: &SharedIdentity) -> bool {
    let SharedIdentity { host, group, version, framework, sdk, labels, depends } = identity;
    let texts = [host, group, version, framework, sdk].into_iter().flatten();
    let labels = labels.iter().flat_map(|(key, value)| [key, value]);
    texts.chain(labels).chain(depends).all(|text| is_sane_text("", text.as_bytes()))
}
