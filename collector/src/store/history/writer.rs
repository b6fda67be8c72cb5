//! The thread that writes `history.db`.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use heartline_fleet::{HistoryDbRow, MonoTime};
use rusqlite::{Connection, ffi};
use tokio::sync::oneshot;

use super::commit::{CommitContext, CommittedWork, commit};
use super::note::{self, NoteError, NoteWrite};
use super::outbox::{self, DeliveryRow, OutboxEvent, OutboxNotice};
use super::replace::failure;
use super::room::{self, RoomStep};
use super::spill::Spill;
use super::{checkpoint, fold, open, prune, state_day};
use crate::alert::notice_message;
use crate::clock::{self, AliveMoment, WallClockAnchor};
use crate::store::checkpoint::{self as wal, DeferredCheckpoint, WalBacklog};
use crate::store::disk::{self, SqliteFault};
use crate::store::event::StoreEvent;
use crate::store::place::DatabaseFiles;
use crate::store::queue::{GroupCommit, WriteQueue};
use crate::store::store::WriterContext;

/// Rows, with the anchor that turns their times into wall-clock time.
pub(crate) type HistoryRows = (Vec<HistoryDbRow>, WallClockAnchor);

/// A batch of writes to `history.db`.
pub(crate) enum HistoryBatch {
    Rows(HistoryRows),
    /// Replied to once every batch before it is committed.
    Flush(oneshot::Sender<()>),
    Note(NoteWrite),
    Deliveries(DeliveryWrite),
}

/// How far notices have come, with whom to tell that it is on disk.
pub(crate) type DeliveryWrite = (Vec<DeliveryRow>, mpsc::SyncSender<()>);

/// Rows of one transaction, about.
const COMMIT_ROWS: usize = 16_384;
/// How long rows wait for a group commit soon after another one…
const COMMIT_DELAY: Duration = Duration::from_millis(250);
/// …and when there was none for longer than that.
const COMMIT_DELAY_AFTER_IDLE: Duration = Duration::from_millis(50);
/// Longest time between two commits, each of which stores when the collector was alive.
const ALIVE_INTERVAL: Duration = Duration::from_secs(4);
/// Pause between two steps of folding and pruning.
const MAINTENANCE_PAUSE: Duration = Duration::from_millis(5);
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// Most deliveries that wait for a disk that refuses them; of older ones the outcome is not known after a crash.
const DELIVERIES_MAX: usize = 10_000;
/// Whatever is queued, without waiting.
const DRAIN_AT_ONCE: GroupCommit =
    GroupCommit { idle_timeout: Duration::ZERO, delay: Duration::ZERO, max_rows: COMMIT_ROWS };

/// Key of the condition of a WAL that can't be written back.
const BACKLOG: &str = "history.db-wal";
/// Key of the condition of a disk that is nearly full.
const ROOM: &str = "history.db-room";

/// The writer of `history.db`, which also folds and prunes it.
pub(crate) struct HistoryWriter {
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
    pub(super) files: DatabaseFiles,
    pub(super) shared: WriterContext,
    queue: Arc<WriteQueue<HistoryBatch>>,
    spill: Spill,
    boot_id: Option<i64>,
    backlog: WalBacklog,
    pub(super) deferred: DeferredCheckpoint,
    /// How far notices have come, still to be stored.
    deliveries: Vec<DeliveryWrite>,
    /// Operators are told that rows are removed before their time.
    is_making_room: bool,
}

impl HistoryWriter {
    pub(crate) fn new(
        (conn, spill): (Connection, Spill),
        path: PathBuf,
        queue: Arc<WriteQueue<HistoryBatch>>,
        shared: WriterContext,
    ) -> Self {
        let (files, boot_id) = (DatabaseFiles::of(&path), clock::boot_id());
        let mut writer = Self {
            conn,
            path,
            files,
            shared,
            queue,
            spill,
            boot_id,
            backlog: WalBacklog::new(),
            deferred: DeferredCheckpoint::default(),
            deliveries: Vec::new(),
            is_making_room: false,
        };
        writer.has_opened();
        writer
    }

