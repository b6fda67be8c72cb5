//! Opens `history.db`, or replaces it by an empty one.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::store::disk::{self, SqliteFault};
use crate::store::error::StoreError;
use crate::store::file;
use crate::store::schema::{self, HISTORY, SchemaVersion};
use crate::store::sql::execute;

/// Size up to which a file is checked at every start.
const CHECK_ALWAYS_MAX: u64 = 64 << 20;
/// Size up to which a file is checked after a collector that did not end in order. Damage in a
/// larger one is found when it is read.
const CHECK_UNCLEAN_MAX: u64 = 1 << 30;

/// Keys of the table `meta`.
const ALIVE_AT: &str = "alive_at_ms";
const CLEAN: &str = "clean";

/// Opens `history.db` for its writer, or creates it. A damaged one is replaced; then a sentence for
/// a banner is returned as well.
pub(crate) fn open(path: &Path, now_ms: i64) -> Result<(Connection, Option<String>), StoreError> {
    let damage = match open_existing(path)? {
        Ok(conn) => return Ok((conn, None)),
        Err(damage) => damage,
    };
    let (conn, banner) = open_replacement(path, &damage, now_ms)?;
    Ok((conn, Some(banner)))
}

/// Renames a damaged `history.db` and creates an empty one. No connection may be open for writing.
/// Returns a sentence for a banner, too.
pub(crate) fn open_replacement(
    path: &Path,
    damage: &str,
    now_ms: i64,
) -> Result<(Connection, String), StoreError> {
    let aside = file::set_aside(path, &file::stamp(now_ms)).map_err(|source| StoreError::File {
        what: "set aside",
        path: path.into(),
        source,
    })?;
    let banner = format!(
        "history.db was damaged ({damage}) and was set aside as {}; a new one was begun",
        aside.display()
    );
    match open_existing(path)? {
        Ok(conn) => Ok((conn, banner)),
        Err(_) => Err(failed(path, "begin")(rusqlite::Error::InvalidQuery)),
    }
}

/// Writes the time at which the collector was alive.
pub(super) fn set_alive_at(conn: &Connection, wall_ms: i64) -> rusqlite::Result<usize> {
    set_meta(conn, ALIVE_AT, wall_ms)
}

/// Returns when the collector was last known to be alive, in ms of Unix time.
pub(crate) fn alive_at(conn: &Connection) -> rusqlite::Result<Option<i64>> {
    meta(conn, ALIVE_AT)
}

/// Writes whether the collector ends in order.
pub(super) fn set_clean(conn: &Connection, is_clean: bool) -> rusqlite::Result<usize> {
    set_meta(conn, CLEAN, i64::from(is_clean))
}

fn set_meta(conn: &Connection, key: &str, value: i64) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2) \
               ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    execute(conn, sql, params![key, value])
}

fn meta(conn: &Connection, key: &str) -> rusqlite::Result<Option<i64>> {
    conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

fn failed(path: &Path, what: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    move |source| StoreError::Sqlite { what, path: path.into(), source }
}

/// Opens the database, or describes its damage.
fn open_existing(path: &Path) -> Result<Result<Connection, String>, StoreError> {
    let mut conn = file::open_writer(path).map_err(failed(path, "open"))?;
    let from = match schema::read_version(&conn, &HISTORY) {
        Ok(SchemaVersion::Empty) => 0,
        Ok(SchemaVersion::Known(version)) => version,
        Ok(SchemaVersion::Newer(found)) => {
            let known = HISTORY.steps.len();
            return Err(StoreError::Newer { path: path.into(), found, known });
        }
        Ok(SchemaVersion::Foreign) => return Err(StoreError::Foreign { path: path.into() }),
        Err(error) => return damage_or(path, error),
    };
    match prepare(&mut conn, path, from) {
        Ok(None) => Ok(Ok(conn)),
        Ok(Some(damage)) => Ok(Err(damage)),
        Err(error) => damage_or(path, error),
    }
}

fn damage_or(
    path: &Path,
    error: rusqlite::Error,
) -> Result<Result<Connection, String>, StoreError> {
    match disk::classify(&error) {
        SqliteFault::Corrupt => Ok(Err(error.to_string())),
        SqliteFault::Transient | SqliteFault::SyncFailed => Err(failed(path, "open")(error)),
    }
}

fn prepare(conn: &mut Connection, path: &Path, from: usize) -> rusqlite::Result<Option<String>> {
    file::make_durable(conn)?;
    if from > 0
        && is_check_due(conn, path)?
        && let Some(damage) = file::find_damage(conn)?
    {
        return Ok(Some(damage));
    }
    schema::migrate(conn, &HISTORY, from)?;
    // On a full disk this fails, and the collector must start all the same.
    if let Err(error) = set_clean(conn, false) {
        tracing::warn!(%error, path = %path.display(), "history can't be written yet");
    }
    Ok(None)
}

fn is_check_due(conn: &Connection, path: &Path) -> rusqlite::Result<bool> {
    let len = file::len(path);
    Ok(len <= CHECK_ALWAYS_MAX || (len <= CHECK_UNCLEAN_MAX && meta(conn, CLEAN)? != Some(1)))
}
