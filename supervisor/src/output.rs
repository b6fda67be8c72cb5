//! What the program writes, where that is watched: it is handed on as it is.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::event::RunEvent;

/// Lines and bytes of a line that are kept.
const LINES: usize = 5;
const LINE_MAX: usize = 128;

/// The last lines of a stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastLines(Arc<Mutex<LineBuffer>>);

#[derive(Debug, Default)]
struct LineBuffer {
    lines: VecDeque<Vec<u8>>,
    is_open: bool,
}

impl LastLines {
    fn push(&self, bytes: &[u8]) {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for &byte in bytes {
            buffer.push(byte);
        }
    }

    /// Returns the lines, oldest first, without empty ones.
    pub(crate) fn get(&self) -> Vec<String> {
        let buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = buffer.lines.iter().map(|line| String::from_utf8_lossy(line).into_owned());
        lines.filter(|line| !line.trim().is_empty()).collect()
    }
}

impl LineBuffer {
    fn push(&mut self, byte: u8) {
        if byte == b'\n' || byte == b'\r' {
            self.is_open = false;
            return;
        }
        if !self.is_open {
            self.is_open = true;
            // An empty line takes no place.
            self.lines.push_back(Vec::new());
            if self.lines.len() > LINES {
                self.lines.pop_front();
            }
        }
        if let Some(line) = self.lines.back_mut()
            && line.len() < LINE_MAX
        {
            line.push(byte);
        }
    }
}

/// Tells the loop of output, once until it has heard of that.
#[derive(Clone)]
pub(crate) struct OutputNotifier {
    events: Sender<RunEvent>,
    is_told: Arc<AtomicBool>,
}

impl OutputNotifier {
    pub(crate) fn new(events: Sender<RunEvent>) -> Self {
        Self { events, is_told: Arc::default() }
    }

    fn notify(&self) {
        if !self.is_told.swap(true, Ordering::AcqRel) {
            // The loop ends before this thread does: nobody waits for it any more.
            let _ = self.events.send(RunEvent::Output);
        }
    }

    /// Has the next output told again.
    pub(crate) fn rearm(&self) {
        self.is_told.store(false, Ordering::Release);
    }
}

/// Hands on what comes from `from`, on a thread of its own, until it ends. Where `to` takes no more,
/// as a closed pipe, the program is to find that out itself: its own end is closed. `done` is dropped
/// at the end.
pub(crate) fn hand_on(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    lines: Option<LastLines>,
    notifier: Option<OutputNotifier>,
    done: Sender<()>,
) -> io::Result<()> {
    let spawned = thread::Builder::new().name("output".to_owned()).spawn(move || {
        let _done = done;
        let mut buffer = [0; 16 * 1_024];
        loop {
            let len = match from.read(&mut buffer) {
                Ok(0) => return,
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            if let Some(lines) = &lines {
                lines.push(&buffer[..len]);
            }
            if let Some(notifier) = &notifier {
                notifier.notify();
            }
            if to.write_all(&buffer[..len]).and_then(|()| to.flush()).is_err() {
                return;
            }
        }
    });
    spawned.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_long_ones_cut() {
        let lines = LastLines::default();
        for line in 0..8 {
            lines.push(format!("line {line}\r\n\n").as_bytes());
        }
        lines.push(&[b'x'; 1_000]);
        let kept = lines.get();
        assert_eq!(kept[..4], ["line 4", "line 5", "line 6", "line 7"]);
        assert_eq!(kept[4].len(), LINE_MAX);
    }

    #[test]
    fn what_is_written_in_pieces_is_one_line() {
        let lines = LastLines::default();
        lines.push(b"Memory");
        lines.push(b"Error: \xff\n  \n");
        assert_eq!(lines.get(), ["MemoryError: \u{fffd}"]);
    }
}
