//! From one version of a database to the next.

use rusqlite::{Connection, TransactionBehavior};

use super::schema::Schema;

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Nothing in it yet.
    Empty,
    /// Heartline's, in this version.
    Known(usize),
    /// Heartline's, of a newer program.
    Newer(usize),
    /// Somebody else's database.
    Foreign,
}

/// Looks what a file is. Reads its first page, so a damaged header shows here.
pub(super) fn version(conn: &Connection, schema: &Schema) -> rusqlite::Result<Version> {
    let pragma = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application_id, version) = (pragma("application_id")?, pragma("user_version")?);
    let objects: i64 =
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    Ok(if objects == 0 && version == 0 {
        Version::Empty
    } else if application_id != i64::from(schema.application_id) {
        Version::Foreign
    } else if version > schema.steps.len() {
        Version::Newer(version)
    } else {
        Version::Known(version)
    })
}

/// Takes the steps that are missing, each in a transaction with its version number.
pub(super) fn migrate(conn: &mut Connection, schema: &Schema, from: usize) -> rusqlite::Result<()> {
    for (index, step) in schema.steps.iter().enumerate().skip(from) {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "application_id", schema.application_id)?;
        tx.pragma_update(None, "user_version", (index + 1) as i64)?;
        tx.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Schema = Schema { application_id: 7, steps: &["CREATE TABLE a (x INTEGER)"] };
    const TWO: Schema =
        Schema { application_id: 7, steps: &[ONE.steps[0], "ALTER TABLE a ADD COLUMN y INTEGER"] };

    #[test]
    fn takes_only_the_steps_that_are_missing() {
        let mut conn = Connection::open_in_memory().unwrap();
        assert_eq!(version(&conn, &ONE).unwrap(), Version::Empty);
        migrate(&mut conn, &ONE, 0).unwrap();
        conn.execute("INSERT INTO a VALUES (1)", []).unwrap();
        assert_eq!(version(&conn, &TWO).unwrap(), Version::Known(1));
        migrate(&mut conn, &TWO, 1).unwrap();
        assert_eq!(version(&conn, &TWO).unwrap(), Version::Known(2));
        assert_eq!(version(&conn, &ONE).unwrap(), Version::Newer(2));
        let sum: i64 = conn.query_row("SELECT sum(x) FROM a", [], |row| row.get(0)).unwrap();
        assert_eq!(sum, 1, "what was stored stays");
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before() {
        const BROKEN: Schema =
            Schema { application_id: 7, steps: &[ONE.steps[0], "CREATE nonsense"] };
        let mut conn = Connection::open_in_memory().unwrap();
        assert!(migrate(&mut conn, &BROKEN, 0).is_err());
        assert_eq!(version(&conn, &BROKEN).unwrap(), Version::Known(1));
    }

    #[test]
    fn other_programs_files_are_left_alone() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
        assert_eq!(version(&conn, &ONE).unwrap(), Version::Foreign);
    }
}
