//! One operator's connection: hello, then questions and answers, and at most one subscription.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use heartline_operator::frame::{self, FrameError, FrameReader};
use heartline_operator::message::{ClientFrame, ErrorCode, Reply, Request, ServerFrame, VERSION};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::ServerContext;
use super::access::SocketRole;
use super::answer::{AGENTS_MAX, OperatorIdentity, answer};
use super::health::ask_driver;
use super::places::{Activity, ConnectionPlace, Eviction};
use super::refusal::RefusalCause;
use super::subscription::{self, ClientGone, SubscriptionRequest};
use crate::driver::DriverRequest;

/// Longest time that a client may take for its hello.
const HELLO_WITHIN: Duration = Duration::from_secs(2);
/// Longest time that a client may leave replies unread before it is cut.
const READ_WITHIN: Duration = Duration::from_secs(30);
/// Longest time that a client which has to make room may take to read why.
const FAREWELL_WITHIN: Duration = Duration::from_millis(100);
/// Longest names of the agents of one request together: more than 100,000 ids can have.
const NAMES_BYTES_MAX: usize = 8 << 20;
/// Longest name of a client or origin that is kept.
const NAME_MAX: usize = 64;

/// The writing half, for one question: every frame that goes out repeats its number.
#[derive(Clone)]
pub struct ReplyWriter {
    writer: Arc<Mutex<OwnedWriteHalf>>,
    id: u32,
}

impl ReplyWriter {
    /// Returns a writer of the replies to this request.
    fn for_request(&self, id: u32) -> Self {
        Self { writer: Arc::clone(&self.writer), id }
    }

    /// Sends one answer, in several frames where it is too long for one. Waits for a client that
    /// reads slowly, but not for ever.
    pub async fn send(&self, reply: Reply) -> Result<(), ClientGone> {
        let mut pieces = vec![reply];
        while let Some(reply) = pieces.pop() {
            if reply.is_long() {
                let halves = subscription::split(reply).map(|(first, rest)| [rest, first]);
                pieces.extend(halves.into_iter().flatten());
                continue;
            }
            let frame = ServerFrame { id: self.id, reply };
            match frame::encode(&frame) {
                Ok(bytes) => self.write(bytes).await?,
                Err(error) => match subscription::split(frame.reply) {
                    Some((first, rest)) => pieces.extend([rest, first]),
                    None => self.apologise(&error).await?,
                },
            }
        }
        Ok(())
    }

    async fn apologise(&self, error: &FrameError) -> Result<(), ClientGone> {
        tracing::error!("an answer could not be encoded: {error}");
        let message = format!("the answer could not be sent: {error}");
        let reply = Reply::Error { code: ErrorCode::Unavailable, message };
        let frame = frame::encode(&ServerFrame { id: self.id, reply }).map_err(|_| ClientGone)?;
        self.write(frame).await
    }

    /// Nobody could read what follows half a frame: so a frame is written on a task of its own,
    /// which outlives a subscription that is replaced meanwhile, and after a failure nothing more.
    async fn write(&self, bytes: Vec<u8>) -> Result<(), ClientGone> {
        let writer = Arc::clone(&self.writer);
        let written = tokio::spawn(async move {
            let mut writer = writer.lock().await;
            if let Ok(Ok(())) = timeout(READ_WITHIN, writer.write_all(&bytes)).await {
                return Ok(());
            }
            let _ = writer.shutdown().await;
            Err(ClientGone)
        });
        written.await.unwrap_or(Err(ClientGone))
    }
}

/// A connection whose peer has access.
pub struct Connection {
    pub stream: UnixStream,
    pub place: ConnectionPlace,
    pub role: SocketRole,
    /// Name of the user.
    pub user: String,
    /// It is root or the collector's own user.
    pub is_owner: bool,
}

