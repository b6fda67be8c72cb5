//! The driver's one ordered queue besides its sockets.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, mpsc};

use heartline_fleet::{CommandRequest, HealthRules};

use heartline_operator::message::{
    AgentEntry, CollectorStatus, CommandOutcome, ErrorCode, VitalsUpdate, WorkWindow,
};
use heartline_vocabulary::AgentRowId;
use heartline_vocabulary::WorkTotals;
use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::oneshot;

use crate::store::{StoreEvent, TokenChange};

/// Where one answer to a letter goes.
pub type ReplyTo<T> = oneshot::Sender<T>;
/// An operator's command is done, or why it is not.
pub type CommandReply = Result<CommandOutcome, (ErrorCode, String)>;

/// What others tell the driver, and ask of it.
pub enum DriverRequest {
    /// News from the disk.
    Store(StoreEvent),
    /// An operator's command.
    Command(CommandRequest, ReplyTo<CommandReply>),
    /// Remove retired agents: who asks, and their ids. Answered with those that were there, or,
    /// when nothing was removed, with what is in the way.
    Forget(Box<str>, Vec<String>, ReplyTo<Result<Vec<String>, String>>),
    /// Part of the fleet.
    Page(PageRequest, ReplyTo<Page>),
    /// What has changed since the last time somebody asked. One asker only.
    News(ReplyTo<News>),
    /// One agent.
    Agent(String, ReplyTo<Option<AgentSnapshot>>),
    /// How the collector is.
    Status(ReplyTo<CollectorStatus>),
    /// What agents worked in the last hour, computed anew.
    Works(Arc<BTreeMap<AgentRowId, WorkWindow>>),
    /// From now on refuse a scope's key of an epoch, or take it again.
    Revoked {
        /// The key epoch.
        epoch: u8,
        /// The scope.
        scope: Box<str>,
        /// Whether it is refused.
        is_revoked: bool,
    },
    /// Store a change of tokens, and tell when it is on disk.
    Token(TokenChange, ReplyTo<Result<(), String>>),
    /// Judge by other rules from now on.
    Rules(HealthRules),
    /// End.
    End,
}

/// Which part of the fleet.
#[derive(Clone, Debug)]
pub enum PageRequest {
    /// Agents from this place on, at most so many.
    From(u32, u32),
    /// The agents of these ids.
    Named(Vec<String>),
}

/// Part of the fleet, as of one turn.
#[derive(Debug)]
pub struct Page {
    /// The driver's turn: pages and news of one turn show the same.
    pub turn: u64,
    /// Its agents.
    pub entries: Vec<AgentEntry>,
    /// How the collector is.
    pub status: CollectorStatus,
    /// Where to go on; `None`: there is no more.
    pub next: Option<u32>,
}

/// What has changed.
#[derive(Debug)]
pub struct News {
    /// The driver's turn.
    pub turn: u64,
    /// How the collector is.
    pub status: CollectorStatus,
    /// Agents that are new, or whose identity is.
    pub entries: Vec<AgentEntry>,
    /// Agents whose vitals have changed.
    pub changed: Vec<Changed>,
    /// Keys of agents that are gone.
    pub removed: Vec<u32>,
}

/// An agent whose vitals have changed.
#[derive(Debug)]
pub struct Changed {
    /// How it is.
    pub change: VitalsUpdate,
    /// Its durable id.
    pub id: AgentRowId,
    /// Its work since it was first seen.
    pub total: WorkTotals,
}

/// One agent, with what a snapshot does not have.
#[derive(Debug)]
pub struct AgentSnapshot {
    /// As in a snapshot.
    pub entry: AgentEntry,
    /// Its durable id.
    pub id: AgentRowId,
    /// When it was first seen.
    pub first_seen_ms: i64,
    /// Where its last live message came from.
    pub address: Option<String>,
    /// The scope and epoch of the key that it uses.
    pub scope: String,
    /// See `scope`.
    pub epoch: u8,
}

/// The writing end: cheap to clone, never blocks.
#[derive(Clone)]
pub struct DriverHandle {
    letters: mpsc::Sender<DriverRequest>,
    wake: Arc<OwnedFd>,
}

/// The reading end, to be waited on together with the sockets.
pub struct DriverInbox {
    letters: mpsc::Receiver<DriverRequest>,
    wake: Arc<OwnedFd>,
}

/// A new mailbox. Its queue has no bound of its own: the store sends no more letters than it was
/// given rows, and every operator's connection has one request under way.
///
/// # Errors
/// When the system gives no more file descriptors.
pub fn mailbox() -> io::Result<(DriverHandle, DriverInbox)> {
    let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
    let (sender, receiver) = mpsc::channel();
    Ok((
        DriverHandle { letters: sender, wake: Arc::clone(&wake) },
        DriverInbox { letters: receiver, wake },
    ))
}

impl DriverHandle {
    /// Puts a letter in. It is dropped when the driver has ended; whoever waits for a reply sees
    /// that its sender is gone.
    pub fn send(&self, letter: DriverRequest) {
        if self.letters.send(letter).is_ok() {
            // Fails only when the counter is full, and then the driver is awake anyway.
            let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
        }
    }

    /// Asks and waits. `None`: the driver has ended.
    pub async fn ask<T>(&self, letter: impl FnOnce(ReplyTo<T>) -> DriverRequest) -> Option<T> {
        let (reply_to, reply) = oneshot::channel();
        self.send(letter(reply_to));
        reply.await.ok()
    }
}

impl DriverInbox {
    /// The next letter, if there is one.
    pub fn take(&self) -> Option<DriverRequest> {
        self.letters.try_recv().ok()
    }

    /// Wakes the reader itself.
    pub fn nudge(&self) {
        let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
    }

    /// Forgets that it was woken; to be called before the letters are taken.
    pub fn clear(&self) {
        let mut count = [0; 8];
        let _ = rustix::io::read(&*self.wake, &mut count);
    }
}

impl AsFd for DriverInbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
