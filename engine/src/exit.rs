//! The end of a process that a supervisor reports.

use heartline_protocol::limits::LAST_LINES_MAX;
use heartline_vocabulary::ExitStatus;

/// The end of a process, as its supervisor reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessExit {
    /// How it ended.
    pub status: ExitStatus,
    /// The last lines of its standard error, oldest first; the last 5 are sent.
    pub last_lines: Vec<String>,
}

/// The report of an exit, and how far it has come.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExitReportState {
    exit: Option<ProcessExit>,
    /// Sequence of the first message that carried it.
    first_sequence: Option<u64>,
    is_acknowledged: bool,
}

impl ExitReportState {
    pub(crate) fn new(mut exit: ProcessExit) -> Self {
        let surplus = exit.last_lines.len().saturating_sub(LAST_LINES_MAX as usize);
        exit.last_lines.drain(..surplus);
        Self { exit: Some(exit), ..Self::default() }
    }

    /// Has the exit reported anew, in another session.
    pub(crate) fn begin_session(&mut self) {
        (self.first_sequence, self.is_acknowledged) = (None, false);
    }

    /// Returns whether there is a report that is not acknowledged.
    pub(crate) fn is_pending(&self) -> bool {
        self.exit.is_some() && !self.is_acknowledged
    }

    /// Returns whether there is a report that was never sent.
    pub(crate) fn is_unsent(&self) -> bool {
        self.exit.is_some() && self.first_sequence.is_none()
    }

    /// Returns whether there is a report that is acknowledged.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.is_acknowledged
    }

    /// Returns whether there is a report, of a process that ended without a fault.
    pub(crate) fn is_clean(&self) -> bool {
        self.exit.as_ref().is_some_and(|exit| exit.status.is_success())
    }

    /// Returns the exit; none was reported: that of a process of which nothing is known.
    pub(crate) fn report(&self) -> ProcessExit {
        self.exit.clone().unwrap_or_default()
    }

    pub(crate) fn record_sent(&mut self, sequence: u64) {
        self.first_sequence.get_or_insert(sequence);
    }

    /// Takes the ack of a live message.
    pub(crate) fn acknowledge(&mut self, sequence: u64) {
        self.is_acknowledged |= self.first_sequence.is_some_and(|first| sequence >= first);
    }
}
