//! Which answer goes to whom on one connection.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::error::ClientError;
use crate::message::Reply;

/// Most questions without an answer at a time.
const UNDER_WAY: usize = 256;

/// Who waits for the answers to one question.
pub(super) enum ReplySender {
    /// One answer.
    Once(oneshot::Sender<Reply>),
    /// Answers until the waiter goes away: pages, news.
    Many(mpsc::Sender<Reply>),
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// The stream ended or broke.
    Cut(String),
    /// A frame came whole and means nothing to this version.
    Unreadable,
    /// One of the two sides ended it, and said why.
    Said(String),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(why) | Self::Said(why) => f.write_str(why),
            Self::Unreadable => f.write_str("it sent a message that this version does not know"),
        }
    }
}

/// Everybody who waits on one connection.
#[derive(Default)]
pub(super) struct PendingRequests(Mutex<PendingRequestTable>);

#[derive(Default)]
struct PendingRequestTable {
    last_id: u32,
    waiters: HashMap<u32, ReplySender>,
    ending: Option<CloseReason>,
}

impl PendingRequests {
    /// Gives a question its number.
    pub(super) fn register(&self, waiter: ReplySender) -> Result<u32, ClientError> {
        let mut table = self.lock();
        if let Some(ending) = &table.ending {
            return Err(ClientError::Closed { why: ending.to_string() });
        }
        if table.waiters.len() >= UNDER_WAY {
            return Err(ClientError::Busy { limit: UNDER_WAY });
        }
        // 0 means "nobody asked", and a number still waited for must not be given twice.
        let mut id = table.last_id.wrapping_add(1);
        while id == 0 || table.waiters.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        table.last_id = id;
        table.waiters.insert(id, waiter);
        Ok(id)
    }

    /// Nobody waits any more for answers to this question.
    pub(super) fn forget(&self, id: u32) {
        self.lock().waiters.remove(&id);
    }

    /// Hands an answer to its waiter. For one that takes many, hands back both when its queue has
    /// no room: the caller decides how long to wait. Answers that nobody waits for are dropped:
    /// their question has timed out.
    pub(super) fn deliver(&self, id: u32, reply: Reply) -> Option<(mpsc::Sender<Reply>, Reply)> {
        let mut table = self.lock();
        let ReplySender::Many(sender) = table.waiters.get(&id)? else {
            if let Some(ReplySender::Once(sender)) = table.waiters.remove(&id) {
                let _gone = sender.send(reply);
            }
            return None;
        };
        match sender.try_send(reply) {
            Ok(()) => None,
            Err(mpsc::error::TrySendError::Full(reply)) => Some((sender.clone(), reply)),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                table.waiters.remove(&id);
                None
            }
        }
    }

    /// Ends every wait, and every one to come. The first ending stays.
    pub(super) fn close(&self, ending: CloseReason) {
        let mut table = self.lock();
        table.ending.get_or_insert(ending);
        table.waiters.clear();
    }

    /// How the connection ended, if it has.
    pub(super) fn ending(&self) -> Option<CloseReason> {
        self.lock().ending.clone()
    }

    fn lock(&self) -> MutexGuard<'_, PendingRequestTable> {
        // Every change of the table is a single step, so a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
