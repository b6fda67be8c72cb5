//! The client against a collector that answers from a script, on real sockets and pipes.

mod link;
mod request;
mod ssh;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::frame::{FrameReader, encode};
use crate::message::{
    AgentSelector, ClientFrame, ErrorCode, FleetDelta, Reply, Request, ServerFrame,
    SubscriptionUpdate, TokenRequest, VERSION,
};
use crate::{CollectorDirectories, sample};

const DEADLINE: Duration = Duration::from_secs(20);

/// A collector at work; dropping it cuts all its connections.
struct MockCollector(JoinHandle<()>);

impl Drop for MockCollector {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct ClientFixture {
    _dir: TempDir,
    directories: CollectorDirectories,
}

impl ClientFixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let directories =
            CollectorDirectories { data: dir.path().into(), sockets: dir.path().into() };
        Self { _dir: dir, directories }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directories.data.join(name)
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Unix(self.directories.clone())
    }

    /// Serves one connection at a time on a socket of this fixture.
    fn serve(&self, socket: &str, version: u16) -> MockCollector {
        let path = self.path(socket);
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(path).unwrap();
        let may_control = socket == crate::CONTROL_SOCKET;
        MockCollector(tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (reader, writer) = stream.into_split();
                answer(reader, writer, version, may_control).await;
            }
        }))
    }

    /// An executable script, written by a process of its own: a test that forks at the wrong
    /// moment would keep a file open that was written here, and it could not be run.
    fn script(&self, name: &str, body: &str) -> PathBuf {
        let path = self.path(name);
        let made = Command::new("sh")
            .args(["-c", r#"printf '%s\n' "$2" > "$1" && chmod +x "$1""#, "sh"])
            .arg(&path)
            .arg(body)
            .status()
            .unwrap();
        assert!(made.success());
        path
    }

    fn ssh(&self, body: &str) -> SshEndpoint {
        let program = self.script("ssh", body);
        SshEndpoint { program, ..SshEndpoint::new("m3") }
    }
}

/// Answers one connection. About the agent `mute` nothing is said; `Token` ends it.
async fn answer(
    reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    version: u16,
    may_control: bool,
) {
    let mut frames = FrameReader::new(reader);
    while let Ok(Some(ClientFrame { id, request })) = frames.next().await {
        for reply in replies(request, version, may_control) {
            if writer.write_all(&encode(&ServerFrame { id, reply }).unwrap()).await.is_err() {
                return;
            }
        }
    }
}

fn replies(request: Request, version: u16, may_control: bool) -> Vec<Reply> {
    let page = |key, agent: &str, last| {
        Reply::Update(SubscriptionUpdate::Page {
            entries: vec![sample::idle_agent(key, agent)],
            collector: Box::new(sample::paused_collector()),
            last,
        })
    };
    match request {
        Request::Hello { .. } => vec![Reply::Hello {
            version,
            operator: "ops@here".into(),
            may_control,
            collector: Box::new(sample::paused_collector()),
        }],
        Request::Snapshot { .. } => vec![page(1, "a", false), page(2, "b", true)],
        Request::Subscribe { .. } => {
            let delta = SubscriptionUpdate::Delta(Box::new(FleetDelta {
                collector: sample::paused_collector(),
                entries: vec![sample::idle_agent(3, "c")],
                removed: vec![heartline_vocabulary::AgentRowId(1)],
                ..FleetDelta::default()
            }));
            vec![page(1, "a", false), page(2, "b", true), Reply::Update(delta)]
        }
        Request::Agent { agent } if agent == "mute" => Vec::new(),
        Request::Agent { agent } => {
            vec![Reply::Error { code: ErrorCode::NotFound, message: format!("no agent {agent}") }]
        }
        Request::Token(_) => vec![Reply::Goodbye { why: "it ends at once".into() }],
        _ => vec![Reply::Pong { at_ms: sample::NOW_MS }],
    }
}

async fn connect(endpoint: &Endpoint) -> Result<Client, ClientError> {
    let request_timeout = Duration::from_millis(300);
    let options = ClientOptions { request_timeout, ..ClientOptions::default() };
    timeout(DEADLINE, Client::connect(endpoint, &options)).await.unwrap()
}

fn failure<T>(result: Result<T, ClientError>) -> ClientError {
    result.err().expect("it must fail")
}