/// Serves one connection until either side ends it.
pub async fn serve(connection: Connection, context: ServerContext, ending: watch::Receiver<bool>) {
    let Connection { stream, place, role, user, is_owner } = connection;
    let (reader, writer) = stream.into_split();
    let writer = ReplyWriter { writer: Arc::new(Mutex::new(writer)), id: 0 };
    let mut frames = FrameReader::new(reader);
    let hello = tokio::select! {
        hello = timeout(HELLO_WITHIN, frames.next::<ClientFrame>()) => hello,
        eviction = place.evicted() => return evict(&writer, eviction, &user, &context).await,
    };
    let ClientFrame { id, request } = match hello {
        Ok(Ok(Some(frame))) => frame,
        Ok(_) => return,
        Err(_) => {
            let seconds = HELLO_WITHIN.as_secs();
            let why = format!("{user} sent no greeting within {seconds} s");
            return close(&writer, RefusalCause::NoGreeting, why, &context).await;
        }
    };
    let hello_writer = writer.for_request(id);
    if let Err(full) = place.greet() {
        let message = format!("{user}: {full}");
        context.log.record(RefusalCause::NoPlace, &message);
        let error = Reply::Error { code: ErrorCode::Busy, message };
        let _ = timeout(FAREWELL_WITHIN, hello_writer.send(error)).await;
        return;
    }
    let hello = greet(&hello_writer, request, role, user.clone(), &context).await;
    let Ok(name) = hello else { return };
    let operator = OperatorIdentity { role, name, is_owner };
    context.log.record_served();
    let mut session =
        Session { frames, read_ahead: None, writer, operator, context, subscription: None };
    tokio::select! {
        () = session.run(&place, ending) => {}
        eviction = place.evicted() => {
            evict(&session.writer, eviction, &user, &session.context).await;
        }
    }
}

/// Tells a client why it loses its place.
async fn evict(writer: &ReplyWriter, eviction: Eviction, user: &str, context: &ServerContext) {
    let (cause, why) = match eviction {
        Eviction::Replaced => (
            RefusalCause::Evicted,
            format!("this connection of {user} asked nothing, and was closed for newer ones"),
        ),
        Eviction::AccessChanged => {
            (RefusalCause::NotAllowed, format!("the access of {user} has changed: connect again"))
        }
    };
    close(writer, cause, why, context).await;
}

async fn close(writer: &ReplyWriter, cause: RefusalCause, why: String, context: &ServerContext) {
    context.log.record(cause, &why);
    let _ = timeout(FAREWELL_WITHIN, writer.send(Reply::Goodbye { why })).await;
}

/// A connection that has greeted.
struct Session {
    frames: FrameReader<OwnedReadHalf>,
    read_ahead: Option<NextFrame>,
    writer: ReplyWriter,
    operator: OperatorIdentity,
    context: ServerContext,
    subscription: Option<JoinHandle<()>>,
}

/// Whether a connection goes on.
#[derive(PartialEq, Eq)]
enum Flow {
    Continue,
    End,
}

impl Session {
    async fn run(&mut self, place: &ConnectionPlace, mut ending: watch::Receiver<bool>) {
        let mut names = EarlierNames::default();
        loop {
            let next = tokio::select! {
                next = next_frame(&mut self.frames, &mut self.read_ahead) => next,
                () = super::ended(&mut ending) => {
                    let why = "the collector is shutting down".to_owned();
                    let _ = self.writer.send(Reply::Goodbye { why }).await;
                    return;
                }
                // A client that reads nothing more must not believe that it is still told.
                () = over(&mut self.subscription) => return,
            };
            let ClientFrame { id, mut request } = match next {
                Ok(Some(frame)) => frame,
                Ok(None) | Err(FrameError::Io { .. }) => return,
                Err(error) => {
                    let message = format!("a frame could not be read: {error}");
                    let error = Reply::Error { code: ErrorCode::BadRequest, message };
                    let _ = self.writer.send(error).await;
                    return;
                }
            };
            let writer = self.writer.for_request(id);
            let is_ready = match names.join(id, &mut request) {
                Ok(is_ready) => is_ready,
                Err(message) => {
                    let error = Reply::Error { code: ErrorCode::BadRequest, message };
                    if writer.send(error).await.is_err() {
                        return;
                    }
                    continue;
                }
            };
            if !is_ready {
                continue;
            }
            place.set_activity(Activity::Busy);
            if self.answer(request, &writer).await == Flow::End {
                return;
            }
            if self.subscription.is_none() {
                place.set_activity(Activity::Idle);
            }
        }
    }

