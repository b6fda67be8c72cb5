//! What the store tells the driver.

use heartline_fleet::WriteTicket;
use heartline_operator::message::CommandOutcome;

/// One thing that a writer thread has to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreEvent {
    /// `history.db` has all work up to this ticket.
    HistoryStored {
        /// The highest ticket of the commit.
        ticket: WriteTicket,
        /// Those of the commit whose segment was on disk from before: they were not counted again.
        known: Vec<WriteTicket>,
    },
    /// History can't be written, and why: a sentence for a banner. Nothing of it is lost or
    /// acknowledged; it is tried again every second.
    HistoryPaused {
        /// What was attempted, and what to do.
        why: String,
    },
    /// History is written again.
    HistoryResumed,
    /// `history.db` was found damaged while running, was set aside, and a new one begun.
    HistorySetAside {
        /// A sentence for a banner.
        why: String,
    },
    /// `control.db` has the command of this ticket.
    Persisted {
        /// Its ticket.
        ticket: WriteTicket,
    },
    /// The command's number was known: nothing was written, and it is to be answered as before.
    Duplicate {
        /// WriteTicket of the repetition.
        ticket: WriteTicket,
        /// What became of the first one.
        outcome: CommandOutcome,
    },
    /// The command could not be stored, so it was not given: nobody may be told otherwise.
    CommandFailed {
        /// Its ticket.
        ticket: WriteTicket,
        /// What was attempted, and what to do.
        why: String,
    },
    /// New agents and profiles can't be written to `control.db`, and why; tried again every second.
    ControlPaused {
        /// What was attempted, and what to do.
        why: String,
    },
    /// `control.db` is written again.
    ControlResumed,
}

/// Called by the writer threads, which wait for it: it must only hand the event on.
pub type Notify = std::sync::Arc<dyn Fn(StoreEvent) + Send + Sync>;
