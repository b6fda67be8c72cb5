//! Requests to the driver: its one ordered queue besides its sockets.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use heartline_config::{BudgetSetting, ExpectSection};
use heartline_fleet::{AlertInput, BudgetSetup, CommandRequest, HealthRules, LatencyLimits};
use heartline_operator::message::{
    AgentDetail, AgentEntry, BudgetStatus, CollectorHealth, CollectorStatus, CommandOutcome,
    ErrorCode, FleetDelta, RosterReport,
};
use heartline_sinks::{Pinger, WorkerPulse};
use heartline_vocabulary::{ForgetRefusal, IncidentId};
use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::oneshot;

use crate::alert::OpenIncident;
use crate::store::{StoreEvent, StoreEventSink};

/// The sender of one reply.
pub type ReplyTo<T> = oneshot::Sender<T>;
/// The outcome of an operator's command, or why there is none.
pub type CommandReply = Result<CommandOutcome, (ErrorCode, String)>;

/// A request to the driver.
pub enum DriverRequest {
    /// A write of the store was confirmed, or failed.
    Store(StoreEvent),
    Command(CommandRequest, ReplyTo<CommandReply>),
    /// Forget agents by their ids, all or none. Answered with those that were known.
    Forget {
        by: Box<str>,
        agents: Vec<String>,
        reply_to: ReplyTo<Result<Vec<String>, ForgetRefusal>>,
    },
    Page(PageRequest, ReplyTo<FleetPage>),
    /// Everything that changed since the request before. For one requester only.
    Delta(ReplyTo<FleetDelta>),
    /// One agent; sessions, events and work are left empty.
    Agent(String, ReplyTo<Option<AgentDetail>>),
    Status(ReplyTo<CollectorStatus>),
    /// How the collector does, as far as the driver knows.
    Health(ReplyTo<CollectorHealth>),
    /// The workers of sinks from now on, by the names of these.
    Workers(Vec<(Box<str>, WorkerPulse)>),
    /// Whom to ping from now on.
    Watchdog(Option<Box<Pinger>>),
    /// Answered when everything that was judged before is in `history.db`; at once while history is
    /// paused.
    FlushHistory(ReplyTo<()>),
    /// Answered when everything that was decided before is in `control.db`, or why it can't be.
    FlushControl(ReplyTo<Result<(), String>>),
    /// Refuse a scope's key of an epoch from now on, or accept it again.
    Revoked {
        epoch: u8,
        scope: Box<str>,
        is_revoked: bool,
    },
    /// Something that operators must see is so, or no longer.
    Condition {
        /// What it is about, such as the name of a file.
        about: &'static str,
        /// A sentence for a banner; `None`: all is well again.
        sentence: Option<String>,
    },
    /// What agents' own past says of their latencies in this hour.
    Baselines(Vec<(Box<str>, LatencyLimits)>),
    /// Replace all budgets.
    SetBudgets {
        settings: Vec<BudgetSetting>,
        /// What they are to the fleet.
        setup: Box<BudgetSetup>,
    },
    /// All budgets with what was spent of them.
    Budgets(ReplyTo<Vec<BudgetStatus>>),
    /// Who is expected.
    Roster(ReplyTo<RosterReport>),
    /// Judge by other rules from now on.
    Rules {
        rules: HealthRules,
        /// What they say is expected, with its hours.
        expectations: Vec<ExpectSection>,
    },
    /// What alerts go by from now on.
    Alert(AlertInput),
    /// The incidents that go on.
    Incidents(ReplyTo<Vec<OpenIncident>>),
    /// Take care of incidents, of all or of none. Answered with those that go on.
    Acknowledge {
        incidents: Vec<IncidentId>,
        by: Box<str>,
        reply_to: ReplyTo<Vec<IncidentId>>,
    },
    /// Commit everything and end.
    End,
}

/// The part of the fleet that a page holds.
#[derive(Clone, Debug)]
pub enum PageRequest {
    Range {
        start: u32,
        limit: u32,
    },
    /// The agents of these ids.
    Named(Vec<String>),
}

/// Part of the fleet, as of one turn. Work is left empty.
#[derive(Debug)]
pub struct FleetPage {
    /// The driver's turn: pages and deltas of one turn show the same.
    pub turn: u64,
    pub entries: Vec<AgentEntry>,
    pub status: CollectorStatus,
    /// Start of the next page; `None` after the last one.
    pub next: Option<u32>,
}

/// The sending end: cheap to clone, never blocks.
#[derive(Clone)]
pub struct DriverHandle {
    requests: mpsc::Sender<DriverRequest>,
    queued: Arc<AtomicUsize>,
    wake: Arc<OwnedFd>,
}

/// The receiving end, to be polled together with the sockets.
pub struct DriverInbox {
    requests: mpsc::Receiver<DriverRequest>,
    queued: Arc<AtomicUsize>,
    wake: Arc<OwnedFd>,
}

/// Returns the two ends of a new queue. It has no bound of its own: the store sends no more events
/// than it was given rows, and every operator's connection has one request under way.
///
/// # Errors
/// When the system gives no more file descriptors.
pub fn driver_channel() -> io::Result<(DriverHandle, DriverInbox)> {
    let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
    let (sender, receiver) = mpsc::channel();
    let queued = Arc::new(AtomicUsize::new(0));
    let (for_handle, for_inbox) = (Arc::clone(&wake), wake);
    let handle = DriverHandle { requests: sender, queued: Arc::clone(&queued), wake: for_handle };
    Ok((handle, DriverInbox { requests: receiver, queued, wake: for_inbox }))
}

impl DriverHandle {
    /// Sends a request. It is dropped when the driver has ended; the receiver of a reply sees that
    /// its sender is gone.
    pub fn send(&self, request: DriverRequest) {
        self.queued.fetch_add(1, Ordering::Relaxed);
        if self.requests.send(request).is_ok() {
            // Fails only when the counter is full, and then the driver is awake anyway.
            let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
        }
    }

    /// Reports something that operators must see for as long as it is so.
    pub fn report_condition(&self, about: &'static str, sentence: Option<String>) {
        self.send(DriverRequest::Condition { about, sentence });
    }

    /// Returns a sink that passes the events of the store on to the driver.
    pub fn store_event_sink(&self) -> StoreEventSink {
        let handle = self.clone();
        Arc::new(move |event| handle.send(DriverRequest::Store(event)))
    }

    /// Sends a request and waits for the reply. `None`: the driver has ended.
    pub async fn request<T>(&self, request: impl FnOnce(ReplyTo<T>) -> DriverRequest) -> Option<T> {
        self.send_request(request).await.ok()
    }

    /// Sends a request; returns the receiver of its reply.
    pub fn send_request<T>(
        &self,
        request: impl FnOnce(ReplyTo<T>) -> DriverRequest,
    ) -> oneshot::Receiver<T> {
        let (reply_to, reply) = oneshot::channel();
        self.send(request(reply_to));
        reply
    }
}

impl DriverInbox {
    /// Returns the next request, if there is one.
    pub fn try_next(&self) -> Option<DriverRequest> {
        let next = self.requests.try_recv().ok()?;
        self.queued.fetch_sub(1, Ordering::Relaxed);
        Some(next)
    }

    /// Returns how many requests wait.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Wakes the receiver itself.
    pub fn wake(&self) {
        let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
    }

    /// Resets the wake-up; to be called before requests are taken.
    pub fn clear_wake(&self) {
        let mut count = [0; 8];
        let _ = rustix::io::read(&*self.wake, &mut count);
    }
}

impl AsFd for DriverInbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
