//! Opens `history.db`, or replaces it by an empty one.

use std::path::Path;

use rusqlite::Connection;

use crate::clock::AliveMoment;
use crate::store::disk::{self, SqliteFault};
use crate::store::error::StoreError;
use crate::store::schema::{self, HISTORY, SchemaVersion};
use crate::store::{file, meta};

use super::{fold, outage};

/// Size up to which a file is checked at every start.
const CHECK_ALWAYS_MAX: u64 = 64 << 20;
/// Size up to which a file is checked after a collector that did not end in order. Damage in a
/// larger one is found when it is read.
const CHECK_UNCLEAN_MAX: u64 = 1 << 30;

/// Keys of the table `meta`.
const ALIVE_AT: &str = "alive_at_ms";
const ALIVE_BOOT: &str = "alive_boot_ms";
const BOOT_ID: &str = "boot_id";
const RETENTION_AT: &str = "retention_at_ms";
const CLOCK_OFFSET: &str = "clock_offset_ms";
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

/// Writes the moment in which the collector was alive.
pub(super) fn set_alive(conn: &Connection, alive: &AliveMoment) -> rusqlite::Result<()> {
    meta::set(conn, ALIVE_AT, alive.wall_ms)?;
    meta::set(conn, ALIVE_BOOT, alive.boot_ms)?;
    meta::set(conn, BOOT_ID, alive.boot_id.unwrap_or(0))?;
    meta::set(conn, RETENTION_AT, alive.retention_ms)?;
    meta::set(conn, CLOCK_OFFSET, alive.offset_ms)?;
    Ok(())
}

/// Returns when the collector was last known to be alive.
pub(crate) fn last_alive(conn: &Connection) -> rusqlite::Result<Option<AliveMoment>> {
    let Some(wall_ms) = meta::get(conn, ALIVE_AT)? else { return Ok(None) };
    Ok(Some(AliveMoment {
        wall_ms,
        boot_ms: meta::get(conn, ALIVE_BOOT)?.unwrap_or(0),
        boot_id: meta::get(conn, BOOT_ID)?.filter(|&id| id != 0),
        retention_ms: meta::get(conn, RETENTION_AT)?.unwrap_or(wall_ms),
        offset_ms: meta::get(conn, CLOCK_OFFSET)?.unwrap_or(0),
    }))
}

/// Writes whether the collector ends in order.
pub(super) fn set_clean(conn: &Connection, is_clean: bool) -> rusqlite::Result<usize> {
    meta::set(conn, CLEAN, i64::from(is_clean))
}

fn failed(path: &Path, what: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    move |source| StoreError::Sqlite { what, path: path.into(), source }
}

/// Opens the database, or describes its damage.
fn open_existing(path: &Path) -> Result<Result<Connection, String>, StoreError> {
    if let Some(what) = file::find_wrong_file(path) {
        return Ok(Err(what));
    }
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
    if let Some(difference) = schema::find_difference(conn, &HISTORY)? {
        return Ok(Some(difference));
    }
    // On a full disk this fails, and the collector must start all the same.
    let prepared = outage::derive_if_outdated(conn)
        .and_then(|()| fold::rebuild_fleet_if_outdated(conn))
        .and_then(|()| set_clean(conn, false));
    if let Err(error) = prepared {
        tracing::warn!(%error, path = %path.display(), "history can't be written yet");
    }
    Ok(None)
}

fn is_check_due(conn: &Connection, path: &Path) -> rusqlite::Result<bool> {
    let len = file::len(path);
    Ok(len <= CHECK_ALWAYS_MAX || (len <= CHECK_UNCLEAN_MAX && meta::get(conn, CLEAN)? != Some(1)))
}
