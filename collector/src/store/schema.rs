//! The schemas of both databases as migration steps, and the migration.
//!
//! Times are milliseconds of Unix time (`_ms`). Numbers that are 64 bits wide without a sign
//! (sessions, request ids) are stored by their bits. A step is never changed after a release: what
//! comes later is a step of its own.

use std::collections::BTreeSet;

use rusqlite::{Connection, TransactionBehavior};

/// More objects than any schema has.
const OBJECTS_MAX: u32 = 200;

/// The schema of one database.
#[derive(Clone, Copy, Debug)]
pub(super) struct DatabaseSchema {
    /// Distinguishes Heartline's files from other SQLite files (`PRAGMA application_id`).
    pub(super) application_id: i32,
    /// SQL of the migrations from version *n* to *n + 1* (`PRAGMA user_version`).
    pub(super) steps: &'static [&'static str],
}

pub(super) const CONTROL: DatabaseSchema =
    DatabaseSchema { application_id: i32::from_be_bytes(*b"HLNc"), steps: &[CONTROL_1, CONTROL_2] };

pub(super) const HISTORY: DatabaseSchema =
    DatabaseSchema { application_id: i32::from_be_bytes(*b"HLNh"), steps: &[HISTORY_1] };

/// The schema of an incident file: that of a history, with a table of what the file is. A step that history gets
/// later is a step here as well, behind those that are there.
pub(super) const INCIDENT: DatabaseSchema = DatabaseSchema {
    application_id: i32::from_be_bytes(*b"HLNi"),
    steps: &[HISTORY_1, INCIDENT_1],
};

/// The schema version of a database file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SchemaVersion {
    Empty,
    Known(usize),
    /// Of a newer program.
    Newer(usize),
    /// Of another application.
    Foreign,
}

/// Returns the version of a file. Reads its first page, so a damaged header is found here.
pub(super) fn read_version(
    conn: &Connection,
    schema: &DatabaseSchema,
) -> rusqlite::Result<SchemaVersion> {
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application_id, version) = (pragma("application_id")?, pragma("user_version")?);
    let objects: i64 =
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    Ok(if objects == 0 && version == 0 {
        SchemaVersion::Empty
    } else if application_id != i64::from(schema.application_id) {
        SchemaVersion::Foreign
    } else if version > schema.steps.len() {
        SchemaVersion::Newer(version)
    } else {
        SchemaVersion::Known(version)
    })
}

/// Applies the steps that are missing, each in a transaction with its version number.
pub(super) fn migrate(
    conn: &mut Connection,
    schema: &DatabaseSchema,
    from: usize,
) -> rusqlite::Result<()> {
    for (index, step) in schema.steps.iter().enumerate().skip(from) {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "application_id", schema.application_id)?;
        tx.pragma_update(None, "user_version", (index + 1) as i64)?;
        tx.commit()?;
    }
    Ok(())
}

/// Returns what of the schema a database lacks: a table or an index that somebody dropped or changed.
pub(super) fn find_difference(
    conn: &Connection,
    schema: &DatabaseSchema,
) -> rusqlite::Result<Option<String>> {
    let wanted = Connection::open_in_memory()?;
    for step in schema.steps {
        wanted.execute_batch(step)?;
    }
    let found = objects(conn)?;
    let missing = objects(&wanted)?.into_iter().find(|object| !found.contains(object));
    Ok(missing.map(|(name, _)| format!("{name} is missing or was changed")))
}

/// Returns the first object in which the schema of a database differs from one of this version, with nothing
/// more and nothing less.
pub(super) fn find_any_difference(
    conn: &Connection,
    schema: &DatabaseSchema,
) -> rusqlite::Result<Option<String>> {
    let wanted = Connection::open_in_memory()?;
    for step in schema.steps {
        wanted.execute_batch(step)?;
    }
    let all = |conn: &Connection| -> rusqlite::Result<BTreeSet<[String; 4]>> {
        let sql = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema LIMIT ?1";
        let mut statement = conn.prepare(sql)?;
        let rows = statement.query_map([OBJECTS_MAX], |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
        })?;
        rows.collect()
    };
    let (wanted, found) = (all(&wanted)?, all(conn)?);
    Ok(wanted.symmetric_difference(&found).next().map(|[kind, name, ..]| format!("{kind} {name}")))
}

