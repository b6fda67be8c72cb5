//! Opens `control.db`, or refuses to.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::store::copy;
use crate::store::error::StoreError;
use crate::store::file::{self, HISTORY_FILE};
use crate::store::schema::{self, CONTROL, DatabaseSchema, SchemaVersion};

/// Opens `control.db` for its writer, or creates it.
///
/// 1. A file that SQLite can't read, or whose pages are damaged, is refused, and one in which a table
///    is missing.
/// 2. So is one that is empty or missing although a history or copies say that there was one:
///    beginning anew would forget every kill.
/// 3. So are one of a newer version and another program's.
/// 4. Before a migration a copy is made.
pub(crate) fn open(path: &Path) -> Result<Connection, StoreError> {
    open_as(path, &CONTROL)
}

fn open_as(path: &Path, wanted: &DatabaseSchema) -> Result<Connection, StoreError> {
    if let Some(what) = file::find_wrong_file(path) {
        return Err(refused(path, what));
    }
    let existed = file::len(path) > 0;
    if !existed && must_exist(path) {
        return Err(refused(path, "it is missing or empty".into()));
    }
    let failed = |what| move |source| StoreError::Sqlite { what, path: path.into(), source };
    let mut conn = file::open_writer(path).map_err(failed("open"))?;
    let version =
        schema::read_version(&conn, wanted).map_err(|error| refused(path, error.to_string()))?;
    match file::find_damage(&conn) {
        Ok(None) => {}
        Ok(Some(damage)) => return Err(refused(path, damage)),
        Err(error) => return Err(refused(path, error.to_string())),
    }
    let from = match version {
        SchemaVersion::Empty if must_exist(path) => {
            return Err(refused(path, "it is empty".into()));
        }
        SchemaVersion::Empty => 0,
        SchemaVersion::Known(version) => version,
        SchemaVersion::Newer(found) => {
            return Err(StoreError::Newer { path: path.into(), found, known: wanted.steps.len() });
        }
        SchemaVersion::Foreign => return Err(StoreError::Foreign { path: path.into() }),
    };
    file::make_durable(&conn).map_err(failed("prepare"))?;
    if from > 0 && from < wanted.steps.len() {
        copy::make(path, &copy::migration_path(path, from))
            .map_err(|error| refused(path, format!("before its migration, {error}")))?;
    }
    schema::migrate(&mut conn, wanted, from).map_err(failed("migrate"))?;
    if from == 0 {
        draw_control_id(&conn).map_err(failed("create"))?;
    }
    match schema::find_difference(&conn, wanted) {
        Ok(None) => Ok(conn),
        Ok(Some(difference)) => Err(refused(path, difference)),
        Err(error) => Err(refused(path, error.to_string())),
    }
}

/// Draws the id of a new series of commands. A copy of the file continues the series.
fn draw_control_id(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(
        "INSERT INTO control SELECT random() WHERE NOT EXISTS (SELECT 1 FROM control);
         UPDATE control SET control_id = 1 WHERE control_id = 0;",
    )
}

/// Returns whether there must have been a `control.db`: nothing else is ever written before it.
fn must_exist(path: &Path) -> bool {
    file::len(&path.with_file_name(HISTORY_FILE)) > 0 || !copy::daily_copies(path).is_empty()
}

