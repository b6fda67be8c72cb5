//! The start of the store: both databases are read, each is brought up to date with the other, and
//! what one of them has lost is found out.

use std::path::Path;

use heartline_vocabulary::{AgentRowId, Identity};
use rusqlite::Connection;

use super::commit_number::{CommitNumbers, LostCommits};
use super::control;
use super::disk::{self, SqliteFault};
use super::error::StoreError;
use super::file::{CONTROL_FILE, HISTORY_FILE};
use super::history::{self, Spill};
use super::restore::{self, ControlDbState, HistoryDbState, RestoredAlerts, RestoredState};
use crate::clock::{self, AliveMoment, WallClockAnchor};

/// Both databases, open for their writers, and what they hold.
pub(super) struct OpenDatabases {
    pub(super) control: Connection,
    pub(super) history: Connection,
    pub(super) spill: Spill,
    pub(super) numbers: CommitNumbers,
    /// When the collector of the last run was last known to be alive.
    pub(super) last_alive: Option<AliveMoment>,
    pub(super) restored: RestoredState,
    /// What history lacks of what agents said of themselves.
    pub(super) missing_identities: Vec<(AgentRowId, Identity)>,
}

/// Opens and reads both databases of a data directory.
pub(super) fn open(data_dir: &Path, anchor: WallClockAnchor) -> Result<OpenDatabases, StoreError> {
    let (control_path, history_path) = (data_dir.join(CONTROL_FILE), data_dir.join(HISTORY_FILE));
    let failed = |source| StoreError::Sqlite { what: "read", path: control_path.clone(), source };
    let mut control_conn = control::open(&control_path)?;
    let (mut history_conn, banner) = history::open(&history_path, clock::wall_ms())?;
    let mut banners = Vec::from_iter(banner);

    let mut spill = Spill::beside(&history_path);
    merge_spill(&mut spill, &mut history_conn, &mut banners);
    let (history, set_aside) = read_history(&mut history_conn, &history_path)?;
    let is_new = set_aside.is_some() || !banners.is_empty();
    banners.extend(set_aside);
    let in_history = history::last_alive(&history_conn).map_err(failed)?;
    let last_alive = spill.last_alive().or(in_history);

    let (numbers, lost) = CommitNumbers::read(&control_conn, &history_conn).map_err(failed)?;
    if lost.history > 0 && !is_new {
        banners.push(lost_history(&history_path, lost));
    }
    let control = reconcile(&mut control_conn, &history).map_err(failed)?;
    let control = if lost.control > 0 {
        let commands = history::newest_commands(&history_conn).map_err(failed)?;
        let taken = control::restore_commands(&mut control_conn, &commands).map_err(failed)?;
        banners.push(lost_control(&control_path, lost, taken));
        ControlDbState::read(&control_conn).map_err(failed)?
    } else {
        control
    };
    if lost != LostCommits::default() {
        numbers.write_to_both(&control_conn, &history_conn).map_err(failed)?;
    }
    if let Err(error) =
        history::merge_agents(&mut history_conn, history.missing_in_history(&control))
    {
        // Monitoring must go on; the next start names them.
        tracing::warn!("agents have no names in history.db until the next start: {error}");
    }
    let missing_identities = history.missing_identities(&control);
    let revocations = restore::read_revocations(&control_conn).map_err(failed)?;
    // The writers don't need the pages that were read for this.
    for conn in [&control_conn, &history_conn] {
        conn.execute_batch("PRAGMA shrink_memory").map_err(failed)?;
    }
    let restored = RestoredState {
        control: control.control,
        next_id: restore::next_id(&control, &history),
        agents: restore::merge(control, &history, anchor),
        last_alive: last_alive.map(|alive| alive.mono(anchor)),
        alerts: RestoredAlerts::read(&control_conn, &history_conn, anchor).map_err(failed)?,
        revocations,
        banners,
    };
    let (control, history) = (control_conn, history_conn);
    Ok(OpenDatabases { control, history, spill, numbers, last_alive, restored, missing_identities })
}

/// Brings `control.db` up to date with the agents of history.
fn reconcile(conn: &mut Connection, history: &HistoryDbState) -> rusqlite::Result<ControlDbState> {
    let mut control = ControlDbState::read(conn)?;
    let forgotten = history.forgotten_in_history(&control);
    if !forgotten.is_empty() {
        control::forget_agents(conn, &forgotten)?;
        control = ControlDbState::read(conn)?;
    }
    let missing = history.missing_in_control(&control);
    if !missing.is_empty() {
        control::insert_agents(conn, &missing)?;
        control = ControlDbState::read(conn)?;
    }
    Ok(control)
}

/// Reads `history.db`; one with damage is replaced, with a sentence for a banner.
fn read_history(
    conn: &mut Connection,
    path: &Path,
) -> Result<(HistoryDbState, Option<String>), StoreError> {
    match HistoryDbState::read(conn) {
        Ok(state) => Ok((state, None)),
        Err(source) if is_damage(&source) => {
            let failed = |source| StoreError::Sqlite { what: "read", path: path.into(), source };
            // The old file is closed before it is renamed: its WAL goes with it.
            drop(std::mem::replace(conn, Connection::open_in_memory().map_err(failed)?));
            let (new, banner) =
                history::open_replacement(path, &source.to_string(), clock::wall_ms())?;
            *conn = new;
            Ok((HistoryDbState::default(), Some(banner)))
        }
        Err(source) => Err(StoreError::Sqlite { what: "read", path: path.into(), source }),
    }
}

/// Returns whether pages can't be read, or hold values that the store never writes.
fn is_damage(error: &rusqlite::Error) -> bool {
    !matches!(error, rusqlite::Error::SqliteFailure(..))
        || disk::classify(error) == SqliteFault::Corrupt
}

/// Adds to history what it did not take in the last run. One that can't be written even now keeps
/// that beside it; a damaged spill is set aside.
fn merge_spill(spill: &mut Spill, history: &mut Connection, banners: &mut Vec<String>) {
    let Err(error) = spill.merge_into(history) else { return };
    if is_damage(&error) {
        let aside = spill.set_aside().map_or_else(
            |error| format!("can't be set aside: {error}"),
            |aside| format!("was set aside as {}", aside.display()),
        );
        banners.push(format!(
            "what history.db had not taken in the last run is damaged ({error}), and {aside}"
        ));
    } else {
        tracing::warn!("history.db does not take yet what it lacks of the last run: {error}");
    }
}

fn lost_history(path: &Path, lost: LostCommits) -> String {
    format!(
        "{0} lacks its last {1} commits, of which control.db knows: it, or its -wal file, was removed or \
         damaged, or it is an older copy; totals and events of that time are missing, and if control.db lost \
         kills of that time as well, nobody knows: look at the killed agents",
        path.display(),
        lost.history
    )
}

fn lost_control(path: &Path, lost: LostCommits, taken: usize) -> String {
    format!(
        "{0} lacks its last {1} commits, of which history.db knows: its -wal file was removed or damaged, \
         or it is an older copy; {taken} kills and resumes of that time were taken from history.db; look \
         at the killed agents, and at the revoked tokens with `heartline token list`",
        path.display(),
        lost.control
    )
}
