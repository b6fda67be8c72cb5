//! The client against a collector that answers from a script, on real sockets and pipes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::frame::{FrameReader, write_frame};
use crate::message::{Changes, ClientFrame, ErrorCode, Reply, Request, ServerFrame, VERSION};
use crate::sample;
use crate::{Directories, Mirror, Update};

const DEADLINE: Duration = Duration::from_secs(20);

/// A collector at work; dropping it cuts all its connections.
struct Collector(JoinHandle<()>);

impl Drop for Collector {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct World {
    _dir: TempDir,
    directories: Directories,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let directories = Directories { data: dir.path().into(), sockets: dir.path().into() };
        Self { _dir: dir, directories }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directories.data.join(name)
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Unix(self.directories.clone())
    }

    /// Serves one connection at a time on a socket of this world.
    fn serve(&self, socket: &str, version: u16) -> Collector {
        let path = self.path(socket);
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(path).unwrap();
        let may_control = socket == crate::CONTROL_SOCKET;
        Collector(tokio::spawn(async move {
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

/// Answers one connection. About the agent `mute` nothing is said; `Forget` ends it.
async fn answer(
    reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    version: u16,
    may_control: bool,
) {
    let mut frames = FrameReader::new(reader);
    while let Ok(Some(ClientFrame { id, request })) = frames.next().await {
        for reply in replies(request, version, may_control) {
            if write_frame(&mut writer, &ServerFrame { id, reply }).await.is_err() {
                return;
            }
        }
    }
}

fn replies(request: Request, version: u16, may_control: bool) -> Vec<Reply> {
    let page = |key, agent: &str, last| Reply::Page {
        entries: vec![sample::idle_entry(key, agent)],
        collector: sample::collector(),
        last,
    };
    match request {
        Request::Hello { .. } => vec![Reply::Hello {
            version,
            operator: "ops@here".into(),
            may_control,
            collector: sample::collector(),
        }],
        Request::Snapshot { .. } => vec![page(1, "a", false), page(2, "b", true)],
        Request::Subscribe { .. } => {
            let changes = Changes {
                collector: sample::collector(),
                entries: vec![sample::idle_entry(3, "c")],
                changed: Vec::new(),
                work: Vec::new(),
                removed: vec![1],
                events: Vec::new(),
            };
            vec![page(1, "a", false), page(2, "b", true), Reply::Changes(changes)]
        }
        Request::Agent { agent } if agent == "mute" => Vec::new(),
        Request::Agent { agent } => {
            vec![Reply::Error { code: ErrorCode::NotFound, message: format!("no agent {agent}") }]
        }
        Request::Forget { .. } => vec![Reply::Goodbye { why: "it ends at once".into() }],
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

#[tokio::test]
async fn questions_are_answered_each_to_its_own() {
    let world = World::new();
    let _collector = world.serve(crate::CONTROL_SOCKET, VERSION);
    let client = connect(&world.endpoint()).await.unwrap();
    assert!(client.greeting().may_control);
    assert_eq!(client.greeting().operator, "ops@here");

    let (pong, refused, mute) = tokio::join!(
        client.request(Request::Ping),
        client.request(Request::Agent { agent: "x".into() }),
        client.request(Request::Agent { agent: "mute".into() }),
    );
    assert_eq!(pong.unwrap(), Reply::Pong { at_ms: sample::NOW_MS });
    assert!(matches!(failure(refused),
        ClientError::Refused { code: ErrorCode::NotFound, message } if message == "no agent x"));
    assert!(matches!(failure(mute), ClientError::TimedOut { what: "agent", .. }));
    let (fleet, collector) = client.snapshot(Vec::new()).await.unwrap();
    assert_eq!(fleet.iter().map(|entry| &*entry.agent).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(collector, sample::collector());
}

#[tokio::test]
async fn the_reason_of_the_end_reaches_everybody() {
    let world = World::new();
    let _collector = world.serve(crate::CONTROL_SOCKET, VERSION);
    let client = connect(&world.endpoint()).await.unwrap();
    let (waiting, asking) = tokio::join!(
        client.request(Request::Agent { agent: "mute".into() }),
        client.request(Request::Forget { agents: Vec::new() }),
    );
    for error in [failure(waiting), failure(asking), failure(client.request(Request::Ping).await)] {
        assert!(matches!(error, ClientError::Closed { why } if why == "it ends at once"));
    }
}

#[tokio::test]
async fn nobody_there_says_where_and_what_to_do() {
    let world = World::new();
    let error = failure(connect(&world.endpoint()).await);
    let text = error.to_string();
    assert!(error.is_no_collector() && matches!(error, ClientError::NoCollector { .. }));
    let path = world.path(crate::CONTROL_SOCKET);
    let start = format!("no collector answers on {}: start `heartlined`", path.display());
    assert!(text.starts_with(&start), "{text}");

    // A socket that a dead collector left behind.
    drop(std::os::unix::net::UnixListener::bind(path).unwrap());
    assert!(matches!(failure(connect(&world.endpoint()).await), ClientError::NoCollector { .. }));
}

#[tokio::test]
async fn another_version_is_refused_by_name() {
    let world = World::new();
    let _collector = world.serve(crate::CONTROL_SOCKET, VERSION + 1);
    let error = failure(connect(&world.endpoint()).await);
    assert!(matches!(error, ClientError::Version { theirs: Some(v) } if v == VERSION + 1));
}

#[tokio::test]
async fn an_unreadable_greeting_is_another_version() {
    let world = World::new();
    let listener = UnixListener::bind(world.path(crate::CONTROL_SOCKET)).unwrap();
    let collector = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        write_frame(&mut stream, &("hello", 7)).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    assert!(matches!(
        failure(connect(&world.endpoint()).await),
        ClientError::Version { theirs: None }
    ));
    collector.await.unwrap();
}

#[tokio::test]
async fn who_may_not_act_still_looks() {
    let world = World::new();
    let _control = world.serve(crate::CONTROL_SOCKET, VERSION);
    let _view = world.serve(crate::VIEW_SOCKET, VERSION);
    let options = ClientOptions { access: Access::View, ..ClientOptions::default() };
    let client = Client::connect(&world.endpoint(), &options).await.unwrap();
    assert!(!client.greeting().may_control);

    let path = world.path(crate::CONTROL_SOCKET);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0)).unwrap();
    if std::os::unix::net::UnixStream::connect(&path).is_ok() {
        return; // Root opens everything.
    }
    drop(client);
    assert!(!connect(&world.endpoint()).await.unwrap().greeting().may_control);
}

async fn next(link: &mut Link) -> LinkEvent {
    timeout(DEADLINE, link.next()).await.expect("the link fell silent")
}

/// Passes events on until the mirror has the whole fleet and its first changes.
async fn until_live(link: &mut Link, mirror: &mut Mirror) {
    let mut live = false;
    loop {
        match next(link).await {
            LinkEvent::State(LinkState::Live(_)) => {
                mirror.begin();
                live = true;
            }
            LinkEvent::Update(update) => {
                assert!(live, "news came before the link was live");
                let changes = matches!(update, Update::Changes(_));
                mirror.apply(update, Duration::ZERO);
                if changes {
                    return;
                }
            }
            _ => {}
        }
    }
}

async fn until_lost(link: &mut Link) -> String {
    loop {
        if let LinkEvent::State(LinkState::Lost { why, .. }) = next(link).await {
            return why;
        }
    }
}

#[tokio::test]
async fn a_lost_link_comes_back_by_itself() {
    let world = World::new();
    let collector = world.serve(crate::CONTROL_SOCKET, VERSION);
    let mut link = Link::open(world.endpoint(), ClientOptions::default());
    let handle = link.handle();
    let mut mirror = Mirror::default();
    until_live(&mut link, &mut mirror).await;
    assert_eq!(mirror.entries().map(|entry| &*entry.agent).collect::<Vec<_>>(), ["b", "c"]);
    assert!(handle.request(Request::Ping).await.is_ok());

    drop(collector);
    assert!(until_lost(&mut link).await.contains("hung up"));
    assert!(matches!(failure(handle.request(Request::Ping).await), ClientError::Closed { .. }));
    assert!(until_lost(&mut link).await.starts_with("no collector answers on"));
    assert_eq!(mirror.len(), 2, "what was known stays");

    let _collector = world.serve(crate::CONTROL_SOCKET, VERSION);
    handle.reconnect();
    until_live(&mut link, &mut mirror).await;
    assert!(mirror.is_whole());
    assert!(handle.request(Request::Ping).await.is_ok());
}

#[tokio::test]
async fn a_link_measures_its_round_trip() {
    let world = World::new();
    let _collector = world.serve(crate::CONTROL_SOCKET, VERSION);
    let mut link = Link::open(world.endpoint(), ClientOptions::default());
    loop {
        if let LinkEvent::RoundTrip(trip) = next(&mut link).await {
            assert!(trip < DEADLINE);
            return;
        }
    }
}

#[tokio::test]
async fn a_reader_that_takes_nothing_loses_its_connection_and_not_the_memory() {
    let world = World::new();
    let listener = UnixListener::bind(world.path(crate::CONTROL_SOCKET)).unwrap();
    let flood = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let mut frames = FrameReader::new(reader);
        let mut sent = 0_u64;
        while let Ok(Some(ClientFrame { id, request })) = frames.next().await {
            let subscribed = matches!(request, Request::Subscribe { .. });
            let mut news = replies(request, VERSION, true);
            while let Some(reply) = news.pop() {
                if write_frame(&mut writer, &ServerFrame { id, reply }).await.is_err() {
                    return sent;
                }
                sent += 1;
                if subscribed {
                    news = vec![Reply::Resync];
                }
            }
        }
        sent
    });
    let client = connect(&world.endpoint()).await.unwrap();
    let mut news = client.subscribe(Vec::new(), 4).await.unwrap();
    let sent = timeout(DEADLINE, flood).await.expect("the connection must be cut").unwrap();
    let mut taken = 0;
    let error = loop {
        match news.next().await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("did not take its news"), "{error}");
    assert!(taken < 100 && sent > taken, "{taken} of {sent}");
}

#[tokio::test]
async fn a_collector_is_reached_through_ssh() {
    let world = World::new();
    let pipe = |name| {
        assert!(Command::new("mkfifo").arg(world.path(name)).status().unwrap().success());
        world.path(name)
    };
    let (up, down) = (pipe("up"), pipe("down"));
    let mut options = tokio::net::unix::pipe::OpenOptions::new();
    let to_collector = options.read_write(true).open_receiver(up).unwrap();
    let from_collector = options.open_sender(down).unwrap();
    let collector = tokio::spawn(answer(to_collector, from_collector, VERSION, true));

    let body = r#"#!/bin/sh
cd "$(dirname "$0")" && echo "$$" > pid && echo "$@" > arguments
cat < down & cat > up"#;
    let ssh = SshEndpoint { data_dir: Some("/srv/h".into()), ..world.ssh(body) };
    let client = connect(&Endpoint::Ssh(ssh)).await.unwrap();
    assert_eq!(client.snapshot(Vec::new()).await.unwrap().0.len(), 2);
    assert_eq!(
        std::fs::read_to_string(world.path("arguments")).unwrap(),
        "-T m3 heartline --data-dir /srv/h dial-stdio\n"
    );

    let pid = std::fs::read_to_string(world.path("pid")).unwrap();
    let process = Path::new("/proc").join(pid.trim());
    assert!(process.exists());
    drop(client);
    let gone = async {
        while process.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, gone).await.expect("ssh outlived its connection");
    collector.abort();
}

#[tokio::test]
async fn what_ssh_says_is_the_error() {
    let world = World::new();
    let ssh = world.ssh("#!/bin/sh\necho 'ops@m3: Permission denied (publickey).' >&2; exit 255");
    let error = failure(connect(&Endpoint::Ssh(ssh)).await);
    assert!(error.is_no_collector());
    assert!(error.to_string().ends_with("ssh says: ops@m3: Permission denied (publickey)."));

    let missing = SshEndpoint { program: world.path("none"), ..SshEndpoint::new("m3") };
    assert!(matches!(failure(connect(&Endpoint::Ssh(missing)).await), ClientError::NoSsh { .. }));
    let option = Endpoint::Ssh(SshEndpoint::new("-oProxyCommand=rm"));
    assert!(matches!(failure(connect(&option).await), ClientError::BadHost { .. }));
}

#[tokio::test]
async fn dialled_bytes_pass_both_ways_until_one_side_closes() {
    let world = World::new();
    let _collector = world.serve(crate::CONTROL_SOCKET, VERSION);
    let (mut near_in, far_in) = tokio::io::duplex(64);
    let (far_out, near_out) = tokio::io::duplex(64);
    let directories = world.directories.clone();
    let dial =
        tokio::spawn(
            async move { dial::join(&directories, Access::Control, far_in, far_out).await },
        );
    write_frame(&mut near_in, &ClientFrame { id: 9, request: Request::Ping }).await.unwrap();
    let pong = FrameReader::new(near_out).next::<ServerFrame>().await.unwrap().unwrap();
    assert_eq!(pong, ServerFrame { id: 9, reply: Reply::Pong { at_ms: sample::NOW_MS } });
    near_in.shutdown().await.unwrap();
    drop(near_in);
    timeout(DEADLINE, dial).await.expect("it must end").unwrap().unwrap();
}
