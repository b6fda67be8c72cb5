//! One connection: requests go out, and each reply comes back to its request.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::endpoint::{AccessMode, Endpoint};
use super::error::{ClientError, GREETING};
use super::pending::{CloseReason, PendingRequests, ReplySender};
use super::ssh::SshProcess;
use super::transport::{BoxedReader, BoxedWriter, Transport};
use crate::frame::{self, FrameError, FrameReader};
use crate::message::{
    AgentEntry, AgentSelector, ClientFrame, CollectorStatus, ErrorCode, Reply, Request,
    SelectionPreview, ServerFrame, SubscriptionUpdate, VERSION,
};

/// Requests that wait to be written.
const OUTGOING: usize = 16;
/// Pages and deltas that wait for their subscriber.
const UPDATES: usize = 64;

/// Agents for which a snapshot reserves memory at most, whatever a collector says that there are.
const RESERVED_MAX: usize = 500_000;

/// Settings of a connection.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    pub access: AccessMode,
    /// Name and version of this program, for the collector's log.
    pub client: String,
    /// The operator's identity where the connection comes from: `ops@bastion`.
    pub origin: Option<String>,
    /// Limit of the greeting through ssh, without the time of prompts.
    pub greeting_timeout: Duration,
    /// Limit of any reply, and of the time that updates wait for their subscriber.
    pub request_timeout: Duration,
    /// A [`Link`](super::Link) rings the bell of its terminal: somebody is told by it.
    pub takes_bell: bool,
}

/// The collector's reply to the first request.
#[derive(Clone, Debug, PartialEq)]
pub struct Greeting {
    /// The operator, as the collector identified it.
    pub operator: String,
    /// The connection is not read-only.
    pub may_control: bool,
    pub collector: CollectorStatus,
}

/// A connection to a collector. Clones share it; the last one to be dropped closes it.
#[derive(Clone)]
pub struct Client {
    inner: Arc<ClientInner>,
    greeting: Arc<Greeting>,
}

struct ClientInner {
    outgoing: mpsc::Sender<Vec<u8>>,
    pending: Arc<PendingRequests>,
    request_timeout: Duration,
    task: AbortHandle,
}

/// A running subscription. It keeps its connection open, and ends when dropped.
pub struct Subscription {
    client: Client,
    id: u32,
    replies: mpsc::Receiver<Reply>,
}

/// The pages of a snapshot as they come.
pub struct SnapshotPages(Subscription);

/// The replies to a request that is answered by many. What the collector does for it is cancelled when this is
/// dropped with its connection.
pub struct ReplyStream {
    subscription: Subscription,
    what: &'static str,
}

/// Part of a snapshot, in no particular order.
#[derive(Clone, Debug)]
pub struct SnapshotPage {
    pub entries: Vec<AgentEntry>,
    pub collector: Box<CollectorStatus>,
    pub is_last: bool,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            access: AccessMode::Control,
            client: concat!("heartline-operator ", env!("CARGO_PKG_VERSION")).into(),
            origin: None,
            greeting_timeout: Duration::from_secs(15),
            request_timeout: Duration::from_secs(10),
            takes_bell: false,
        }
    }
}

