//! Reports of the writer threads to the driver.

use std::sync::Arc;

use super::history::OutboxEvent;
use heartline_fleet::WriteTicket;
use heartline_operator::message::CommandOutcome;

/// A report of a writer thread. `why` is for operators: what was attempted, and what to do.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreEvent {
    /// `history.db` has all work up to the ticket.
    HistoryStored {
        ticket: WriteTicket,
        /// Tickets of segments that had been stored before and were not counted again.
        known: Vec<WriteTicket>,
    },
    /// History can't be written. None of it is lost or acknowledged; it is retried every second.
    HistoryPaused {
        why: String,
    },
    HistoryResumed,
    /// `history.db` was found damaged and was replaced by an empty one.
    HistorySetAside {
        why: String,
    },
    /// `control.db` has the command.
    Persisted {
        ticket: WriteTicket,
    },
    /// The command's request id was known: nothing was written, and the first outcome stands.
    Duplicate {
        ticket: WriteTicket,
        outcome: CommandOutcome,
    },
    /// The command could not be stored, so it is not in force.
    CommandFailed {
        ticket: WriteTicket,
        why: String,
    },
    /// New agents and profiles can't be written to `control.db`; it is tried again every second.
    ControlPaused {
        why: String,
    },
    ControlResumed,
    /// Something is wrong with a file, or no longer.
    Condition {
        /// The file's name.
        about: &'static str,
        /// What is wrong, and what to do; `None`: all is well again.
        sentence: Option<String>,
    },
}

/// Receives the events. Called by the writer threads, which wait for it.
pub type StoreEventSink = Arc<dyn Fn(StoreEvent) + Send + Sync>;

/// Receives what is to be told now: it is on disk, or history is paused and it can't wait for that.
pub type OutboxEventSink = Arc<dyn Fn(Vec<OutboxEvent>) + Send + Sync>;

/// Whom the writer threads report to.
#[derive(Clone)]
pub struct StoreSinks {
    pub notify: StoreEventSink,
    pub release: OutboxEventSink,
}

impl StoreSinks {
    /// Reports to `notify` what is durable, and to nobody what is to be told.
    pub fn without_alerts(notify: StoreEventSink) -> Self {
        Self { notify, release: Arc::new(drop) }
    }
}