    async fn answer(&mut self, request: Request, writer: &ReplyWriter) -> Flow {
        if let Request::Subscribe { agents, per_second, takes_bell } = request {
            if let Some(old) = self.subscription.take() {
                old.abort();
            }
            let bell = takes_bell.then(|| self.context.alerts.apps().attach());
            let wanted = wanted(agents, per_second);
            let (publisher, driver) = (self.context.publisher.clone(), self.context.driver.clone());
            let serving = subscription::serve(publisher, driver, writer.clone(), wanted);
            let ringing = subscription::ring(bell, writer.clone());
            self.subscription = Some(tokio::spawn(async move {
                tokio::select! {
                    () = serving => {}
                    () = ringing => {}
                }
            }));
            return Flow::Continue;
        }
        // A query is of no use without its client, nor a backup; what changes something is carried through.
        let is_query = matches!(
            request,
            Request::Agent { .. }
                | Request::Events(_)
                | Request::Outages(_)
                | Request::AgentHistory(_)
                | Request::FleetHistory(_)
                | Request::AgentNames(_)
                | Request::Past { .. }
                | Request::Moment { .. }
                | Request::Timeline(_)
                | Request::Snapshot { .. }
                | Request::Preview { .. }
                | Request::Backup(_)
                | Request::IncidentContents(_)
                | Request::IncidentFile(_)
        );
        let answered = answer(request, writer, &self.operator, &self.context);
        tokio::select! {
            answered = answered => match answered {
                Ok(()) => Flow::Continue,
                Err(ClientGone) => Flow::End,
            },
            () = client_closed(&mut self.frames, &mut self.read_ahead), if is_query => Flow::End,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(subscription) = &self.subscription {
            subscription.abort();
        }
    }
}

/// The names that came before the request that they belong to.
#[derive(Default)]
struct EarlierNames {
    id: u32,
    names: Vec<String>,
    /// Length of all of them.
    bytes: usize,
}

impl EarlierNames {
    /// Keeps names for the request that follows, or gives a request those that came before it.
    /// Returns whether the request is to be answered.
    fn join(&mut self, id: u32, request: &mut Request) -> Result<bool, String> {
        if self.id != id {
            *self = Self { id, ..Self::default() };
        }
        if let Request::MoreNames { names } = request {
            self.bytes += names.iter().map(String::len).sum::<usize>();
            if self.names.len() + names.len() > AGENTS_MAX || self.bytes > NAMES_BYTES_MAX {
                *self = Self::default();
                return Err(format!("at most {AGENTS_MAX} agents are taken at once"));
            }
            self.names.append(names);
            return Ok(false);
        }
        let Self { names, .. } = std::mem::take(self);
        if !names.is_empty() {
            request.prepend_names(names);
        }
        Ok(true)
    }
}

type NextFrame = Result<Option<ClientFrame>, FrameError>;

/// Returns the frame that was read ahead, or the next one.
async fn next_frame(
    frames: &mut FrameReader<OwnedReadHalf>,
    read_ahead: &mut Option<NextFrame>,
) -> NextFrame {
    match read_ahead.take() {
        Some(next) => next,
        None => frames.next().await,
    }
}

/// Returns when the client has closed the connection. A frame that comes meanwhile is kept in
/// `read_ahead`.
async fn client_closed(
    frames: &mut FrameReader<OwnedReadHalf>,
    read_ahead: &mut Option<NextFrame>,
) {
    if read_ahead.is_none() {
        *read_ahead = Some(frames.next().await);
    }
    if !matches!(read_ahead, Some(Ok(None) | Err(FrameError::Io { .. }))) {
        std::future::pending::<()>().await;
    }
}

/// Returns when a subscription has ended by itself.
async fn over(subscription: &mut Option<JoinHandle<()>>) {
    match subscription {
        Some(task) => drop(task.await),
        None => std::future::pending().await,
    }
}

fn wanted(agents: Vec<String>, per_second: u8) -> SubscriptionRequest {
    let per_second = u64::from(per_second.clamp(1, 4));
    // The publisher's own pace is four a second: who wants that need not be held back.
    let every = if per_second == 4 { 0 } else { 1_000 / per_second };
    SubscriptionRequest { agents: BTreeSet::from_iter(agents), every: Duration::from_millis(every) }
}

/// Answers the hello: versions must be equal, and the peer learns who it is taken for. Returns that name.
async fn greet(
    writer: &ReplyWriter,
    request: Request,
    role: SocketRole,
    user: String,
    context: &ServerContext,
) -> Result<String, ClientGone> {
    let Request::Hello { version, client, origin } = request else {
        let message = "the first frame must be a hello".to_owned();
        writer.send(Reply::Error { code: ErrorCode::BadRequest, message }).await?;
        return Err(ClientGone);
    };
    if version != VERSION {
        let older = if version < VERSION { "this heartline" } else { "the collector" };
        let message = format!(
            "this heartline speaks version {version} and the collector version {VERSION}: \
             upgrade {older}"
        );
        writer.send(Reply::Error { code: ErrorCode::Version, message }).await?;
        return Err(ClientGone);
    }
    let operator = name(&user, origin.as_deref(), &context.host);
    tracing::debug!(operator, client = scrubbed(&client), "operator connected");
    let collector = match ask_driver(&context.driver, DriverRequest::Status).await {
        Ok(collector) => collector,
        Err((code, message)) => {
            writer.send(Reply::Error { code, message }).await?;
            return Err(ClientGone);
        }
    };
    let reply = Reply::Hello {
        version: VERSION,
        operator: operator.clone(),
        may_control: role == SocketRole::Control,
        collector: Box::new(collector),
    };
    writer.send(reply).await?;
    Ok(operator)
}

/// Returns the operator's name for the audit: the user of the peer credentials on this host, and behind it
/// where the client says that it came from.
fn name(user: &str, origin: Option<&str>, host: &str) -> String {
    match origin.map(scrubbed).filter(|origin| !origin.is_empty()) {
        Some(origin) => format!("{user}@{host} (from {origin})"),
        None => format!("{user}@{host}"),
    }
}

fn scrubbed(text: &str) -> String {
    heartline_vocabulary::text::scrub(text).take(NAME_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use heartline_operator::message::AgentSelector;

    #[tokio::test]
    async fn cancelling_a_send_does_not_truncate_its_frame() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (_reader, writer) = ours.into_split();
        let writer = ReplyWriter { writer: Arc::new(Mutex::new(writer)), id: 7 };
        let first = writer.clone();
        let message = "x".repeat(900_000);
        let sending = tokio::spawn(async move {
            let _ = first.send(Reply::Error { code: ErrorCode::Busy, message }).await;
        });
        theirs.readable().await.unwrap();
        sending.abort();
        let sending = tokio::spawn(async move {
            writer.send(Reply::Update(heartline_operator::SubscriptionUpdate::Resync)).await.is_ok()
        });
        let mut frames = FrameReader::new(theirs);
        let mut next = async || frames.next::<ServerFrame>().await.unwrap().unwrap().reply;
        assert!(matches!(next().await, Reply::Error { message, .. } if message.len() == 900_000));
        assert!(matches!(
            next().await,
            Reply::Update(heartline_operator::SubscriptionUpdate::Resync)
        ));
        assert!(sending.await.unwrap());
    }

    #[tokio::test]
    async fn a_closed_client_is_noticed_and_a_frame_that_comes_meanwhile_is_kept() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let ping = frame::encode(&ClientFrame { id: 3, request: Request::Ping }).unwrap();
        theirs.write_all(&ping).await.unwrap();
        ours.readable().await.unwrap();
        let (reader, _writer) = ours.into_split();
        let (mut frames, mut read_ahead) = (FrameReader::new(reader), None);
        let waited = timeout(Duration::ZERO, client_closed(&mut frames, &mut read_ahead)).await;
        assert!(waited.is_err() && read_ahead.is_some(), "the client is still there");
        let next = next_frame(&mut frames, &mut read_ahead).await.unwrap().unwrap();
        assert_eq!(next.id, 3);
        drop(theirs);
        client_closed(&mut frames, &mut read_ahead).await;
        assert!(next_frame(&mut frames, &mut read_ahead).await.unwrap().is_none());
    }