impl Client {
    /// Connects and greets. Must run in a tokio runtime.
    ///
    /// # Errors
    /// [`ClientError::NoCollector`] when nothing listens, [`ClientError::Version`] when the collector
    /// is of another version, and others that say what to do.
    pub async fn connect(
        endpoint: &Endpoint,
        options: &ClientOptions,
    ) -> Result<Self, ClientError> {
        let transport = Transport::open(endpoint, options.access).await?;
        let ssh = transport.ssh.as_ref().map(SshProcess::monitor);
        let inner = ClientInner::start(transport, options.request_timeout);
        let hello = Request::Hello {
            version: VERSION,
            client: options.client.clone(),
            origin: options.origin.clone(),
        };
        let reply = match &ssh {
            Some(ssh) => ssh.wait_for_greeting(inner.send(hello), options.greeting_timeout).await,
            None => inner.request(hello, options.request_timeout).await,
        };
        let reply = reply.map_err(|error| {
            // Versions can be so far apart that not even the greeting decodes.
            match inner.pending.close_reason() {
                Some(CloseReason::Undecodable) => ClientError::Version { theirs: None },
                Some(CloseReason::Refused(code, message)) => ClientError::Refused { code, message },
                _ => error,
            }
        })?;
        let Reply::Hello { version, operator, may_control, collector } = reply else {
            return Err(unexpected_greeting(reply));
        };
        if version != VERSION {
            return Err(ClientError::Version { theirs: Some(version) });
        }
        let greeting = Arc::new(Greeting { operator, may_control, collector: *collector });
        Ok(Self { inner: Arc::new(inner), greeting })
    }

    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Sends a request and waits for its one reply.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the collector's words, [`ClientError::TimedOut`],
    /// [`ClientError::Closed`]. A command whose reply did not come may have been carried out: send
    /// it again with the same request id.
    pub async fn request(&self, request: Request) -> Result<Reply, ClientError> {
        match self.inner.request(request, self.inner.request_timeout).await? {
            Reply::Error { code, message } => Err(ClientError::Refused { code, message }),
            reply => Ok(reply),
        }
    }

    /// Returns these agents as they are now.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub async fn snapshot(
        &self,
        agents: AgentSelector,
    ) -> Result<(Vec<AgentEntry>, CollectorStatus), ClientError> {
        let is_all = matches!(agents, AgentSelector::All);
        let mut pages = self.snapshot_pages(agents).await?;
        let mut fleet = Vec::new();
        loop {
            let SnapshotPage { entries, collector, is_last } = pages.next().await?;
            if fleet.is_empty() && is_all {
                // Growth would move a large fleet again and again.
                fleet.reserve_exact((collector.summary.total as usize).min(RESERVED_MAX));
            }
            fleet.extend(entries);
            if is_last {
                return Ok((fleet, *collector));
            }
        }
    }

    /// Returns the same page by page: a large fleet is hundreds of megabytes.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub async fn snapshot_pages(
        &self,
        agents: AgentSelector,
    ) -> Result<SnapshotPages, ClientError> {
        Ok(SnapshotPages(self.open_stream(Request::Snapshot { agents }).await?))
    }

    /// Returns what a command for these agents would hit, with the `list` worst of them.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub async fn preview(
        &self,
        agents: AgentSelector,
        list: u32,
    ) -> Result<SelectionPreview, ClientError> {
        match self.request(Request::Preview { agents, list }).await? {
            Reply::Preview(preview) => Ok(*preview),
            _ => Err(ClientError::Unexpected { what: "preview" }),
        }
    }

    /// Subscribes to these agents, or to the whole fleet when `agents` is empty, with at most
    /// `per_second` deltas a second (1 to 4).
    ///
    /// # Errors
    /// As [`Client::request`].
    pub async fn subscribe(
        &self,
        agents: Vec<String>,
        per_second: u8,
    ) -> Result<Subscription, ClientError> {
        self.open_stream(Request::Subscribe { agents, per_second, takes_bell: false }).await
    }

    /// Subscribes to the whole fleet and, where `takes_bell` says so, to notices for bells.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub(super) async fn attach(
        &self,
        per_second: u8,
        takes_bell: bool,
    ) -> Result<Subscription, ClientError> {
        let agents = Vec::new();
        self.open_stream(Request::Subscribe { agents, per_second, takes_bell }).await
    }

    /// Sends a request that is answered by many replies.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub async fn stream(&self, request: Request) -> Result<ReplyStream, ClientError> {
        let what = name(&request);
        Ok(ReplyStream { subscription: self.open_stream(request).await?, what })
    }

    async fn open_stream(&self, request: Request) -> Result<Subscription, ClientError> {
        let (sender, replies) = mpsc::channel(UPDATES);
        let id = self.inner.register(request, ReplySender::Many(sender)).await?;
        Ok(Subscription { client: self.clone(), id, replies })
    }
}

fn unexpected_greeting(reply: Reply) -> ClientError {
    match reply {
        Reply::Error { code: ErrorCode::Version, .. } => ClientError::Version { theirs: None },
        Reply::Error { code, message } => ClientError::Refused { code, message },
        _ => ClientError::Unexpected { what: GREETING },
    }
}