    /// Writes until the queue is closed and empty. A group that the disk refuses is kept and tried
    /// again; what comes meanwhile stays queued.
    pub(crate) fn run(mut self) {
        let (mut committed_at, mut is_maintenance_due) = (MonoTime::NEVER_YET, false);
        loop {
            let was_busy = clock::now().since(committed_at) < COMMIT_DELAY;
            let drained = self.queue.drain(&GroupCommit {
                idle_timeout: if is_maintenance_due { MAINTENANCE_PAUSE } else { ALIVE_INTERVAL },
                delay: if was_busy { COMMIT_DELAY } else { COMMIT_DELAY_AFTER_IDLE },
                max_rows: COMMIT_ROWS,
            });
            let is_due = clock::now().since(committed_at) >= ALIVE_INTERVAL;
            let SplitBatches { rows, flushes, notes, deliveries } = split(drained.batches);
            if !rows.is_empty() || is_due || drained.is_last {
                self.write(rows);
                committed_at = clock::now();
            }
            reply_to_all(flushes);
            self.write_notes(notes);
            self.deliveries.extend(deliveries);
            self.write_deliveries();
            if drained.is_last {
                break;
            }
            self.write_back();
            is_maintenance_due = self.maintain();
        }
        self.close();
    }

    /// Writes a group, however long that takes; gives up only when the queue is closed meanwhile. What
    /// was judged is spilled, so that it survives whatever comes.
    fn write(&mut self, mut batches: Vec<HistoryRows>) {
        let (mut is_paused, mut released) = (false, 0);
        loop {
            match self.try_write(&batches) {
                Ok(CommittedWork { highest, duplicates }) => {
                    if is_paused {
                        (self.shared.notify)(StoreEvent::HistoryResumed);
                    }
                    self.release_notices(&batches, Durability::Stored);
                    if let Some(ticket) = highest {
                        let stored = StoreEvent::HistoryStored { ticket, known: duplicates };
                        (self.shared.notify)(stored);
                    }
                    return;
                }
                Err(error) => {
                    disk::abort_if_sync_failed(&error, &self.path);
                    if disk::classify(&error) == SqliteFault::Corrupt && self.replace(&error) {
                        continue;
                    }
                    if !std::mem::replace(&mut is_paused, true) {
                        let why = disk::failure_message("write history to", &self.path, &error);
                        (self.shared.notify)(StoreEvent::HistoryPaused { why });
                    }
                }
            }
            // Nobody is told later because the disk is full.
            self.release_notices(&batches[released..], Durability::Unstored);
            let is_spilled = self.spill(&mut batches);
            released = batches.len();
            if self.queue.wait_closed(RETRY_INTERVAL) {
                self.give_up(batches);
                return;
            }
            if is_spilled {
                // Further rows are no safer in memory.
                let SplitBatches { rows, flushes, notes, deliveries } =
                    split(self.queue.drain(&DRAIN_AT_ONCE).batches);
                batches.extend(rows);
                self.deliveries.extend(deliveries);
                // While history is paused there is nothing to wait for.
                reply_to_all(flushes);
                for (_, reply_to) in notes {
                    let _ = reply_to.send(Err(NoteError::Write("history is paused".into())));
                }
            }
        }
    }

    /// Has the notices of batches sent.
    fn release_notices(&self, batches: &[HistoryRows], durability: Durability) {
        let events: Vec<OutboxEvent> = batches
            .iter()
            .flat_map(|(rows, anchor)| rows.iter().map(|row| (row, *anchor)))
            .filter_map(|(row, anchor)| match row {
                HistoryDbRow::Notice(notice) => Some(OutboxEvent::Notice(Box::new(OutboxNotice {
                    notice: notice_message(notice, anchor),
                    sinks: notice.sinks.clone(),
                    is_stored: durability == Durability::Stored,
                    is_repeat: false,
                }))),
                HistoryDbRow::Incident(incident) => Some(OutboxEvent::Incident {
                    id: incident.id,
                    is_silenced: incident.is_silenced,
                    is_over: incident.ended.is_some(),
                }),
                _ => None,
            })
            .collect();
        if !events.is_empty() {
            (self.shared.release)(events);
        }
    }

