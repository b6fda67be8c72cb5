//! The outbox: notices, and how far each has come with each sink. A notice is stored with the transition that it
//! tells of, and is sent once both are durable.

use heartline_operator::message::Notice;
use heartline_vocabulary::{DeliveryState, IncidentId, NoticeId};
use rusqlite::{Connection, TransactionBehavior, params};

use crate::store::prune::CHUNK_ROWS;
use crate::store::sql::{self, execute};

/// Longest answer of a sink that is kept, in characters.
const ANSWER_MAX: usize = 200;

/// A notice with the sinks that it is still to be sent to.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxNotice {
    pub notice: Notice,
    pub sinks: Vec<Box<str>>,
    /// It is on disk. Otherwise history is paused: it is sent from memory, and says so.
    pub is_stored: bool,
    /// An attempt was begun before, and its outcome is not known.
    pub is_repeat: bool,
}

/// What is told of the outbox as it is written.
#[derive(Clone, Debug, PartialEq)]
pub enum OutboxEvent {
    /// It is to be sent now.
    Notice(Box<OutboxNotice>),
    /// How an incident now stands to silences. Comes before its notices.
    Incident { id: IncidentId, is_silenced: bool, is_over: bool },
}

/// How far a notice has come with a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    pub notice: NoticeId,
    pub sink: Box<str>,
    pub state: DeliveryState,
    pub at_ms: i64,
    /// What the sink said, or what went wrong. Without secrets.
    pub answer: String,
}

/// Stores a notice, to be sent to its sinks.
pub(super) fn write(
    conn: &Connection,
    notice: &Notice,
    sinks: &[Box<str>],
) -> rusqlite::Result<()> {
    let (incident, number) = key(notice.id);
    let body = sql::encode(notice);
    execute(
        conn,
        "INSERT OR IGNORE INTO notices (incident, number, at_ms, kind, body) \
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![incident, number, notice.at_ms, notice.kind.name(), body],
    )?;
    for sink in sinks {
        execute(
            conn,
            "INSERT OR IGNORE INTO deliveries (incident, number, sink, state, at_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![incident, number, &**sink, DeliveryState::Pending.name(), notice.at_ms],
        )?;
    }
    Ok(())
}

/// Stores how far notices have come, in one transaction. A history that was begun anew meanwhile takes them, too.
pub(super) fn write_deliveries(
    conn: &mut Connection,
    rows: &[DeliveryRow],
) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for row in rows {
        let (incident, number) = key(row.notice);
        let attempts = u32::from(row.state == DeliveryState::Attempted);
        let answer: String = row.answer.chars().take(ANSWER_MAX).collect();
        execute(
            &tx,
            "INSERT INTO deliveries (incident, number, sink, state, attempts, at_ms, answer) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (incident, number, sink) \
             DO UPDATE SET state = excluded.state, attempts = attempts + excluded.attempts, \
                at_ms = excluded.at_ms, answer = excluded.answer",
            params![incident, number, &*row.sink, row.state.name(), attempts, row.at_ms, answer],
        )?;
    }
    tx.commit()
}

/// Returns what is still to be sent, in the order in which it was decided, an entry for each sink.
pub(crate) fn read_pending(conn: &Connection) -> rusqlite::Result<Vec<OutboxNotice>> {
    let mut statement = conn.prepare(
        "SELECT n.body, d.sink, d.state FROM deliveries d JOIN notices n USING (incident, number) \
         WHERE d.state IN ('pending', 'attempted', 'held') ORDER BY n.at_ms, n.incident, n.number",
    )?;
    let rows = statement.query_map([], |row| {
        let state = sql::read_named(row, 2, DeliveryState::from_name)?;
        // A notice that another version wrote can't be sent; it stays to be seen.
        let Ok(notice) = rmp_serde::from_slice::<Notice>(row.get_ref(0)?.as_blob()?) else {
            return Ok(None);
        };
        Ok(Some(OutboxNotice {
            notice,
            sinks: vec![row.get_ref(1)?.as_str()?.into()],
            is_stored: true,
            is_repeat: state == DeliveryState::Attempted,
        }))
    })?;
    rows.filter_map(Result::transpose).collect()
}

/// Removes a chunk of what ended before a time; returns the number of rows.
pub(super) fn prune(conn: &Connection, before_ms: i64) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM incidents WHERE id IN \
               (SELECT id FROM incidents WHERE ended_ms < ?1 LIMIT ?2)";
    let mut removed = execute(conn, sql, params![before_ms, CHUNK_ROWS])?;
    for table in ["deliveries", "notices"] {
        let sql = format!(
            "DELETE FROM {table} WHERE (incident, number) IN (SELECT incident, number \
             FROM {table} WHERE at_ms < ?1 AND incident NOT IN (SELECT id FROM incidents) LIMIT ?2)"
        );
        removed += execute(conn, &sql, params![before_ms, CHUNK_ROWS])?;
    }
    Ok(removed)
}

fn key(id: NoticeId) -> (i64, u32) {
    let NoticeId { incident: IncidentId(incident), number } = id;
    (sql::to_bits(incident), number)
}