impl Subscription {
    /// Waits for the next update; cancel-safe. A subscriber that leaves updates waiting for longer
    /// than [`ClientOptions::request_timeout`] loses the connection.
    ///
    /// # Errors
    /// [`ClientError::Closed`] at the end of the connection, [`ClientError::Refused`] when the
    /// collector refused to subscribe.
    pub async fn next(&mut self) -> Result<SubscriptionUpdate, ClientError> {
        match self.next_reply().await? {
            Reply::Update(update) => Ok(update),
            _ => Err(ClientError::Unexpected { what: "subscribe" }),
        }
    }

    /// Waits for the next reply for as long as for any.
    async fn next_within(&mut self, what: &'static str) -> Result<Reply, ClientError> {
        let waited = self.client.inner.request_timeout;
        let next = timeout(waited, self.next_reply()).await;
        next.map_err(|_| ClientError::TimedOut { what, waited })?
    }

    async fn next_reply(&mut self) -> Result<Reply, ClientError> {
        match self.replies.recv().await {
            Some(Reply::Error { code, message }) => Err(ClientError::Refused { code, message }),
            Some(reply) => Ok(reply),
            None => Err(self.client.inner.closed_error()),
        }
    }
}

impl ReplyStream {
    /// Waits for the next reply.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub async fn next(&mut self) -> Result<Reply, ClientError> {
        self.subscription.next_within(self.what).await
    }
}

impl SnapshotPages {
    /// Waits for the next page. There is none after the last one.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub async fn next(&mut self) -> Result<SnapshotPage, ClientError> {
        let reply = self.0.next_within("snapshot").await?;
        let Reply::Update(SubscriptionUpdate::Page { entries, collector, last }) = reply else {
            return Err(ClientError::Unexpected { what: "snapshot" });
        };
        Ok(SnapshotPage { entries, collector, is_last: last })
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.client.inner.pending.remove(self.id);
    }
}

impl ClientInner {
    fn start(transport: Transport, request_timeout: Duration) -> Self {
        let pending = Arc::new(PendingRequests::default());
        let (outgoing, queue) = mpsc::channel(OUTGOING);
        let task = tokio::spawn(run(transport, queue, Arc::clone(&pending), request_timeout))
            .abort_handle();
        Self { outgoing, pending, request_timeout, task }
    }

    async fn request(&self, request: Request, waited: Duration) -> Result<Reply, ClientError> {
        let what = name(&request);
        let reply = timeout(waited, self.send(request)).await;
        reply.map_err(|_| ClientError::TimedOut { what, waited })?
    }

    /// Sends a request and waits for its one reply, without a limit.
    async fn send(&self, request: Request) -> Result<Reply, ClientError> {
        let (sender, receiver) = oneshot::channel();
        let sender = ReplySender::One { sender, parts: None };
        let id = self.register(request, sender).await?;
        let _guard = PendingRequestGuard { pending: &self.pending, id };
        receiver.await.map_err(|_| self.closed_error())
    }

    async fn register(&self, request: Request, sender: ReplySender) -> Result<u32, ClientError> {
        let id = self.pending.register(sender)?;
        let sent = self.send_parts(id, request).await;
        if sent.is_err() {
            self.pending.remove(id);
        }
        sent.map(|()| id)
    }

    async fn send_parts(&self, id: u32, request: Request) -> Result<(), ClientError> {
        for request in request.into_parts() {
            let frame = frame::encode(&ClientFrame { id, request })?;
            self.outgoing.send(frame).await.map_err(|_| self.closed_error())?;
        }
        Ok(())
    }

    fn closed_error(&self) -> ClientError {
        let reason = self.pending.close_reason();
        ClientError::Closed {
            why: reason.map_or("it broke off".into(), |reason| reason.to_string()),
        }
    }
}

impl Drop for ClientInner {
    fn drop(&mut self) {
        // The task owns the stream and the ssh, which end with it.
        self.task.abort();
        self.pending.close(CloseReason::Closed("it was closed here".into()));
    }
}

