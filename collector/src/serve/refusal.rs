//! Connections that are not served: closed at once, counted, and logged once a second for a cause.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use heartline_fleet::MonoTime;
use heartline_operator::frame;
use heartline_operator::message::{ErrorCode, Reply, ServerFrame};
use heartline_vocabulary::ConnectionCounters;
use tokio::net::UnixStream;

use crate::clock;

/// Shortest time between two lines of the log for one cause.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// Why a connection was not served, or not any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalCause {
    /// Its user could not be found out.
    Unidentified,
    NotAllowed,
    NoPlace,
    NoGreeting,
    Evicted,
    /// It could not be accepted.
    NotAccepted,
}

/// The counters of connections, for the collector's status.
#[derive(Debug, Default)]
pub struct ConnectionCounterCells {
    served: AtomicU64,
    unidentified: AtomicU64,
    not_allowed: AtomicU64,
    no_place: AtomicU64,
    no_greeting: AtomicU64,
    evicted: AtomicU64,
}

impl ConnectionCounterCells {
    /// Returns their values.
    pub fn read(&self) -> ConnectionCounters {
        let read = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        ConnectionCounters {
            served: read(&self.served),
            unidentified: read(&self.unidentified),
            not_allowed: read(&self.not_allowed),
            no_place: read(&self.no_place),
            no_greeting: read(&self.no_greeting),
            evicted: read(&self.evicted),
        }
    }
}

/// Counts and logs connections. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ConnectionLog {
    counters: Arc<ConnectionCounterCells>,
    lines: Arc<Mutex<BTreeMap<RefusalCause, LoggedCause>>>,
}

#[derive(Debug)]
struct LoggedCause {
    at: MonoTime,
    /// Refusals since, which are not in the log.
    unlogged: u64,
}

impl ConnectionLog {
    /// Creates a log that counts in these cells.
    pub fn new(counters: Arc<ConnectionCounterCells>) -> Self {
        Self { counters, lines: Arc::default() }
    }

    /// Counts a connection that is served.
    pub fn record_served(&self) {
        self.counters.served.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts and logs a connection that is closed.
    pub fn record(&self, cause: RefusalCause, why: &str) {
        let cell = match cause {
            RefusalCause::Unidentified => &self.counters.unidentified,
            RefusalCause::NotAllowed => &self.counters.not_allowed,
            RefusalCause::NoPlace | RefusalCause::NotAccepted => &self.counters.no_place,
            RefusalCause::NoGreeting => &self.counters.no_greeting,
            RefusalCause::Evicted => &self.counters.evicted,
        };
        cell.fetch_add(1, Ordering::Relaxed);
        if let Some(unlogged) = self.is_due(cause, clock::now()) {
            let more = match unlogged {
                0 => String::new(),
                more => format!(" (and {more} more since the last line)"),
            };
            tracing::warn!("closed an operator's connection: {why}{more}");
        }
    }

    /// Returns the number of refusals since the last line if another one is due.
    fn is_due(&self, cause: RefusalCause, now: MonoTime) -> Option<u64> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        match lines.get_mut(&cause) {
            Some(line) if now.since(line.at) < LOG_EVERY => {
                line.unlogged += 1;
                None
            }
            Some(line) => {
                line.at = now;
                Some(std::mem::take(&mut line.unlogged))
            }
            None => {
                lines.insert(cause, LoggedCause { at: now, unlogged: 0 });
                Some(0)
            }
        }
    }
}

/// Tells a peer why its connection is closed, without waiting for it: the buffer of a new socket
/// has room for one frame. Closes the connection.
pub fn refuse(stream: &UnixStream, code: ErrorCode, message: String) {
    let reply = Reply::Error { code, message };
    if let Ok(bytes) = frame::encode(&ServerFrame { id: 0, reply }) {
        let _ = stream.try_write(&bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cause_has_one_line_a_second_which_counts_the_others() {
        let log = ConnectionLog::default();
        let due = |cause, ms: i64| log.is_due(cause, MonoTime::from_nanos(ms * 1_000_000));
        assert_eq!(due(RefusalCause::NotAllowed, 5_000), Some(0));
        for ms in 5_001..5_900 {
            assert_eq!(due(RefusalCause::NotAllowed, ms), None);
        }
        assert_eq!(due(RefusalCause::NoPlace, 5_900), Some(0), "another cause");
        assert_eq!(due(RefusalCause::NotAllowed, 6_000), Some(899));
    }

    #[test]
    fn all_are_counted() {
        let log = ConnectionLog::default();
        log.record_served();
        for _ in 0..3 {
            log.record(RefusalCause::NotAllowed, "nobody");
        }
        log.record(RefusalCause::NoGreeting, "silent");
        let counters = log.counters.read();
        assert_eq!((counters.served, counters.not_allowed, counters.no_greeting), (1, 3, 1));
    }
}
