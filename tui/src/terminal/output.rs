//! Writing to a terminal that may not read.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{QueueSelector, tcflush};
use tokio::net::unix::pipe::Sender;

use super::TerminalError;

/// How long the last bytes wait for room in a terminal that does not read.
const LAST_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
/// How often they do.
const MAX_WAITS: usize = 3;
/// CAN ends a sequence that was written in part.
const CANCEL: u8 = 0x18;

/// Writes to a terminal as far as it reads, and keeps the rest. Never blocks.
#[derive(Debug)]
pub(crate) struct TerminalOutput {
    /// Of a pipe, whose writer is the only one that tokio has for any file.
    terminal: Sender,
    unwritten: Vec<u8>,
}

impl TerminalOutput {
    /// Returns a writer to a terminal that does not block.
    ///
    /// # Errors
    /// It can't be polled.
    pub(super) fn new(terminal: OwnedFd) -> io::Result<Self> {
        let terminal = Sender::from_owned_fd_unchecked(terminal)?;
        Ok(Self { terminal, unwritten: Vec::new() })
    }

    /// Returns whether the terminal took everything.
    pub(crate) fn is_drained(&self) -> bool {
        self.unwritten.is_empty()
    }

    /// Forgets what the terminal has not taken.
    pub(crate) fn discard(&mut self) {
        self.unwritten.clear();
    }

    /// Writes bytes behind what is still to be written.
    ///
    /// # Errors
    /// The terminal was closed.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), TerminalError> {
        self.unwritten.extend_from_slice(bytes);
        self.write_some().map_err(TerminalError::Gone)
    }

    /// Waits until the terminal took everything. Cancel-safe.
    ///
    /// # Errors
    /// The terminal was closed.
    pub(crate) async fn drain(&mut self) -> Result<(), TerminalError> {
        while !self.unwritten.is_empty() {
            self.terminal.writable().await.map_err(TerminalError::Gone)?;
            self.write_some().map_err(TerminalError::Gone)?;
        }
        Ok(())
    }

    fn write_some(&mut self) -> io::Result<()> {
        while !self.unwritten.is_empty() {
            match self.terminal.try_write(&self.unwritten) {
                Ok(written) => self.unwritten.drain(..written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
        }
        Ok(())
    }
}

/// Writes the last bytes to a terminal: at once when it reads, else in place of what it did not read.
pub(super) fn write_last(terminal: &OwnedFd, bytes: &[u8]) {
    let mut rest = [&[CANCEL], bytes].concat();
    // An error means that the terminal is gone: there is nothing left to write to.
    for _ in 0..MAX_WAITS {
        let Ok(written) = write_some(terminal, &rest) else { return };
        rest.drain(..written);
        if rest.is_empty() {
            return;
        }
        let mut watched = [PollFd::new(terminal, PollFlags::OUT)];
        if !matches!(poll(&mut watched, Some(&LAST_WAIT)), Ok(1)) {
            break;
        }
    }
    let _ = tcflush(terminal, QueueSelector::OFlush);
    let _ = write_some(terminal, &[&[CANCEL], bytes].concat());
}

/// Writes as many bytes as there is room for.
fn write_some(terminal: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    let mut at = 0;
    while at < bytes.len() {
        match rustix::io::write(&terminal, &bytes[at..]) {
            Ok(0) | Err(Errno::AGAIN) => break,
            Ok(written) => at += written,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(at)
}
