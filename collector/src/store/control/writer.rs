//! The thread that writes `control.db`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use heartline_fleet::ControlDbRow;
use heartline_operator::message::CommandOutcome;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{agents, command, command::NewCommand, token};
use crate::clock::{self, Anchor};
use crate::store::config::TokenChange;
use crate::store::notice::{Notify, StoreEvent};
use crate::store::queue::{Queue, Window};
use crate::store::{copy, disk, file};

/// What the writer is handed.
pub(crate) enum Parcel {
    /// Rows, labelled by this anchor.
    Rows(Vec<ControlDbRow>, Anchor),
    /// A change of tokens, and whom to tell when it is stored or could not be.
    Token(TokenChange, TokenDone),
}

/// Told once, from the writer thread: the failure is a sentence for an operator.
pub(crate) type TokenDone = Box<dyn FnOnce(Result<(), String>) + Send>;

/// New agents and profiles wait so long for each other.
const GROUP: Duration = Duration::from_millis(50);
/// Rows of one transaction, about.
const ROWS: usize = 1_000;
/// Rows that could not be written are tried again this often; also how often an idle writer looks
/// whether a new day has begun.
const RETRY: Duration = Duration::from_secs(1);

/// The thread that writes `control.db`.
///
/// A command's transaction holds every row that was handed in before it, so that an order can never
/// be on disk without the agent it is for. Rows that no command follows wait for each other.
pub(crate) struct Writer {
    pub(crate) conn: Connection,
    pub(crate) path: PathBuf,
    pub(crate) queue: Arc<Queue<Parcel>>,
    pub(crate) notify: Notify,
}

/// Rows that nobody waits for, not yet written.
type Backlog = Vec<(ControlDbRow, Anchor)>;

/// What somebody waits for.
enum Demand {
    Command(NewCommand, Anchor),
    Token(TokenChange, TokenDone),
}

impl Writer {
    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let window = Window { idle: RETRY, group: GROUP, rows: ROWS };
        let (mut backlog, mut paused, mut copier) = (Backlog::new(), false, Copier::default());
        loop {
            let taken = self.queue.take(&window);
            for parcel in taken.parcels {
                self.receive(parcel, &mut backlog, &mut paused);
            }
            self.flush(&mut backlog, &mut paused);
            if taken.is_last {
                break;
            }
            copier.look(&self.path, clock::wall_ms());
            if paused {
                self.queue.closes_within(RETRY.min(GROUP));
            }
        }
        if !backlog.is_empty() {
            tracing::error!(rows = backlog.len(), "new agents and profiles could not be stored");
        }
        copier.finish();
    }

    fn receive(&mut self, parcel: Parcel, backlog: &mut Backlog, paused: &mut bool) {
        match parcel {
            Parcel::Token(change, done) => {
                self.meet(Demand::Token(change, done), backlog, paused);
            }
            Parcel::Rows(rows, anchor) => {
                for row in rows {
                    match into_command(row) {
                        Ok(command) => self.meet(Demand::Command(command, anchor), backlog, paused),
                        Err(row) => backlog.push((row, anchor)),
                    }
                }
            }
        }
    }

    /// Does what somebody waits for, in one transaction with the backlog before it.
    fn meet(&mut self, demand: Demand, backlog: &mut Backlog, paused: &mut bool) {
        let written = transact(&mut self.conn, backlog, |tx| match &demand {
            Demand::Command(command, anchor) => command::write(tx, command, *anchor),
            Demand::Token(change, _) => token::write(tx, change).map(|()| None),
        });
        self.note(&written, backlog, paused);
        self.report(demand, written);
    }

    fn flush(&mut self, backlog: &mut Backlog, paused: &mut bool) {
        if !backlog.is_empty() {
            let written = transact(&mut self.conn, backlog, |_| Ok(()));
            self.note(&written, backlog, paused);
        }
    }

    /// Takes note of how a transaction went: for the backlog, and for operators.
    fn note<T>(&self, written: &rusqlite::Result<T>, backlog: &mut Backlog, paused: &mut bool) {
        match written {
            Ok(_) => {
                backlog.clear();
                if std::mem::take(paused) {
                    (self.notify)(StoreEvent::ControlResumed);
                }
            }
            Err(error) => {
                disk::end_if_unsynced(error, &self.path);
                if !backlog.is_empty() && !std::mem::replace(paused, true) {
                    let why = disk::sentence("write new agents to", &self.path, error);
                    (self.notify)(StoreEvent::ControlPaused { why });
                }
            }
        }
    }

    fn report(&self, demand: Demand, written: rusqlite::Result<Option<CommandOutcome>>) {
        match demand {
            Demand::Command(command, _) => {
                let ticket = command.ticket;
                (self.notify)(match written {
                    Ok(None) => StoreEvent::Persisted { ticket },
                    Ok(Some(outcome)) => StoreEvent::Duplicate { ticket, outcome },
                    Err(error) => {
                        let why = disk::sentence("store the command in", &self.path, &error);
                        StoreEvent::CommandFailed { ticket, why }
                    }
                });
            }
            Demand::Token(_, done) => done(written.map(|_| ()).map_err(|error| {
                disk::sentence("store the change of tokens in", &self.path, &error)
            })),
        }
    }
}

fn transact<T>(
    conn: &mut Connection,
    backlog: &Backlog,
    then: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (row, anchor) in backlog {
        agents::write(&tx, row, *anchor)?;
    }
    let result = then(&tx)?;
    tx.commit()?;
    Ok(result)
}

/// The command that a row is, or the row.
fn into_command(row: ControlDbRow) -> Result<NewCommand, ControlDbRow> {
    match row {
        ControlDbRow::Command { ticket, request_id, at, action, cause, by, reason, targets } => {
            Ok(NewCommand { ticket, request_id, at, action, cause, by, reason, targets })
        }
        other => Err(other),
    }
}

/// Sees to the daily copy, on a thread of its own: no command waits for it.
#[derive(Default)]
struct Copier {
    /// The day of the last attempt.
    day: String,
    at_work: Option<std::thread::JoinHandle<()>>,
}

impl Copier {
    fn look(&mut self, database: &Path, now_ms: i64) {
        let today = file::stamp(now_ms)[..8].to_owned();
        if today == self.day {
            return;
        }
        self.finish();
        let copy = copy::daily_path(database, &today);
        self.day = today;
        if copy.exists() {
            return;
        }
        let database = database.to_owned();
        let work = move || {
            if let Err(error) = copy::make(&database, &copy) {
                tracing::warn!(%error, "the daily copy failed; the next one is due tomorrow");
            }
        };
        match std::thread::Builder::new().name("control-copy".into()).spawn(work) {
            Ok(thread) => self.at_work = Some(thread),
            Err(error) => tracing::warn!(%error, "can't start the thread of the daily copy"),
        }
    }

    fn finish(&mut self) {
        if let Some(Err(_)) = self.at_work.take().map(std::thread::JoinHandle::join) {
            tracing::error!("the thread of the daily copy panicked");
        }
    }
}
