//! Connections of clients to an incident file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use heartline_collector::serve::{QuestionRefusal, answer_about_the_past};
use heartline_collector::store::{
    IncidentFile, IncidentInfo, ReadError, ReaderPool, ReaderPoolConfig, StoreReader,
};
use heartline_operator::Filter;
use heartline_operator::client::LocalServer;
use heartline_operator::frame::{self, FrameError, FrameReader};
use heartline_operator::message::{
    AgentEntry, AgentSelector, ClientFrame, CollectorStatus, ErrorCode, Event, EventQuery,
    FleetDelta, Reply, Request, ServerFrame, SubscriptionUpdate, VERSION,
};
use heartline_vocabulary::text::scrub;
use tokio::io::{AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};
use tokio::time::{MissedTickBehavior, interval};

use crate::OpenError;
use crate::fleet::{self, FinalFleet};

/// How often a subscriber is told that nothing has changed: its clock goes on by itself, and that of the file
/// stands still.
const UPDATE_INTERVAL: Duration = Duration::from_millis(250);
/// Agents in a page of a snapshot.
const PAGE_AGENTS: usize = 256;
/// The name of whoever looks at a file.
const OPERATOR: &str = "you";

/// A file that is served.
struct FileServer {
    info: IncidentInfo,
    status: CollectorStatus,
    fleet: FinalFleet,
    readers: ReaderPool,
}

/// The client has closed its connection.
struct ClientGone;

/// Starts a server of a file.
pub(crate) fn start(file: IncidentFile, path: &Path) -> Result<LocalServer, OpenError> {
    let IncidentFile { info, mut reader } = file;
    let fleet = FinalFleet::read(&mut reader, info.until_ms)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name: String = scrub(&name.unwrap_or_default()).collect();
    let status = fleet::status(&info, &fleet, &name);
    let readers = ReaderPool::of_reader(reader, &ReaderPoolConfig::INCIDENT)?;
    let server = Arc::new(FileServer { info, status, fleet, readers });
    Ok(LocalServer::new(move |stream| {
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let _gone = server.serve(stream).await;
        });
    }))
}