fn refused(path: &Path, why: String) -> StoreError {
    let how_to_restore = match copy::newest_undamaged(path) {
        Some(copy) => format!(
            "To restore the newest good copy: {2}rm -f {0}-wal {0}-shm; cp -p {1} {0}. Kills given since \
             then are taken from history.db where it is whole",
            path.display(),
            copy.display(),
            match fs::symlink_metadata(path) {
                Ok(_) => format!("mv {0} {0}.damaged; ", path.display()),
                Err(_) => String::new(),
            }
        ),
        None => format!(
            "There is no good copy beside it: restore {0} from a backup, or move the whole data \
             directory away to start with an empty kill list",
            path.display()
        ),
    };
    StoreError::ControlRefused { path: path.into(), why, how_to_restore }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::store::file::CONTROL_FILE;

    fn created() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(CONTROL_FILE);
        let conn = open(&path).unwrap();
        conn.execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
             INSERT INTO agents (id, name, first_seen_ms, interval_ms) SELECT i, 'agent-' || i, 0, 1 FROM n",
        )
        .unwrap();
        copy::make(&path, &copy::daily_path(&path, "20260401")).unwrap();
        drop(conn);
        (dir, path)
    }

    fn assert_refused(path: &Path) -> String {
        let refused = open(path).unwrap_err();
        assert!(matches!(refused, StoreError::ControlRefused { .. }), "{refused}");
        assert_eq!(refused.exit_code(), 4);
        let message = refused.to_string();
        assert!(message.contains("control.db.copy-20260401"), "names the copy: {message}");
        message
    }

    #[test]
    fn an_overwritten_header_is_refused() {
        let (_dir, path) = created();
        let mut bytes = fs::read(&path).unwrap();
        bytes[..100].fill(0x5a);
        fs::write(&path, bytes).unwrap();
        assert_refused(&path);
    }

    #[test]
    fn overwritten_pages_are_refused() {
        let (_dir, path) = created();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2 / 4_096 * 4_096;
        bytes[middle..middle + 8_192].fill(0x5a);
        fs::write(&path, bytes).unwrap();
        assert_refused(&path);
    }

    #[test]
    fn a_truncated_file_is_refused_however_short() {
        for keep in [1, 2] {
            let (_dir, path) = created();
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() / 2 * (keep - 1)]).unwrap();
            assert_refused(&path);
            fs::remove_file(&path).unwrap();
            assert_refused(&path);
        }
    }

    #[test]
    fn the_restore_commands_of_the_message_work() {
        let overwrite = |path: &Path| fs::write(path, [0x5a; 8_192]).unwrap();
        let remove = |path: &Path| fs::remove_file(path).unwrap();
        let make_dir = |path: &Path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        };
        let drop_table = |path: &Path| {
            file::open_writer(path).unwrap().execute_batch("DROP TABLE tokens").unwrap();
        };
        let ways: [&dyn Fn(&Path); 4] = [&overwrite, &remove, &make_dir, &drop_table];
        for damage in ways {
            let (dir, path) = created();
            damage(&path);
            let message = assert_refused(&path);
            let from = message.find("copy: ").unwrap() + "copy: ".len();
            let to = message.find(". Kills given").unwrap();
            let status = std::process::Command::new("sh")
                .args(["-ec", &message[from..to]])
                .current_dir(dir.path())
                .status()
                .unwrap();
            assert!(status.success(), "{message}");
            let conn = open(&path).unwrap();
            let count: i64 =
                conn.query_row("SELECT count(*) FROM agents", [], |row| row.get(0)).unwrap();
            assert_eq!(count, 5_000);
        }
    }

    #[test]
    fn a_newer_version_is_refused() {
        let (_dir, path) = created();
        let conn = file::open_writer(&path).unwrap();
        conn.pragma_update(None, "user_version", 99).unwrap();
        drop(conn);
        let refused = open(&path).unwrap_err();
        assert!(matches!(refused, StoreError::Newer { found: 99, known: 2, .. }), "{refused}");
        assert_eq!(refused.exit_code(), 4);
    }

    #[test]
    fn a_migration_leaves_a_copy_of_what_was_before() {
        const NEXT: DatabaseSchema = DatabaseSchema {
            application_id: CONTROL.application_id,
            steps: &[CONTROL.steps[0], CONTROL.steps[1], "DELETE FROM agents WHERE id > 10"],
        };
        let (_dir, path) = created();
        let count = |path: &Path| -> i64 {
            let conn = file::open_reader(path).unwrap();
            conn.query_row("SELECT count(*) FROM agents", [], |row| row.get(0)).unwrap()
        };
        drop(open_as(&path, &NEXT).unwrap());
        assert_eq!(count(&path), 10);
        assert_eq!(count(&copy::migration_path(&path, 2)), 5_000);
    }
}