    /// Writes how far notices have come. What the disk refuses is tried again with what comes next.
    fn write_deliveries(&mut self) {
        if self.deliveries.is_empty() {
            return;
        }
        let rows = self.deliveries.iter().flat_map(|(rows, _)| rows.iter().cloned()).collect();
        let rows: Vec<DeliveryRow> = rows;
        let written =
            self.ensure_in_place().and_then(|()| outbox::write_deliveries(&mut self.conn, &rows));
        match written {
            Ok(()) => {
                for (_, stored) in self.deliveries.drain(..) {
                    // Whoever waits too long goes on without it.
                    let _ = stored.try_send(());
                }
            }
            Err(error) => {
                disk::abort_if_sync_failed(&error, &self.path);
                tracing::debug!(%error, "how far notices have come can't be stored");
                let excess = self.deliveries.len().saturating_sub(DELIVERIES_MAX);
                self.deliveries.drain(..excess);
            }
        }
    }

    /// Writes notes, each in a transaction of its own: an operator waits for it.
    fn write_notes(&mut self, notes: Vec<NoteWrite>) {
        for (new, reply_to) in notes {
            // Whoever gave up waiting was told so, and may write it again.
            if reply_to.is_closed() {
                continue;
            }
            let written = self.ensure_in_place().and_then(|()| note::write(&self.conn, &new));
            let _ = reply_to.send(match written {
                Ok(true) => Ok(()),
                Ok(false) => Err(NoteError::UnknownOutage(new.outage)),
                Err(error) => {
                    disk::abort_if_sync_failed(&error, &self.path);
                    let why = disk::failure_message("write history to", &self.path, &error);
                    Err(NoteError::Write(why))
                }
            });
        }
    }

    fn try_write(&mut self, batches: &[HistoryRows]) -> rusqlite::Result<CommittedWork> {
        if !self.has_room() {
            return Err(failure(ffi::SQLITE_FULL));
        }
        self.ensure_in_place()?;
        self.merge_spill()?;
        let rows = batches.iter().flat_map(|(rows, anchor)| rows.iter().map(|row| (row, *anchor)));
        let alive = self.alive_moment();
        let context = CommitContext { alive, numbers: &self.shared.numbers };
        let begun = clock::now();
        let committed = commit(&mut self.conn, rows, &context)?;
        self.shared.pulse.history_committed(clock::now().since(begun));
        Ok(committed)
    }

    fn alive_moment(&self) -> AliveMoment {
        let (now, wall_ms) = (clock::now(), clock::wall_ms());
        self.shared.retention_clock.alive_moment(self.boot_id, now, wall_ms)
    }

    /// Adds what was spilled, before anything that is newer. A damaged spill is set aside.
    fn merge_spill(&mut self) -> rusqlite::Result<()> {
        let Err(error) = self.spill.merge_into(&mut self.conn) else { return Ok(()) };
        if disk::classify(&error) != SqliteFault::Corrupt {
            return Err(error);
        }
        let aside = self.spill.set_aside().map_err(|_| failure(ffi::SQLITE_CANTOPEN))?;
        tracing::error!("what history.db had not taken is damaged, and is now {}", aside.display());
        Ok(())
    }

    /// Spills the rows of a group that are not work; returns whether that was done.
    fn spill(&mut self, batches: &mut Vec<HistoryRows>) -> bool {
        let rows: Vec<_> = batches
            .iter()
            .flat_map(|(rows, anchor)| rows.iter().map(|row| (row.clone(), *anchor)))
            .filter(|(row, _)| !is_work(row))
            .collect();
        if let Err(error) = self.spill.add(&rows, self.alive_moment()) {
            tracing::debug!(%error, "what history.db does not take can't be spilled");
            return false;
        }
        for (rows, _) in &mut *batches {
            rows.retain(is_work);
        }
        batches.retain(|(rows, _)| !rows.is_empty());
        true
    }

    /// Makes a last attempt before the collector ends.
    fn give_up(&mut self, mut batches: Vec<HistoryRows>) {
        let Err(error) = self.try_write(&batches) else { return };
        if self.spill(&mut batches) {
            tracing::warn!("history.db takes at the next start what it does not take now: {error}");
        } else {
            tracing::error!(%error, "the last rows of history are lost");
        }
    }

    /// Returns whether the disk has more free space than the reserve of `control.db`.
    fn has_room(&self) -> bool {
        self.path.parent().is_none_or(disk::has_room)
    }