/// Returns the name and the SQL of every table and index.
fn objects(conn: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let sql = "SELECT type || ' ' || name, sql FROM sqlite_schema \
               WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'";
    let mut statement = conn.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

const CONTROL_1: &str = "
-- A forgotten agent stays for as long as anything may refer to it. Ids are never used again.
CREATE TABLE agents (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    interval_ms INTEGER NOT NULL,
    identity BLOB,
    forgotten_ms INTEGER,
    forgotten_by TEXT
) STRICT;
CREATE INDEX agents_forgotten ON agents (forgotten_ms) WHERE forgotten_ms IS NOT NULL;

-- One row: the id of the series that generations belong to, drawn when this file was created.
CREATE TABLE control (control_id INTEGER NOT NULL) STRICT;

-- The newest desired state of each agent that ever had one.
CREATE TABLE desired (
    agent_id INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL,
    killed INTEGER NOT NULL,
    cause TEXT NOT NULL,
    \"by\" TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    request_id INTEGER NOT NULL,
    delivered_ms INTEGER,
    obeyed_ms INTEGER,
    lifts INTEGER
) STRICT;

-- The audit: commands and their targets.
CREATE TABLE commands (
    id INTEGER PRIMARY KEY,
    request_id INTEGER NOT NULL UNIQUE,
    at_ms INTEGER NOT NULL,
    action TEXT NOT NULL,
    cause TEXT NOT NULL,
    \"by\" TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE TABLE command_targets (
    command_id INTEGER NOT NULL,
    agent_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    state TEXT NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (command_id, agent_id)
) STRICT, WITHOUT ROWID;

-- Tokens by scope, and the audit of their changes.
CREATE TABLE tokens (
    scope TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    made_ms INTEGER,
    made_by TEXT,
    revoked_ms INTEGER,
    revoked_by TEXT,
    revoked_reason TEXT,
    PRIMARY KEY (scope, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE token_changes (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    \"by\" TEXT NOT NULL,
    reason TEXT
) STRICT;
";

const CONTROL_2: &str = "
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

macro_rules! rollup_table {
    ($name:literal) => {
        concat!(
            "CREATE TABLE ",
            $name,
            " (
    slot INTEGER NOT NULL,
    agent_id INTEGER NOT NULL,
    beats INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cost_nano_usd INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    latency BLOB NOT NULL,
    PRIMARY KEY (slot, agent_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE fleet_",
            $name,
            " (
    slot INTEGER PRIMARY KEY,
    beats INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cost_nano_usd INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    latency BLOB NOT NULL
) STRICT;
"
        )
    };
}

const HISTORY_1: &str = concat!("
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the numbers in the other tables stand for: what is event, status or gap.
CREATE TABLE names (
    what TEXT NOT NULL,
    code INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (what, code)
) STRICT, WITHOUT ROWID;

-- The status of each agent for the next start, and its totals.
CREATE TABLE agents (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    forgotten_ms INTEGER,
    status INTEGER NOT NULL DEFAULT 0,
    since_ms INTEGER,
    last_beat_ms INTEGER,
    starts INTEGER NOT NULL DEFAULT 0,
    pid INTEGER,
    identity INTEGER,
    disobeyed_generation INTEGER NOT NULL DEFAULT 0,
    beats INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    ok INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    cost_nano_usd INTEGER NOT NULL DEFAULT 0,
    tokens_in INTEGER NOT NULL DEFAULT 0,
    tokens_out INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX agents_by_name ON agents (name);
CREATE INDEX agents_forgotten ON agents (forgotten_ms) WHERE forgotten_ms IS NOT NULL;

-- What agents have reported of themselves, each identity once.
CREATE TABLE identities (
    id INTEGER PRIMARY KEY,
    body BLOB NOT NULL UNIQUE
) STRICT;

CREATE TABLE sessions (
    agent_id INTEGER NOT NULL,
    session INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    starts INTEGER NOT NULL DEFAULT 0,
    applied_segment INTEGER NOT NULL DEFAULT 0,
    last_beat_ms INTEGER,
    ended TEXT,
    ended_ms INTEGER,
    PRIMARY KEY (agent_id, session)
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_end ON sessions (ended_ms) WHERE ended_ms IS NOT NULL;

-- What happened, in the order in which it was stored. The kind decides which columns are set
-- (`store/history/event.rs`). Times go back a little: a transition has the time at which it became true.
CREATE TABLE events (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    agent_id INTEGER,
    kind INTEGER NOT NULL,
    was INTEGER,
    status INTEGER,
    value INTEGER
) STRICT;
CREATE INDEX events_of_identities ON events (agent_id, cursor) WHERE kind = 11;
CREATE INDEX events_of_commands ON events (agent_id, value) WHERE kind IN (2, 3);
-- What only some events have. Who, words and step are rows of texts.
CREATE TABLE event_details (
    cursor INTEGER PRIMARY KEY,
    \"by\" INTEGER,
    words INTEGER,
    step INTEGER,
    missed INTEGER,
    interval_ms INTEGER,
    session INTEGER,
    delivered_ms INTEGER,
    obeyed_ms INTEGER,
    last_lines TEXT
) STRICT;

-- Texts, each once. No event has one that is stored more than 65,536 events after the one that noted its use.
CREATE TABLE texts (
    id INTEGER PRIMARY KEY,
    used INTEGER NOT NULL,
    text TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX texts_by_use ON texts (used);

-- The fleet after the event at the cursor, now and then: what a moment is read from, with the events that
-- follow. Also the way from times to cursors: the latest time up to the cursor, and the earliest since the
-- checkpoint before.
CREATE TABLE checkpoints (
    cursor INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    latest_ms INTEGER NOT NULL,
    earliest_ms INTEGER NOT NULL,
    agents INTEGER NOT NULL
) STRICT;
CREATE INDEX checkpoints_by_time ON checkpoints (latest_ms, cursor);
CREATE TABLE checkpoint_fleets (
    cursor INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    fleet BLOB NOT NULL
) STRICT;

-- Derived from events, and rebuilt when they are lost or another version derived them.
-- The events of an agent in 30 days, packed (`store/history/strip.rs`).
CREATE TABLE strips (
    key INTEGER PRIMARY KEY,
    last_ms INTEGER NOT NULL,
    last_cursor INTEGER NOT NULL,
    strip BLOB NOT NULL
) STRICT;
CREATE TABLE gaps (
    cursor INTEGER PRIMARY KEY,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    cause INTEGER NOT NULL
) STRICT;
-- The number of an outage is the cursor of the event that began it. Cause and step are rows of texts. Beats go
-- on being missed from run_from_ms.
CREATE TABLE outages (
    cursor INTEGER PRIMARY KEY,
    agent_id INTEGER NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER,
    worst INTEGER NOT NULL,
    cause INTEGER,
    step INTEGER,
    missed INTEGER NOT NULL DEFAULT 0,
    run_from_ms INTEGER,
    run_interval_ms INTEGER
) STRICT;
CREATE INDEX outages_open ON outages (agent_id) WHERE end_ms IS NULL;

-- What operators wrote on outages.
CREATE TABLE notes (
    id INTEGER PRIMARY KEY,
    outage INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    \"by\" TEXT NOT NULL,
    acknowledges INTEGER NOT NULL,
    words TEXT NOT NULL
) STRICT;
CREATE INDEX notes_by_outage ON notes (outage);

-- Rollups: work and beats of an agent in a slot, the number of the minute, hour or day since 1970. A row
-- only where something happened. Latencies are packed as on the wire, so that they add up exactly. Each table
-- has one with the sums of all its agents, which is rebuilt where it is lost or another version wrote it.
", rollup_table!("minutes"), rollup_table!("hours"), rollup_table!("days"), "
-- The progress of folding into a table: everything before the slot, and in it the agents up to this
-- one.
CREATE TABLE folds (
    into_table TEXT PRIMARY KEY,
    slot INTEGER NOT NULL,
    agent_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- For people with the sqlite3 shell.
CREATE VIEW readable_events AS
    SELECT e.cursor, strftime('%Y-%m-%dT%H:%M:%fZ', e.at_ms / 1000.0, 'unixepoch') AS at,
        a.name AS agent, k.name AS kind,
        iif(e.kind = 1, (SELECT name FROM names WHERE what = 'status' AND code = e.was), NULL)
            AS \"from\",
        (SELECT name FROM names WHERE what = iif(e.kind = 8, 'gap', 'status') AND code = e.status)
            AS \"to\",
        e.value, (SELECT text FROM texts WHERE id = d.\"by\") AS \"by\",
        coalesce((SELECT text FROM texts WHERE id = d.words), iif(e.kind = 1, 'a live beat', NULL))
            AS words,
        (SELECT text FROM texts WHERE id = d.step) AS step, d.last_lines
    FROM events e LEFT JOIN event_details d USING (cursor) LEFT JOIN agents a ON a.id = e.agent_id
        LEFT JOIN names k ON k.what = 'event' AND k.code = e.kind;
CREATE VIEW readable_outages AS
    SELECT o.cursor AS outage, a.name AS agent,
        strftime('%Y-%m-%dT%H:%M:%fZ', o.start_ms / 1000.0, 'unixepoch') AS start,
        strftime('%Y-%m-%dT%H:%M:%fZ', o.end_ms / 1000.0, 'unixepoch') AS \"end\",
        (o.end_ms - o.start_ms) / 1000.0 AS seconds,
        (SELECT name FROM names WHERE what = 'status' AND code = o.worst) AS worst,
        (SELECT text FROM texts WHERE id = o.cause) AS cause,
        (SELECT text FROM texts WHERE id = o.step) AS step, o.missed AS missed_beats
    FROM outages o LEFT JOIN agents a ON a.id = o.agent_id;
");

const INCIDENT_1: &str = "
CREATE TABLE incident (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: DatabaseSchema =
        DatabaseSchema { application_id: 7, steps: &["CREATE TABLE a (x INTEGER)"] };
    const TWO: DatabaseSchema = DatabaseSchema {
        application_id: 7,
        steps: &[ONE.steps[0], "ALTER TABLE a ADD COLUMN y INTEGER"],
    };

    #[test]
    fn only_missing_steps_are_applied() {
        let mut conn = Connection::open_in_memory().unwrap();
        assert_eq!(read_version(&conn, &ONE).unwrap(), SchemaVersion::Empty);
        migrate(&mut conn, &ONE, 0).unwrap();
        conn.execute("INSERT INTO a VALUES (1)", []).unwrap();
        assert_eq!(read_version(&conn, &TWO).unwrap(), SchemaVersion::Known(1));
        migrate(&mut conn, &TWO, 1).unwrap();
        assert_eq!(read_version(&conn, &TWO).unwrap(), SchemaVersion::Known(2));
        assert_eq!(read_version(&conn, &ONE).unwrap(), SchemaVersion::Newer(2));
        let sum: i64 = conn.query_row("SELECT sum(x) FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(sum, 1, "what was stored stays");
    }

    #[test]
    fn an_incident_file_has_all_of_a_history() {
        assert!(HISTORY.steps.iter().all(|step| INCIDENT.steps.contains(step)));
        assert_eq!(INCIDENT.steps.len(), HISTORY.steps.len() + 1);
    }

    #[test]
    fn a_failed_step_leaves_the_version_before() {
        const BROKEN: DatabaseSchema =
            DatabaseSchema { application_id: 7, steps: &[ONE.steps[0], "CREATE nonsense"] };
        let mut conn = Connection::open_in_memory().unwrap();
        assert!(migrate(&mut conn, &BROKEN, 0).is_err());
        assert_eq!(read_version(&conn, &BROKEN).unwrap(), SchemaVersion::Known(1));
    }

    #[test]
    fn what_was_dropped_or_changed_is_found() {
        let open = |schema| {
            let mut conn = Connection::open_in_memory().unwrap();
            migrate(&mut conn, schema, 0).unwrap();
            conn
        };
        for schema in [&CONTROL, &HISTORY] {
            let found = |sql: &str| {
                let conn = open(schema);
                conn.execute_batch(sql).unwrap();
                find_difference(&conn, schema).unwrap()
            };
            assert_eq!(found(""), None);
            assert_eq!(found("CREATE INDEX of_an_operator ON agents (name)"), None);
            assert_eq!(found("DROP TABLE meta").unwrap(), "table meta is missing or was changed");
            assert!(found("DROP INDEX agents_forgotten").is_some());
            assert!(found("ALTER TABLE agents DROP COLUMN first_seen_ms").is_some());
        }
    }

    #[test]
    fn a_database_of_another_application_is_foreign() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
        assert_eq!(read_version(&conn, &ONE).unwrap(), SchemaVersion::Foreign);
    }
}
