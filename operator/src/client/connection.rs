//! One connection: questions go out, answers come back to whoever asked.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::endpoint::{AccessMode, Endpoint};
use super::error::{ClientError, GREETING};
use super::greet;
use super::route::{CloseReason, PendingRequests, ReplySender};
use super::subscription::Subscription;
use super::transport::{BoxedReader, BoxedWriter, SshProcess, Transport};
use crate::frame::{self, FrameError, FrameReader};
use crate::message::{
    AgentEntry, ClientFrame, CollectorStatus, ErrorCode, Reply, Request, ServerFrame, VERSION,
};

/// Questions that wait to be written.
const OUTGOING: usize = 16;
/// News that wait to be taken by a subscriber.
const NEWS: usize = 64;

/// How to connect.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Look and act, or only look.
    pub access: AccessMode,
    /// Name and version of this program, for the collector's log.
    pub client: String,
    /// Who the operator is where the connection comes from: `ops@bastion`.
    pub origin: Option<String>,
    /// How long the greeting may take through ssh, besides the time in which ssh asks a person
    /// something.
    pub greeting_timeout: Duration,
    /// How long any answer may take, and news may lie before a subscriber takes them.
    pub request_timeout: Duration,
}

/// What the collector said when it was greeted.
#[derive(Clone, Debug, PartialEq)]
pub struct Greeting {
    /// Who it takes the operator for.
    pub operator: String,
    /// Whether this connection may change anything.
    pub may_control: bool,
    /// How it is.
    pub collector: CollectorStatus,
}

/// A connection to a collector. Clones share it; the last one to be dropped closes it.
#[derive(Clone)]
pub struct Client {
    shared: Arc<ClientInner>,
    greeting: Arc<Greeting>,
}

struct ClientInner {
    outgoing: mpsc::Sender<Vec<u8>>,
    routes: Arc<PendingRequests>,
    request_timeout: Duration,
    task: AbortHandle,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            access: AccessMode::Control,
            client: concat!("heartline-operator ", env!("CARGO_PKG_VERSION")).into(),
            origin: None,
            greeting_timeout: Duration::from_secs(15),
            request_timeout: Duration::from_secs(10),
        }
    }
}

impl Client {
    /// Connects and greets. Must run in a tokio runtime.
    ///
    /// # Errors
    /// [`ClientError::NoCollector`] when nobody listens, [`ClientError::Version`] when the collector
    /// is of another version, and others that say what to do.
    pub async fn connect(
        endpoint: &Endpoint,
        options: &ClientOptions,
    ) -> Result<Self, ClientError> {
        let transport = Transport::open(endpoint, options.access).await?;
        let ssh = transport.ssh.as_ref().map(SshProcess::watch);
        let shared = ClientInner::start(transport, options.request_timeout);
        let hello = Request::Hello {
            version: VERSION,
            client: options.client.clone(),
            origin: options.origin.clone(),
        };
        let answer = match &ssh {
            Some(ssh) => greet::wait(shared.answer(hello), options.greeting_timeout, ssh).await,
            None => shared.ask(hello, options.request_timeout).await,
        };
        let reply = answer.map_err(|error| {
            // Versions can be so far apart that not even the greeting decodes.
            match shared.routes.ending() {
                Some(CloseReason::Unreadable) => ClientError::Version { theirs: None },
                _ => error,
            }
        })?;
        let Reply::Hello { version, operator, may_control, collector } = reply else {
            return Err(unexpected_greeting(reply));
        };
        if version != VERSION {
            return Err(ClientError::Version { theirs: Some(version) });
        }
        let greeting = Arc::new(Greeting { operator, may_control, collector });
        Ok(Self { shared: Arc::new(shared), greeting })
    }

    /// What the collector said when it was greeted.
    #[must_use]
    pub fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Asks and waits for the one answer.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the collector's words, [`ClientError::TimedOut`],
    /// [`ClientError::Closed`]. A command whose answer did not come may have been carried out: send
    /// it again with the same request id.
    pub async fn request(&self, request: Request) -> Result<Reply, ClientError> {
        match self.shared.ask(request, self.shared.request_timeout).await? {
            Reply::Error { code, message } => Err(ClientError::Refused { code, message }),
            reply => Ok(reply),
        }
    }

    /// The fleet now: these agents, or all when `agents` is empty.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub async fn snapshot(
        &self,
        agents: Vec<String>,
    ) -> Result<(Vec<AgentEntry>, CollectorStatus), ClientError> {
        let mut pages = self.many(Request::Snapshot { agents }).await?;
        let waited = self.shared.request_timeout;
        let mut fleet = Vec::new();
        loop {
            let next = timeout(waited, pages.next_reply()).await;
            let reply = next.map_err(|_| ClientError::TimedOut { what: "snapshot", waited })??;
            let Reply::Page { entries, collector, last } = reply else {
                return Err(ClientError::Unexpected { what: "snapshot" });
            };
            fleet.extend(entries);
            if last {
                return Ok((fleet, collector));
            }
        }
    }

    /// The fleet now and what changes in it, at most `per_second` times a second (1 to 4).
    ///
    /// # Errors
    /// As [`Client::request`].
    pub async fn subscribe(
        &self,
        agents: Vec<String>,
        per_second: u8,
    ) -> Result<Subscription, ClientError> {
        self.many(Request::Subscribe { agents, per_second }).await
    }

    /// Why the connection ended, if it has.
    #[must_use]
    pub fn closed(&self) -> Option<String> {
        self.shared.routes.ending().map(|ending| ending.to_string())
    }

    async fn many(&self, request: Request) -> Result<Subscription, ClientError> {
        let (sender, receiver) = mpsc::channel(NEWS);
        let id = self.shared.send(request, ReplySender::Many(sender)).await?;
        Ok(Subscription::new(self.clone(), id, receiver))
    }

    pub(super) fn forget(&self, id: u32) {
        self.shared.routes.forget(id);
    }
}

