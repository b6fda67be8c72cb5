//! Opens incident files, which may come from strangers.
//!
//! 1. The header says what the file is before SQLite sees it.
//! 2. SQLite reads it as one that nobody can write (`immutable`), without its views and triggers, and believes
//!    nothing that its schema says (`trusted_schema`). No value may be longer than a limit.
//! 3. Its schema is compared with ours, text by text, before anything else is read: there is nothing more in it,
//!    and nothing less.
//! 4. Pages are checked, then every value (`check.rs`), then the digest.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::OFlags;

use super::{DIGEST, IncidentInfo, check};
use crate::clock;
use crate::store::file;
use crate::store::read::StoreReader;
use crate::store::schema::{self, HISTORY, INCIDENT};

/// Longest text or blob: the checkpoint of a million agents takes some 20 MB.
const VALUE_MAX: i32 = 64 << 20;
/// Time in which a file is checked: so long, and a second for so many bytes.
const CHECK_WITHIN: Duration = Duration::from_secs(30);
const CHECK_BYTES_A_SECOND: u64 = 10 << 20;
/// Instructions of SQLite's virtual machine between two looks at the clock.
const CHECK_INTERVAL: i32 = 10_000;

/// Bytes of the header of a database, and where in it some fields are.
const HEADER_BYTES: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";
const USER_VERSION_AT: usize = 60;
const APPLICATION_ID_AT: usize = 68;

/// An incident file that was checked.
pub struct IncidentFile {
    pub info: IncidentInfo,
    pub reader: StoreReader,
}

/// The reason why an incident file is not opened.
#[derive(Debug, thiserror::Error)]
pub enum IncidentFileError {
    #[error("can't open {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is no regular file", path.display())]
    NotAFile { path: PathBuf },
    #[error("{} is no incident file: `heartline export --incident` makes one", path.display())]
    Foreign { path: PathBuf },
    #[error(
        "{} is the history of a collector, not an incident file: `heartline export --incident` makes one of it",
        path.display()
    )]
    History { path: PathBuf },
    #[error(
        "{} is of version {found}, and this heartline knows version {known}: use the heartline that made it, or \
         {}",
        path.display(), if found > known { "upgrade this one" } else { "an older one" }
    )]
    OtherVersion { path: PathBuf, found: u32, known: u32 },
    #[error("{} is cut off: {len} of {whole} bytes are there; copy it again", path.display())]
    Truncated { path: PathBuf, len: u64, whole: u64 },
    #[error(
        "{} is not as any heartline makes it ({what}): it is damaged, or was made to deceive, and is not opened",
        path.display()
    )]
    Forged { path: PathBuf, what: String },
    #[error("{} is damaged ({damage}): copy it again from where you have it", path.display())]
    Damaged { path: PathBuf, damage: String },
    #[error("checking {} took more than {} s, and was given up", path.display(), within.as_secs())]
    TooSlow { path: PathBuf, within: Duration },
}

impl IncidentFile {
    /// Opens and checks a file.
    ///
    /// # Errors [`IncidentFileError`]
    pub fn open(path: &Path) -> Result<Self, IncidentFileError> {
        let len = check_header(path)?;
        let within = CHECK_WITHIN + Duration::from_secs(len / CHECK_BYTES_A_SECOND);
        let damaged = |source: rusqlite::Error| match source.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => {
                IncidentFileError::TooSlow { path: path.into(), within }
            }
            _ => IncidentFileError::Damaged { path: path.into(), damage: source.to_string() },
        };
        let mut conn = open_hardened(path).map_err(damaged)?;
        let deadline = clock::now() + within;
        conn.progress_handler(CHECK_INTERVAL, Some(move || clock::now() >= deadline))
            .map_err(damaged)?;
        let info = check_contents(&conn, path, damaged)?;
        conn.progress_handler(0, None::<fn() -> bool>).map_err(damaged)?;
        Ok(Self { info, reader: StoreReader::of_history(path.into(), conn) })
    }
}

/// Reads the header, and returns the length of the file.
fn check_header(path: &Path) -> Result<u64, IncidentFileError> {
    let failed = |source| IncidentFileError::File { path: path.into(), source };
    // A pipe must hold up nobody.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file: File =
        OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if !found.is_file() {
        return Err(IncidentFileError::NotAFile { path: path.into() });
    }
    let mut header = Vec::new();
    file.take(HEADER_BYTES as u64).read_to_end(&mut header).map_err(failed)?;
    if header.len() < HEADER_BYTES || !header.starts_with(MAGIC) {
        return Err(IncidentFileError::Foreign { path: path.into() });
    }
    let number = |at: usize| {
        u32::from_be_bytes(std::array::from_fn(|byte| header.get(at + byte).copied().unwrap_or(0)))
    };
    match number(APPLICATION_ID_AT).cast_signed() {
        id if id == INCIDENT.application_id => {}
        id if id == HISTORY.application_id => {
            return Err(IncidentFileError::History { path: path.into() });
        }
        _ => return Err(IncidentFileError::Foreign { path: path.into() }),
    }
    let known = u32::try_from(INCIDENT.steps.len()).unwrap_or(u32::MAX);
    let found_version = number(USER_VERSION_AT);
    if found_version != known {
        let (path, found) = (path.into(), found_version);
        return Err(IncidentFileError::OtherVersion { path, found, known });
    }
    let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    let (len, whole) = (found.len(), page_bytes * u64::from(number(28)));
    if len < whole {
        return Err(IncidentFileError::Truncated { path: path.into(), len, whole });
    }
    Ok(len)
}

fn open_hardened(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let name: String = absolute
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(|byte| match byte {
            b'/' | b'.' | b'-' | b'_' => char::from(*byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
            byte => format!("%{byte:02x}"),
        })
        .collect();
    let conn = Connection::open_with_flags(format!("file:{name}?mode=ro&immutable=1"), flags)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    conn.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_MAX)?;
    conn.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    for (pragma, value) in [("cell_size_check", "ON"), ("mmap_size", "0"), ("query_only", "ON")] {
        conn.pragma_update_and_check(None, pragma, value, |_| Ok(())).or_else(is_silent)?;
    }
    file::keep_statements(&conn)?;
    Ok(conn)
}

/// A pragma that was set need not say so.
fn is_silent(error: rusqlite::Error) -> rusqlite::Result<()> {
    match error {
        rusqlite::Error::QueryReturnedNoRows => Ok(()),
        error => Err(error),
    }
}

fn check_contents(
    conn: &Connection,
    path: &Path,
    damaged: impl Fn(rusqlite::Error) -> IncidentFileError,
) -> Result<IncidentInfo, IncidentFileError> {
    let forged = |what: String| IncidentFileError::Forged { path: path.into(), what };
    if let Some(what) = schema::find_any_difference(conn, &INCIDENT).map_err(&damaged)? {
        return Err(forged(what));
    }
    // With its indexes, by which events and outages are found.
    let verdict = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
    let damage = verdict.map_err(&damaged)?;
    if damage != "ok" {
        return Err(IncidentFileError::Damaged { path: path.into(), damage });
    }
    let digest = check::digest(conn).map_err(&damaged)?;
    let digest = digest.map_err(|wrong| forged(wrong.to_string()))?;
    if super::get(conn, DIGEST).map_err(&damaged)? != Some(digest) {
        let damage = "its digest is another one".to_owned();
        return Err(IncidentFileError::Damaged { path: path.into(), damage });
    }
    let info = IncidentInfo::read(conn).map_err(&damaged)?;
    info.ok_or_else(|| forged("it does not say of when it is".to_owned()))
}