    /// Folds and prunes one chunk; returns whether there may be more.
    fn maintain(&mut self) -> bool {
        if !self.has_room() {
            return false;
        }
        self.check_backlog();
        let now_ms = self.shared.retention_clock.now_ms(clock::now(), clock::wall_ms());
        let retention = &self.shared.retention;
        let done = checkpoint::step(&mut self.conn, now_ms)
            .and_then(|()| fold::step(&mut self.conn, now_ms))
            .and_then(|more| Ok(more || state_day::step(&mut self.conn, now_ms)?));
        let done = done.and_then(|more| Ok(more | prune::step(&mut self.conn, retention, now_ms)?));
        let done = done.and_then(|more| Ok(more | self.make_room(now_ms)?));
        done.unwrap_or_else(|error| {
            disk::abort_if_sync_failed(&error, &self.path);
            tracing::debug!(%error, "history could not be folded and pruned");
            false
        })
    }

    /// Removes rows before their time while the disk is nearly full; returns whether there may be more to do.
    fn make_room(&mut self, now_ms: i64) -> rusqlite::Result<bool> {
        let Some(wanted_bytes) = self.path.parent().and_then(disk::find_shortage) else {
            if std::mem::take(&mut self.is_making_room) {
                (self.shared.notify)(StoreEvent::Condition { about: ROOM, sentence: None });
            }
            return Ok(false);
        };
        let step = room::step(&mut self.conn, now_ms, wanted_bytes)?;
        // What was written into the log takes space of its own until it is in the file.
        wal::checkpoint(&self.conn)?;
        if step == RoomStep::Removed && !std::mem::replace(&mut self.is_making_room, true) {
            let sentence = format!(
                "the disk of {} is nearly full: history removes its oldest records before their time; \
                 free some space, or keep less ([retention])",
                self.path.display()
            );
            (self.shared.notify)(StoreEvent::Condition { about: ROOM, sentence: Some(sentence) });
        }
        Ok(step == RoomStep::Removed)
    }

    /// Writes a long WAL back, now that nobody waits.
    fn write_back(&mut self) {
        if let Err(error) = self.deferred.run_if_due(&self.conn) {
            disk::abort_if_sync_failed(&error, &self.path);
            tracing::debug!(%error, "history.db-wal could not be written back");
        }
    }

    fn check_backlog(&mut self) {
        match self.backlog.check(&self.conn, &self.path, clock::now()) {
            Ok(Some(sentence)) => {
                (self.shared.notify)(StoreEvent::Condition { about: BACKLOG, sentence });
            }
            Ok(None) => {}
            Err(error) => {
                disk::abort_if_sync_failed(&error, &self.path);
                tracing::debug!(%error, "history.db-wal could not be written back");
            }
        }
    }

    fn close(self) {
        if self.files.fault().is_some() {
            // Closing it would remove the WAL of the file that is there now.
            std::mem::forget(self.conn);
            return;
        }
        let closed = open::set_clean(&self.conn, true)
            .and_then(|_| self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
        if let Err(error) = closed {
            tracing::warn!(%error, "history.db was not left in order; the next start checks it");
        }
    }
}

/// Whether what is released is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Durability {
    Stored,
    /// History is paused.
    Unstored,
}

/// What can be queued for again at any time.
fn is_work(row: &HistoryDbRow) -> bool {
    matches!(row, HistoryDbRow::Work(_))
}

/// Batches by what is done with them.
#[derive(Default)]
struct SplitBatches {
    rows: Vec<HistoryRows>,
    flushes: Vec<oneshot::Sender<()>>,
    notes: Vec<NoteWrite>,
    deliveries: Vec<DeliveryWrite>,
}

fn split(batches: Vec<HistoryBatch>) -> SplitBatches {
    let mut split = SplitBatches::default();
    for batch in batches {
        match batch {
            HistoryBatch::Rows(batch) => split.rows.push(batch),
            HistoryBatch::Flush(reply_to) => split.flushes.push(reply_to),
            HistoryBatch::Note(note) => split.notes.push(note),
            HistoryBatch::Deliveries(write) => split.deliveries.push(write),
        }
    }
    split
}

fn reply_to_all(flushes: Vec<oneshot::Sender<()>>) {
    for reply_to in flushes {
        // Whoever asked may have gone.
        let _ = reply_to.send(());
    }
}
