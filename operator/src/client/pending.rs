//! The requests of one connection that wait for replies.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::error::ClientError;
use crate::message::{ErrorCode, Reply};

/// Most requests in flight.
const IN_FLIGHT_MAX: usize = 256;

/// Where the replies to one request go.
pub(super) enum ReplySender {
    One {
        sender: oneshot::Sender<Reply>,
        /// The parts that came so far of a reply that is too long for one frame.
        parts: Option<Reply>,
    },
    /// Pages and deltas, until the receiver is dropped.
    Many(mpsc::Sender<Reply>),
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// The stream ended or broke.
    Transport(String),
    /// A frame is no message of this version.
    Undecodable,
    /// One of the two sides closed it, and gave this reason.
    Closed(String),
    /// The collector does not serve this connection.
    Refused(ErrorCode, String),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(why) | Self::Closed(why) | Self::Refused(_, why) => f.write_str(why),
            Self::Undecodable => f.write_str("it sent a message that this version does not know"),
        }
    }
}

/// The requests of one connection that wait for replies, by id.
#[derive(Default)]
pub(super) struct PendingRequests(Mutex<PendingRequestTable>);

#[derive(Default)]
struct PendingRequestTable {
    last_id: u32,
    senders: HashMap<u32, ReplySender>,
    close_reason: Option<CloseReason>,
}

impl PendingRequests {
    /// Adds a request and returns its id.
    pub(super) fn register(&self, sender: ReplySender) -> Result<u32, ClientError> {
        let mut table = self.lock();
        if let Some(reason) = &table.close_reason {
            return Err(ClientError::Closed { why: reason.to_string() });
        }
        if table.senders.len() >= IN_FLIGHT_MAX {
            return Err(ClientError::Busy { limit: IN_FLIGHT_MAX });
        }
        // 0 stands for "not requested", and the id of a pending request must not be used twice.
        let mut id = table.last_id.wrapping_add(1);
        while id == 0 || table.senders.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        table.last_id = id;
        table.senders.insert(id, sender);
        Ok(id)
    }

    pub(super) fn remove(&self, id: u32) {
        self.lock().senders.remove(&id);
    }

    /// Sends a reply to its receiver. Returns it with its sender when the queue of one that takes
    /// many is full: the caller decides how long to wait. Replies to removed requests are dropped.
    pub(super) fn deliver(&self, id: u32, reply: Reply) -> Option<(mpsc::Sender<Reply>, Reply)> {
        let mut table = self.lock();
        let sender = match table.senders.get_mut(&id)? {
            ReplySender::Many(sender) => sender,
            ReplySender::One { parts, .. } => {
                let is_part = matches!(reply, Reply::Part(_));
                if let Some(whole) = with_parts(parts.take(), reply) {
                    if is_part {
                        *parts = Some(whole);
                    } else if let Some(ReplySender::One { sender, .. }) = table.senders.remove(&id)
                    {
                        let _dropped = sender.send(whole);
                    }
                }
                return None;
            }
        };
        match sender.try_send(reply) {
            Ok(()) => None,
            Err(mpsc::error::TrySendError::Full(reply)) => Some((sender.clone(), reply)),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                table.senders.remove(&id);
                None
            }
        }
    }

    /// Ends all requests, and refuses further ones. The first reason stays.
    pub(super) fn close(&self, reason: CloseReason) {
        let mut table = self.lock();
        table.close_reason.get_or_insert(reason);
        table.senders.clear();
    }

    pub(super) fn close_reason(&self) -> Option<CloseReason> {
        self.lock().close_reason.clone()
    }

    fn lock(&self) -> MutexGuard<'_, PendingRequestTable> {
        // Every change of the table is a single step, so a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds a reply, or a part of one, to the parts before it. `None` when they do not belong together.
fn with_parts(before: Option<Reply>, reply: Reply) -> Option<Reply> {
    let reply = match reply {
        Reply::Part(part) => *part,
        reply => reply,
    };
    match before {
        None => Some(reply),
        // An error in the middle of a long reply stands for all of it.
        Some(_) if matches!(reply, Reply::Error { .. }) => Some(reply),
        Some(before) => reply.prepend(before),
    }
}