/// Removes a request also when its caller is cancelled.
struct PendingRequestGuard<'a> {
    pending: &'a PendingRequests,
    id: u32,
}

impl Drop for PendingRequestGuard<'_> {
    fn drop(&mut self) {
        self.pending.remove(self.id);
    }
}

/// Carries requests and replies until the connection ends, then closes the pending requests.
async fn run(
    transport: Transport,
    queue: mpsc::Receiver<Vec<u8>>,
    pending: Arc<PendingRequests>,
    limit: Duration,
) {
    let Transport { reader, writer, mut ssh } = transport;
    let mut reason = tokio::select! {
        reason = read(FrameReader::new(reader), &pending, limit) => reason,
        never = write(writer, queue) => match never {},
    };
    if let (CloseReason::Transport(why), Some(ssh)) = (&mut reason, &mut ssh)
        && let Some(error) = ssh.last_error().await
    {
        *why = format!("ssh says: {error}");
    }
    pending.close(reason);
}

/// Delivers replies until the stream ends.
async fn read(
    mut frames: FrameReader<BoxedReader>,
    pending: &PendingRequests,
    limit: Duration,
) -> CloseReason {
    loop {
        let ServerFrame { id, reply } = match frames.next().await {
            Ok(Some(frame)) => frame,
            Ok(None) => return CloseReason::Transport("the collector hung up".into()),
            Err(FrameError::Decode(_) | FrameError::Trailing(_)) => {
                return CloseReason::Undecodable;
            }
            Err(error) => return CloseReason::Transport(error.to_string()),
        };
        let reply = match reply {
            Reply::Goodbye { why } => return CloseReason::Closed(why),
            Reply::Error { code, message } if id == 0 => {
                return CloseReason::Refused(code, message);
            }
            reply => reply,
        };
        if let Some((sender, reply)) = pending.deliver(id, reply) {
            // Not reading makes the collector merge deltas, and close the connection in the end. But
            // replies wait behind deltas: after the limit of a reply there is no use in going on.
            match sender.send_timeout(reply, limit).await {
                Ok(()) => {}
                Err(mpsc::error::SendTimeoutError::Closed(_)) => pending.remove(id),
                Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                    return CloseReason::Closed("this client read its updates too slowly".into());
                }
            }
        }
    }
}

/// Writes requests. Never returns: the reader finds out that the stream is broken, after the replies
/// and the reason that it may have to read before.
async fn write(mut writer: BoxedWriter, mut queue: mpsc::Receiver<Vec<u8>>) -> Infallible {
    while let Some(frame) = queue.recv().await {
        if writer.write_all(&frame).await.is_err() || writer.flush().await.is_err() {
            break;
        }
    }
    std::future::pending().await
}

/// Returns the name of a request in errors.
fn name(request: &Request) -> &'static str {
    match request {
        Request::Hello { .. } => GREETING,
        Request::Snapshot { .. } => "snapshot",
        Request::Subscribe { .. } => "subscribe",
        Request::Agent { .. } => "agent",
        Request::Events(_) => "events",
        Request::Outages(_) => "outages",
        Request::AgentHistory(_) | Request::FleetHistory(_) => "history",
        Request::AgentNames(_) => "agent names",
        Request::Past { .. } => "past",
        Request::Moment { .. } => "moment",
        Request::Timeline(_) => "timeline",
        Request::Command(command) => match command.action {
            heartline_vocabulary::Action::Kill => "kill",
            heartline_vocabulary::Action::Resume => "resume",
        },
        Request::Preview { .. } => "preview",
        Request::Forget(_) => "forget",
        Request::Note(_) => "note",
        Request::Alerts(_) => "alerts",
        Request::Acknowledge { .. } => "ack",
        Request::Silence(_) => "silence",
        Request::TestSink { .. } => "alerts test",
        Request::MoreNames { .. } => "names",
        Request::Token(_) => "token",
        Request::IncidentContents(_) | Request::IncidentFile(_) => "incident file",
        Request::Backup(_) => "backup",
        Request::Budgets => "budgets",
        Request::Collector | Request::CollectorHealth => "collector",
        Request::Roster => "roster",
        Request::Ping => "ping",
    }
}
