//! Opening `history.db`, or beginning anew.

use std::path::Path;

use rusqlite::Connection;

use super::meta;
use crate::store::disk::{self, Fault};
use crate::store::error::StoreError;
use crate::store::file;
use crate::store::migrate::{self, Version};
use crate::store::schema::HISTORY;

/// A file up to this size is looked through at every start…
const ALWAYS_CHECKED: u64 = 64 << 20;
/// …and one up to this size when the collector did not end in order. Damage in larger ones shows
/// when it is read.
const CHECKED_IF_UNCLEAN: u64 = 1 << 30;

/// Opens `history.db` for its writer, or makes it. A damaged one is set aside and a new one begun;
/// the sentence for a banner that says so comes with it.
pub(crate) fn open(path: &Path, now_ms: i64) -> Result<(Connection, Option<String>), StoreError> {
    let damage = match open_existing(path)? {
        Ok(conn) => return Ok((conn, None)),
        Err(damage) => damage,
    };
    let (conn, banner) = begin_anew(path, &damage, now_ms)?;
    Ok((conn, Some(banner)))
}

/// Sets a damaged `history.db` aside and begins a new one. Nobody may have it open for writing.
pub(crate) fn begin_anew(
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

fn failed(path: &Path, what: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    move |source| StoreError::Sqlite { what, path: path.into(), source }
}

/// The database, or what is damaged about it.
fn open_existing(path: &Path) -> Result<Result<Connection, String>, StoreError> {
    let mut conn = file::open_writer(path).map_err(failed(path, "open"))?;
    let from = match migrate::version(&conn, &HISTORY) {
        Ok(Version::Empty) => 0,
        Ok(Version::Known(version)) => version,
        Ok(Version::Newer(found)) => {
            let known = HISTORY.steps.len();
            return Err(StoreError::Newer { path: path.into(), found, known });
        }
        Ok(Version::Foreign) => return Err(StoreError::Foreign { path: path.into() }),
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
    match disk::fault(&error) {
        Fault::Damaged => Ok(Err(error.to_string())),
        Fault::Passing | Fault::Unsynced => Err(failed(path, "open")(error)),
    }
}

fn prepare(conn: &mut Connection, path: &Path, from: usize) -> rusqlite::Result<Option<String>> {
    file::make_durable(conn)?;
    if from > 0
        && is_to_be_checked(conn, path)?
        && let Some(damage) = file::find_damage(conn)?
    {
        return Ok(Some(damage));
    }
    migrate::migrate(conn, &HISTORY, from)?;
    // On a full disk this fails, and the collector must start all the same.
    if let Err(error) = meta::set_clean(conn, false) {
        tracing::warn!(%error, path = %path.display(), "history can't be written yet");
    }
    Ok(None)
}

fn is_to_be_checked(conn: &Connection, path: &Path) -> rusqlite::Result<bool> {
    let len = file::len(path);
    Ok(len <= ALWAYS_CHECKED || (len <= CHECKED_IF_UNCLEAN && !meta::is_clean(conn)?))
}