fn unexpected_greeting(reply: Reply) -> ClientError {
    match reply {
        Reply::Error { code: ErrorCode::Version, .. } => ClientError::Version { theirs: None },
        Reply::Error { code, message } => ClientError::Refused { code, message },
        _ => ClientError::Unexpected { what: GREETING },
    }
}

impl ClientInner {
    fn start(transport: Transport, request_timeout: Duration) -> Self {
        let routes = Arc::new(PendingRequests::default());
        let (outgoing, queue) = mpsc::channel(OUTGOING);
        let task = tokio::spawn(carry(transport, queue, Arc::clone(&routes), request_timeout))
            .abort_handle();
        Self { outgoing, routes, request_timeout, task }
    }

    async fn ask(&self, request: Request, waited: Duration) -> Result<Reply, ClientError> {
        let what = name(&request);
        let answer = timeout(waited, self.answer(request)).await;
        answer.map_err(|_| ClientError::TimedOut { what, waited })?
    }

    /// The answer, however long it takes.
    async fn answer(&self, request: Request) -> Result<Reply, ClientError> {
        let (sender, receiver) = oneshot::channel();
        let id = self.send(request, ReplySender::Once(sender)).await?;
        let forget = PendingRequestGuard { routes: &self.routes, id };
        let reply = receiver.await.map_err(|_| self.closed_error())?;
        drop(forget);
        Ok(reply)
    }

    async fn send(&self, request: Request, waiter: ReplySender) -> Result<u32, ClientError> {
        let id = self.routes.register(waiter)?;
        let sent = match frame::encode(&ClientFrame { id, request }) {
            Ok(frame) => self.outgoing.send(frame).await.map_err(|_| self.closed_error()),
            Err(error) => Err(error.into()),
        };
        if sent.is_err() {
            self.routes.forget(id);
        }
        sent.map(|()| id)
    }

    fn closed_error(&self) -> ClientError {
        let why = self.routes.ending().map_or("it was cut".into(), |ending| ending.to_string());
        ClientError::Closed { why }
    }
}

impl Drop for ClientInner {
    fn drop(&mut self) {
        // The task owns the stream and the ssh, which end with it.
        self.task.abort();
        self.routes.close(CloseReason::Said("it was closed here".into()));
    }
}

/// Frees a question's place also when the one who asked stops waiting.
struct PendingRequestGuard<'a> {
    routes: &'a PendingRequests,
    id: u32,
}

impl Drop for PendingRequestGuard<'_> {
    fn drop(&mut self) {
        self.routes.forget(self.id);
    }
}

/// Carries questions and answers until the connection ends, then tells everybody why.
async fn carry(
    transport: Transport,
    queue: mpsc::Receiver<Vec<u8>>,
    routes: Arc<PendingRequests>,
    patience: Duration,
) {
    let Transport { reader, writer, mut ssh } = transport;
    let mut ending = tokio::select! {
        ending = read(FrameReader::new(reader), &routes, patience) => ending,
        never = write(writer, queue) => match never {},
    };
    if let (CloseReason::Cut(why), Some(ssh)) = (&mut ending, &mut ssh)
        && let Some(words) = ssh.last_words().await
    {
        *why = format!("ssh says: {words}");
    }
    routes.close(ending);
}

/// Hands out answers until the stream ends.
async fn read(
    mut frames: FrameReader<BoxedReader>,
    routes: &PendingRequests,
    patience: Duration,
) -> CloseReason {
    loop {
        let ServerFrame { id, reply } = match frames.next().await {
            Ok(Some(frame)) => frame,
            Ok(None) => return CloseReason::Cut("the collector hung up".into()),
            Err(FrameError::Decode(_) | FrameError::Trailing(_)) => return CloseReason::Unreadable,
            Err(error) => return CloseReason::Cut(error.to_string()),
        };
        if let Reply::Goodbye { why } = reply {
            return CloseReason::Said(why);
        }
        if let Some((sender, reply)) = routes.deliver(id, reply) {
            // Not reading makes the collector merge news, and cut them in the end. But answers wait
            // behind news: after as long as an answer may take, there is no use in going on.
            match sender.send_timeout(reply, patience).await {
                Ok(()) => {}
                Err(mpsc::error::SendTimeoutError::Closed(_)) => routes.forget(id),
                Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                    return CloseReason::Said("this program did not take its news".into());
                }
            }
        }
    }
}

/// Writes questions. Never ends: that the stream is broken is for the reader to find, who may have
/// an answer to read before, and the reason of the end.
async fn write(mut writer: BoxedWriter, mut queue: mpsc::Receiver<Vec<u8>>) -> Infallible {
    while let Some(frame) = queue.recv().await {
        if writer.write_all(&frame).await.is_err() || writer.flush().await.is_err() {
            break;
        }
    }
    std::future::pending().await
}

/// What is asked, for messages.
fn name(request: &Request) -> &'static str {
    match request {
        Request::Hello { .. } => GREETING,
        Request::Snapshot { .. } => "snapshot",
        Request::Subscribe { .. } => "subscribe",
        Request::Agent { .. } => "agent",
        Request::Events(_) => "events",
        Request::Command(command) => match command.action {
            heartline_vocabulary::Action::Kill => "kill",
            heartline_vocabulary::Action::Resume => "resume",
        },
        Request::Forget { .. } => "forget",
        Request::Token(_) => "token",
        Request::Collector => "collector",
        Request::Ping => "ping",
    }
}