    #[test]
    fn names_of_earlier_frames_belong_to_the_request_of_their_id_alone() {
        let named = |names: &[&str]| {
            let names = names.iter().map(ToString::to_string).collect();
            Request::Snapshot { agents: AgentSelector::Names(names) }
        };
        let more = |name: &str| Request::MoreNames { names: vec![name.to_owned()] };
        let mut earlier = EarlierNames::default();
        assert_eq!(earlier.join(1, &mut more("a")), Ok(false));
        assert_eq!(earlier.join(1, &mut more("b")), Ok(false));
        let mut request = named(&["c"]);
        assert_eq!(earlier.join(1, &mut request), Ok(true));
        assert_eq!(request, named(&["a", "b", "c"]));
        assert_eq!(earlier.join(2, &mut more("x")), Ok(false));
        let mut other = named(&["c"]);
        assert_eq!(earlier.join(3, &mut other), Ok(true));
        assert_eq!(other, named(&["c"]), "its own names alone");
        let mut many = Request::MoreNames { names: vec![String::new(); AGENTS_MAX] };
        assert_eq!(earlier.join(4, &mut many), Ok(false));
        assert!(earlier.join(4, &mut more("one too many")).unwrap_err().contains("100000"));
        let mut long = Request::MoreNames { names: vec!["x".repeat(NAMES_BYTES_MAX + 1)] };
        assert!(earlier.join(5, &mut long).is_err(), "memory is bounded, too");
    }

    #[test]
    fn an_origin_cannot_forge_a_line() {
        assert_eq!(name("ops", None, "box"), "ops@box");
        assert_eq!(name("ops", Some("a\nb"), "box"), "ops@box (from a\u{FFFD}b)");
        assert!(name("ops", Some(&"x".repeat(5_000)), "box").len() < 100);
    }
}