impl FileServer {
    /// Serves a connection until its client closes it.
    async fn serve(&self, stream: DuplexStream) -> Result<(), ClientGone> {
        let (reader, writer) = tokio::io::split(stream);
        let mut connection = Connection { frames: FrameReader::new(reader), writer };
        let mut subscription = None;
        let mut updates = interval(UPDATE_INTERVAL);
        updates.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let frame = tokio::select! {
                frame = connection.frames.next::<ClientFrame>() => frame,
                _ = updates.tick(), if subscription.is_some() => {
                    let delta = FleetDelta { collector: self.status.clone(), ..FleetDelta::default() };
                    let update = SubscriptionUpdate::Delta(Box::new(delta));
                    connection.send(subscription.unwrap_or(0), Reply::Update(update)).await?;
                    continue;
                }
            };
            let ClientFrame { id, request } = match frame {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(()),
                Err(error) => return connection.refuse(&error).await,
            };
            match request {
                Request::Snapshot { agents } => {
                    self.send_pages(id, &agents, &mut connection).await?;
                }
                Request::Subscribe { agents, .. } => {
                    let agents = match agents.is_empty() {
                        true => AgentSelector::All,
                        false => AgentSelector::Names(agents),
                    };
                    self.send_pages(id, &agents, &mut connection).await?;
                    subscription = Some(id);
                }
                request => {
                    let reply = self.reply(request).await;
                    connection.send(id, reply).await?;
                }
            }
        }
    }

    async fn send_pages(
        &self,
        id: u32,
        agents: &AgentSelector,
        connection: &mut Connection,
    ) -> Result<(), ClientGone> {
        let found = match self.fleet.select(agents, self.info.until_ms) {
            Ok(found) => found,
            Err(error) => return connection.send(id, bad_request(&error)).await,
        };
        let mut pages: Vec<Vec<AgentEntry>> =
            found.chunks(PAGE_AGENTS).map(<[AgentEntry]>::to_vec).collect();
        if pages.is_empty() {
            pages.push(Vec::new());
        }
        let count = pages.len();
        for (number, entries) in (1..).zip(pages) {
            let collector = Box::new(self.status.clone());
            let page = SubscriptionUpdate::Page { entries, collector, last: number == count };
            connection.send(id, Reply::Update(page)).await?;
        }
        Ok(())
    }

    /// Answers a request with one reply. What is asked about the past is answered as a collector does.
    async fn reply(&self, request: Request) -> Reply {
        match request {
            Request::Hello { version: VERSION, .. } => Reply::Hello {
                version: VERSION,
                operator: OPERATOR.to_owned(),
                may_control: false,
                collector: Box::new(self.status.clone()),
            },
            Request::Ping => Reply::Pong { at_ms: self.info.until_ms },
            Request::Collector => Reply::Collector(Box::new(self.status.clone())),
            Request::CollectorHealth => {
                let message = "an incident file does not know how its collector does";
                Reply::Error { code: ErrorCode::NotFound, message: message.to_owned() }
            }
            Request::Agent { agent } => self.agent(&agent).await,
            Request::Events(query) => self.events(query).await,
            Request::Hello { .. }
            | Request::Command(_)
            | Request::Preview { .. }
            | Request::Note(_)
            | Request::Forget(_)
            | Request::Alerts(_)
            | Request::Acknowledge { .. }
            | Request::Silence(_)
            | Request::TestSink { .. }
            | Request::MoreNames { .. }
            | Request::Token(_)
            | Request::Backup(_)
            | Request::IncidentContents(_)
            | Request::IncidentFile(_) => {
                let message = "an incident file is only looked at: nothing can be changed in it";
                Reply::Error { code: ErrorCode::NotAllowed, message: message.to_owned() }
            }
            request => self.past(request).await,
        }
    }

    async fn past(&self, request: Request) -> Reply {
        let now_ms = self.info.until_ms;
        let answered =
            self.read(move |reader| answer_about_the_past(reader, request, now_ms)).await;
        match answered {
            Ok(Ok(reply)) | Err(reply) => reply,
            Ok(Err(QuestionRefusal::UnknownAgent(agent))) => self.fleet.unknown(&agent),
            Ok(Err(QuestionRefusal::Refused(code, message))) => Reply::Error { code, message },
        }
    }

    async fn agent(&self, name: &str) -> Reply {
        let Some(entry) = self.fleet.by_name().get(name).map(|entry| (*entry).clone()) else {
            return self.fleet.unknown(name);
        };
        match self.read(move |reader| fleet::read_detail(reader, entry)).await {
            Ok(detail) => Reply::Agent(Box::new(detail)),
            Err(reply) => reply,
        }
    }

    async fn events(&self, mut query: EventQuery) -> Reply {
        let filter = match Filter::parse(&std::mem::take(&mut query.filter)) {
            Ok(filter) => filter,
            Err(error) => return bad_request(&error),
        };
        let (mut events, next) = match self.read(move |reader| reader.events(&query)).await {
            Ok(page) => page,
            Err(reply) => return reply,
        };
        if !filter.is_empty() {
            let by_name = self.fleet.by_name();
            let is_wanted = |event: &Event| {
                let entry = event.agent.as_deref().and_then(|agent| by_name.get(agent).copied());
                filter.matches_event(event, entry, self.info.until_ms)
            };
            events.retain(is_wanted);
        }
        Reply::Events { events, next }
    }

    /// Runs a query, within a deadline.
    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut StoreReader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Reply> {
        self.readers.read(query).await.map_err(|error| {
            let message = format!("the incident file can't be read: {error}");
            Reply::Error { code: ErrorCode::Unavailable, message }
        })
    }
}

fn bad_request(error: &impl std::fmt::Display) -> Reply {
    Reply::Error { code: ErrorCode::BadRequest, message: error.to_string() }
}

/// Both directions of a connection.
struct Connection {
    frames: FrameReader<ReadHalf<DuplexStream>>,
    writer: WriteHalf<DuplexStream>,
}

impl Connection {
    /// Sends a reply, in parts where it is too long for one frame.
    async fn send(&mut self, id: u32, reply: Reply) -> Result<(), ClientGone> {
        let mut pieces = vec![reply];
        while let Some(reply) = pieces.pop() {
            let frame = ServerFrame { id, reply };
            match frame::encode(&frame) {
                Ok(bytes) => self.writer.write_all(&bytes).await.map_err(|_| ClientGone)?,
                Err(error) => match frame.reply.split() {
                    Some((first, rest)) => pieces.extend([rest, first]),
                    None => pieces.push(Reply::Error {
                        code: ErrorCode::Unavailable,
                        message: format!("the answer could not be sent: {error}"),
                    }),
                },
            }
        }
        Ok(())
    }

    async fn refuse(&mut self, error: &FrameError) -> Result<(), ClientGone> {
        self.send(0, bad_request(error)).await
    }
}
