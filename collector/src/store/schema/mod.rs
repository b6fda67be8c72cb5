//! The schemas of both databases as migration steps, and the migration.
//!
//! Times are milliseconds of Unix time (`_ms`). Numbers that are 64 bits wide without a sign
//! (sessions, request ids) are stored by their bits. A step is never changed after a release: what
//! comes later is a step of its own.

use std::collections::BTreeSet;

mod control;
mod history;

use rusqlite::{Connection, TransactionBehavior};

use control::{CONTROL_1, CONTROL_2};
use history::{HISTORY_1, INCIDENT_1};

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

impl DatabaseSchema {
    /// Makes an empty database of it.
    fn in_memory(&self) -> rusqlite::Result<Connection> {
        let conn = Connection::open_in_memory()?;
        self.steps.iter().try_for_each(|step| conn.execute_batch(step))?;
        Ok(conn)
    }
}

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
    let wanted = schema.in_memory()?;
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
    let wanted = schema.in_memory()?;
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
