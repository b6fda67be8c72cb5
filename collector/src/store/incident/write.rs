//! Makes an incident file.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use heartline_operator::message::{IncidentContents, IncidentTexts};
use heartline_operator::text;
use rusqlite::{Connection, OpenFlags};

use super::{DIGEST, IncidentInfo, check};
use crate::private;
use crate::store::disk;
use crate::store::file::{self, HISTORY_FILE};
use crate::store::history::{Excerpt, ExcerptContents, TextMap, checkpoint};
use crate::store::progress::{Cancelled, JobProgress};
use crate::store::schema::{self, INCIDENT};

/// The file while it is made, in the data directory. It has no name any more when it is sent.
const DRAFT_FILE: &str = "incident.partial";
/// Instructions of SQLite's virtual machine between two looks at whether it is still wanted.
const CHECK_INTERVAL: i32 = 10_000;
/// Texts of each kind that are listed.
const LISTED: usize = 12;

/// An incident file to be made.
#[derive(Clone, Debug)]
pub struct IncidentJob {
    pub data_dir: PathBuf,
    pub since_ms: i64,
    /// The first moment behind it.
    pub until_ms: i64,
    pub made_ms: i64,
    /// Host of the collector.
    pub host: String,
    /// Names and texts are replaced by words that stand for them.
    pub is_redacted: bool,
}

/// The reason why there is no incident file.
#[derive(Debug, thiserror::Error)]
pub enum IncidentError {
    #[error("history is empty")]
    Empty,
    #[error(
        "nothing is known of the time before {}: history begins at {}",
        text::timestamp(*until_ms), text::timestamp(*first_ms)
    )]
    BeforeFirst { until_ms: i64, first_ms: i64 },
    #[error("there is no room in {} to make it; free some space on its disk", dir.display())]
    NoRoom { dir: PathBuf },
    #[error("can't {what} {}: {source}", path.display())]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("can't {what} {}: {source}", path.display())]
    Sqlite { what: &'static str, path: PathBuf, source: rusqlite::Error },
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl IncidentJob {
    /// Makes the file. Returns it, open and without a name, with what is in it.
    ///
    /// # Errors [`IncidentError`]
    pub fn run(
        &self,
        progress: &Arc<JobProgress>,
    ) -> Result<(File, IncidentContents), IncidentError> {
        if !disk::has_room(&self.data_dir) {
            return Err(IncidentError::NoRoom { dir: self.data_dir.clone() });
        }
        let draft = Draft::create(&self.data_dir)?;
        let contents = self.fill(&draft.0, progress)?;
        progress.step()?;
        let opened = File::open(&draft.0);
        let file = opened.map_err(|source| IncidentError::File {
            what: "read",
            path: draft.0.clone(),
            source,
        })?;
        let bytes = file.metadata().map_or(0, |found| found.len());
        Ok((file, IncidentContents { bytes, ..contents }))
    }

    fn fill(
        &self,
        draft: &Path,
        progress: &Arc<JobProgress>,
    ) -> Result<IncidentContents, IncidentError> {
        let history = self.data_dir.join(HISTORY_FILE);
        let reading =
            |source| IncidentError::Sqlite { what: "read", path: history.clone(), source };
        let writing = |source| IncidentError::Sqlite { what: "write", path: draft.into(), source };
        let mut source = file::open_reader(&history).map_err(reading)?;
        let mut into = open(draft).map_err(writing)?;
        for conn in [&mut source, &mut into] {
            let seen = Arc::clone(progress);
            let is_unwanted = move || seen.step().is_err();
            conn.progress_handler(CHECK_INTERVAL, Some(is_unwanted)).map_err(writing)?;
        }
        // Held at one moment.
        source.execute_batch("BEGIN").map_err(reading)?;
        let first_ms = checkpoint::first_record_ms(&source).map_err(reading)?;
        let first_ms = first_ms.ok_or(IncidentError::Empty)?;
        if self.until_ms <= first_ms {
            return Err(IncidentError::BeforeFirst { until_ms: self.until_ms, first_ms });
        }
        let since_ms = self.since_ms.max(first_ms);
        let info = self.info(since_ms);
        let written = self.write(&source, &mut into, &info);
        progress.step()?;
        Ok(contents(&info, &written.map_err(writing)?))
    }

    fn info(&self, since_ms: i64) -> IncidentInfo {
        let host = if self.is_redacted { "collector" } else { &self.host };
        IncidentInfo {
            since_ms,
            until_ms: self.until_ms,
            made_ms: self.made_ms,
            is_redacted: self.is_redacted,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: host.to_owned(),
        }
    }

    fn write(
        &self,
        source: &Connection,
        into: &mut Connection,
        info: &IncidentInfo,
    ) -> rusqlite::Result<ExcerptContents> {
        schema::migrate(into, &INCIDENT, 0)?;
        let mut texts = match self.is_redacted {
            true => TextMap::redacted(),
            false => TextMap::Kept,
        };
        let tx = into.transaction()?;
        let excerpt = Excerpt { since_ms: info.since_ms, until_ms: info.until_ms };
        let written = excerpt.write(source, &tx, &mut texts)?;
        info.write(&tx)?;
        // What can't be opened again must not be sent.
        let digest = check::digest(&tx)?
            .map_err(|wrong| rusqlite::Error::ToSqlConversionFailure(Box::new(wrong)))?;
        super::set(&tx, DIGEST, &digest)?;
        tx.commit()?;
        Ok(written)
    }
}

/// Opens the file to be filled. Nobody sees it before it is whole: it needs no journal.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "OFF")?;
    Ok(conn)
}

fn contents(info: &IncidentInfo, written: &ExcerptContents) -> IncidentContents {
    let texts = |all: &BTreeSet<String>| IncidentTexts {
        count: all.len() as u64,
        first: all.iter().take(LISTED).cloned().collect(),
    };
    IncidentContents {
        since_ms: info.since_ms,
        until_ms: info.until_ms,
        is_redacted: info.is_redacted,
        bytes: 0,
        events: written.events,
        outages: written.outages,
        notes: written.notes,
        gaps: written.gaps,
        sessions: written.sessions,
        rollups: written.rollups,
        agents: texts(&written.agents),
        hosts: texts(&written.hosts),
        labels: texts(&written.labels),
        operators: texts(&written.operators),
        texts: texts(&written.texts),
    }
}

/// The path of the file while it is made. It is removed in any case.
struct Draft(PathBuf);

impl Draft {
    fn create(data_dir: &Path) -> Result<Self, IncidentError> {
        let path = data_dir.join(DRAFT_FILE);
        // One that a collector left that ended meanwhile.
        let _none = fs::remove_file(&path);
        match private::create_new(&path) {
            Ok(_) => Ok(Self(path)),
            Err(source) => Err(IncidentError::File { what: "create", path, source }),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.0);
    }
}
