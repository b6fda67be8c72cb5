//! Commits of both databases, counted. Each database stores its own number, and the last one of the
//! other: a start finds out from it that one of them has lost commits, with a WAL that was removed or
//! damaged, or because an older copy is in its place. SQLite itself takes that for an older state,
//! and says nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use super::{meta, sql};

/// Keys of the table `meta` in both databases.
const OWN: &str = "commits";
const OTHER: &str = "other_commits";

/// The numbers of the last durable commits.
#[derive(Debug, Default)]
pub(super) struct CommitNumbers {
    control: AtomicU64,
    history: AtomicU64,
}

/// How many commits each database has lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LostCommits {
    pub(super) control: u64,
    pub(super) history: u64,
}

impl CommitNumbers {
    /// Compares what both databases store. The numbers go on from the higher one, so that a loss is
    /// found once.
    pub(super) fn read(
        control: &Connection,
        history: &Connection,
    ) -> rusqlite::Result<(Self, LostCommits)> {
        let number = |conn, key| -> rusqlite::Result<u64> {
            Ok(meta::get(conn, key)?.map_or(0, sql::from_count))
        };
        let (own_control, seen_control) = (number(control, OWN)?, number(history, OTHER)?);
        let (own_history, seen_history) = (number(history, OWN)?, number(control, OTHER)?);
        let numbers = Self {
            control: own_control.max(seen_control).into(),
            history: own_history.max(seen_history).into(),
        };
        let lost = LostCommits {
            control: seen_control.saturating_sub(own_control),
            history: seen_history.saturating_sub(own_history),
        };
        Ok((numbers, lost))
    }

    /// Writes the numbers to both databases at once, so that a loss is not found again. History may be
    /// locked; then that is done with its next commit.
    pub(super) fn write_to_both(
        &self,
        control: &Connection,
        history: &Connection,
    ) -> rusqlite::Result<()> {
        let tx = control.unchecked_transaction()?;
        let number = self.write_to_control(&tx)?;
        tx.commit()?;
        self.control_committed(number);
        let written = history.unchecked_transaction().and_then(|tx| {
            let number = self.write_to_history(&tx)?;
            tx.commit().map(|()| number)
        });
        match written {
            Ok(number) => self.history_committed(number),
            Err(error) => tracing::warn!("history.db can't be written yet: {error}"),
        }
        Ok(())
    }

    /// Returns the number of the last durable commit to `history.db`.
    pub(super) fn history(&self) -> u64 {
        self.history.load(Ordering::Acquire)
    }

    /// Writes the next number of `control.db` in its transaction; returns it.
    pub(super) fn write_to_control(&self, tx: &Connection) -> rusqlite::Result<u64> {
        write(tx, &self.control, &self.history)
    }

    /// Writes the next number of `history.db` in its transaction; returns it.
    pub(super) fn write_to_history(&self, tx: &Connection) -> rusqlite::Result<u64> {
        write(tx, &self.history, &self.control)
    }

    /// The transaction with this number is durable.
    pub(super) fn control_committed(&self, number: u64) {
        self.control.store(number, Ordering::Release);
    }

    /// The transaction with this number is durable.
    pub(super) fn history_committed(&self, number: u64) {
        self.history.store(number, Ordering::Release);
    }
}

fn write(tx: &Connection, own: &AtomicU64, other: &AtomicU64) -> rusqlite::Result<u64> {
    let number = own.load(Ordering::Acquire) + 1;
    meta::set(tx, OWN, sql::to_count(number))?;
    meta::set(tx, OTHER, sql::to_count(other.load(Ordering::Acquire)))?;
    Ok(number)
}
