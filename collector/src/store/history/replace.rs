//! A `history.db` that was damaged, removed or replaced while the collector runs.

use std::fs;
use std::io;
use std::path::Path;

use rusqlite::{Connection, ffi};

use super::agents::{self, AgentRecord};
use super::open;
use super::writer::HistoryWriter;
use crate::clock;
use crate::private;
use crate::store::copy;
use crate::store::event::StoreEvent;
use crate::store::file::{self, CONTROL_FILE};
use crate::store::place::{self, DatabaseFiles, FileFault};

impl HistoryWriter {
    /// Sees to it that what is written next is under the path of `history.db`.
    ///
    /// 1. A file that was removed is still open: it is written again under its path, and nothing is
    ///    lost. Where that can't be done, a new one is begun.
    /// 2. What was in a WAL that was removed is moved into the database.
    /// 3. One that was emptied is damaged, and will be set aside.
    /// 4. A file that somebody put in its place is left alone: nothing is written, and nothing is
    ///    acknowledged, until there is a restart.
    pub(super) fn ensure_in_place(&mut self) -> rusqlite::Result<()> {
        self.reopen_if_closed()?;
        match self.files.fault() {
            None => Ok(()),
            Some(FileFault::Replaced) => self.files.check(),
            Some(FileFault::Emptied) => Err(failure(ffi::SQLITE_CORRUPT)),
            Some(FileFault::WalRemoved) => {
                self.conn = place::reopen_without_wal(&self.conn, &self.path)?;
                self.has_opened();
                self.tell(format!(
                    "{0}-wal was removed while heartlined ran; what was in it is in {0}",
                    self.path.display()
                ));
                Ok(())
            }
            Some(FileFault::Removed) => self.write_again(),
        }
    }

    /// Writes a removed database again from what is open.
    fn write_again(&mut self) -> rusqlite::Result<()> {
        let path = self.path.clone();
        let again = file::sibling(&path, ".again");
        let saved = copy::make_from(&self.conn, &path, &again).map_err(|error| error.to_string());
        // A WAL that is still there belongs to the old file, and would damage the new one.
        let saved = saved.and_then(|()| {
            remove_wal(&path)
                .and_then(|()| fs::rename(&again, &path))
                .and_then(|()| private::sync_dir_of(&path))
                .map_err(|error| error.to_string())
        });
        if saved.is_err() {
            remove_wal(&path).map_err(|_| failure(ffi::SQLITE_CANTOPEN))?;
        }
        let removed = std::mem::replace(&mut self.conn, Connection::open_in_memory()?);
        // Closing it would remove the WAL under the path, which is another one's from now on.
        std::mem::forget(removed);
        self.open_again()?;
        let path = path.display();
        self.tell(match saved {
            Ok(()) => format!("{path} was removed while heartlined ran; it was written again, whole"),
            Err(error) => format!(
                "{path} was removed while heartlined ran, and could not be written again ({error}); \
                 a new one was begun"
            ),
        });
        Ok(())
    }

    /// Opens the file again where [`Self::replace`] left none open.
    fn reopen_if_closed(&mut self) -> rusqlite::Result<()> {
        if self.conn.path().is_some_and(|path| !path.is_empty()) {
            return Ok(());
        }
        self.open_again()
    }

    /// Opens what is under the path, or begins it anew.
    fn open_again(&mut self) -> rusqlite::Result<()> {
        match open::open(&self.path, clock::wall_ms()) {
            Ok((conn, _)) => {
                self.conn = conn;
                self.has_opened();
                merge_from_control(&mut self.conn, &self.path)
            }
            Err(error) => {
                tracing::debug!(%error, "history.db can't be opened again");
                Err(failure(ffi::SQLITE_CANTOPEN))
            }
        }
    }

    /// Replaces a damaged file by an empty one; returns whether that could be done.
    pub(super) fn replace(&mut self, damage: &rusqlite::Error) -> bool {
        // The old file is closed before it is renamed: its WAL goes with it.
        let Ok(nothing) = Connection::open_in_memory() else { return false };
        drop(std::mem::replace(&mut self.conn, nothing));
        match open::open_replacement(&self.path, &damage.to_string(), clock::wall_ms()) {
            Ok((conn, why)) => {
                self.conn = conn;
                self.has_opened();
                if let Err(error) = merge_from_control(&mut self.conn, &self.path) {
                    tracing::warn!(%error, "agents have no names in the new history.db until the next start");
                }
                (self.shared.notify)(StoreEvent::HistorySetAside { why });
                true
            }
            Err(error) => {
                tracing::error!(%error, "history.db is damaged and can't be set aside");
                false
            }
        }
    }

    /// Takes note that a file was opened.
    pub(super) fn has_opened(&mut self) {
        self.files = DatabaseFiles::of(&self.path);
        if let Err(error) = self.deferred.attach(&mut self.conn) {
            tracing::debug!(%error, "commits of history write its WAL back themselves");
        }
    }

    fn tell(&self, sentence: String) {
        let about = file::HISTORY_FILE;
        (self.shared.notify)(StoreEvent::Condition { about, sentence: Some(sentence) });
    }
}

/// Removes the WAL and its index under the path of a database.
fn remove_wal(path: &Path) -> io::Result<()> {
    for suffix in ["-wal", "-shm"] {
        match fs::remove_file(file::sibling(path, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn failure(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

/// Inserts the agents of `control.db` into a new `history.db`.
fn merge_from_control(history: &mut Connection, path: &Path) -> rusqlite::Result<()> {
    let control = file::open_reader(&path.with_file_name(CONTROL_FILE))?;
    let sql = format!("SELECT {} FROM agents", AgentRecord::COLUMNS);
    let mut statement = control.prepare(&sql)?;
    let records = statement.query_map([], AgentRecord::read)?;
    agents::merge_agents(history, records.collect::<rusqlite::Result<Vec<_>>>()?.iter())
}
