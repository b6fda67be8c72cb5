//! What is read from the terminal.

mod parser;
mod sequences;
#[cfg(test)]
mod tests;

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;
use tokio::time::{Instant, sleep_until};

use super::TerminalError;
use crate::keys::KeyChord;

pub use parser::{InputEvent, InputParser};

/// The most bytes that are read at once.
const CHUNK: usize = 4_096;

/// Reads events from a terminal.
#[derive(Debug)]
pub(crate) struct TerminalInput {
    /// Of a pipe, whose reader is the only one that tokio has for any file.
    terminal: Receiver,
    parser: InputParser,
    /// When what is unfinished ends.
    pause_at: Option<Instant>,
}

impl TerminalInput {
    /// Returns a reader of a terminal that does not block.
    ///
    /// # Errors
    /// It can't be polled.
    pub(super) fn new(terminal: OwnedFd, alt_keys: Vec<KeyChord>) -> io::Result<Self> {
        let terminal = Receiver::from_owned_fd_unchecked(terminal)?;
        let parser = InputParser::new(alt_keys);
        Ok(Self { terminal, parser, pause_at: None })
    }

    /// Waits for the next events, which may be none. Cancel-safe.
    ///
    /// # Errors
    /// The terminal was closed.
    pub(crate) async fn read(&mut self) -> Result<Vec<InputEvent>, TerminalError> {
        let has_paused = tokio::select! {
            biased;
            ready = self.terminal.readable() => {
                ready.map_err(TerminalError::Gone)?;
                false
            }
            () = wait_until(self.pause_at) => true,
        };
        let mut bytes = [0; CHUNK];
        match self.terminal.try_read(&mut bytes) {
            // Also after a pause: while this program was busy, the rest may have come.
            Ok(len) => self.advance(&bytes[..len]),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                Err(TerminalError::Gone(error))
            }
            Err(_) if has_paused => {
                self.pause_at = None;
                Ok(self.parser.pause())
            }
            Err(_) => Ok(Vec::new()),
        }
    }

    fn advance(&mut self, bytes: &[u8]) -> Result<Vec<InputEvent>, TerminalError> {
        if bytes.is_empty() {
            return Err(TerminalError::Gone(io::ErrorKind::UnexpectedEof.into()));
        }
        let events = self.parser.advance(bytes);
        let pause = self.parser.pause_ms().map(Duration::from_millis);
        self.pause_at = pause.map(|pause| Instant::now() + pause);
        Ok(events)
    }
}

async fn wait_until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}
