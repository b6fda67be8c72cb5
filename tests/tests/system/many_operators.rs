//! Many connections at once: who asks nothing keeps nobody out.

use std::process::Command;

use heartline_operator::client::{Client, ClientError, ClientOptions, Endpoint};
use heartline_operator::message::{AgentEntry, EventKind};
use heartline_tests::harness::{
    CollectorProcess, TestEnvironment, TestProcess, UnixUser, wait_for, wait_until,
};
use heartline_vocabulary::State;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

/// Opens connections, says nothing on them, and opens each again that is closed.
const STRANGER: &str = r#"
import resource, select, socket, sys
path, count = sys.argv[1], int(sys.argv[2])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
poller, connections = select.poll(), {}
def connect():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    connections[connection.fileno()] = connection
    poller.register(connection, select.POLLRDHUP)
for _ in range(count):
    connect()
print("connected", flush=True)
while True:
    for fd, _ in poller.poll():
        poller.unregister(fd)
        connections.pop(fd).close()
        connect()
    select.select([], [], [], 0.1)
"#;
/// Processes of strangers, and connections of each of them.
const PROCESSES: usize = 4;
const CONNECTIONS: usize = 500;

/// Starts 2,000 connections that say nothing, as another user where this process can be one.
fn start_strangers(env: &TestEnvironment, socket: &str) -> Vec<TestProcess> {
    let path = env.directories().sockets.join(socket);
    let start = |_| {
        let mut command: Command = env.command("python3");
        command.args(["-c", STRANGER]).arg(&path).arg(CONNECTIONS.to_string());
        if UnixUser::can_switch() {
            UnixUser::named("nobody").run(&mut command);
        }
        TestProcess::start(&mut command)
    };
    let mut strangers: Vec<TestProcess> = (0..PROCESSES).map(start).collect();
    for stranger in &mut strangers {
        stranger.wait_for_line("it is connected", |line| (line == "connected").then_some(()));
    }
    strangers
}

/// Starts a collector that may have no more descriptors than most systems allow by default.
fn start_limited_collector(env: &TestEnvironment) -> CollectorProcess {
    let heartlined = env.heartlined("127.0.0.1:0");
    let mut command = env.command("sh");
    command.args(["-c", r#"ulimit -n 1024 && exec "$0" "$@""#]);
    command.arg(heartlined.get_program()).args(heartlined.get_args());
    CollectorProcess::start(&mut command)
}

/// Has the owner ask ten times, each time on a new connection.
fn assert_owner_is_answered(env: &TestEnvironment, what: &str) {
    let begun = Instant::now();
    for _ in 0..10 {
        assert_eq!(env.operator().collector().summary.total, 0);
    }
    eprintln!("{what}: ten answers to the owner took {:?}", begun.elapsed());
}

fn closed_lines(log: &str) -> usize {
    log.lines().filter(|line| line.contains("closed an operator's connection")).count()
}

#[test]
fn two_thousand_strangers_without_access_keep_nobody_out() {
    let env = TestEnvironment::new();
    env.share();
    env.configure("[access]\ncontrol = [\"daemon\"]\n");
    let collector = start_limited_collector(&env);
    let strangers = start_strangers(&env, "ctl.sock");
    assert_owner_is_answered(&env, "2,000 strangers without access");
    let refused = || {
        let counters = env.operator().collector().connections;
        counters.not_allowed + counters.no_place + counters.no_greeting + counters.evicted
    };
    wait_until("they are counted", || refused() > 5_000);
    let (lines, refused) = (closed_lines(&collector.log()), refused());
    assert!((lines as u64) < refused / 50, "{lines} lines for {refused} connections");
    drop(strangers);
}

#[test]
fn two_thousand_idle_viewers_keep_nobody_out() {
    let env = TestEnvironment::new();
    env.share();
    env.configure("[access]\nview = [\"nobody\"]\ncontrol = [\"daemon\"]\n");
    let mut collector = start_limited_collector(&env);
    for socket in ["ctl.sock", "view.sock"] {
        let strangers = start_strangers(&env, socket);
        assert_owner_is_answered(&env, &format!("2,000 viewers that say nothing on {socket}"));
        drop(strangers);
    }
    let descriptors = format!("/proc/{}/fd", collector.process().pid());
    wait_until("what they held is given back", || {
        std::fs::read_dir(&descriptors).is_ok_and(|open| open.count() < 64)
    });
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn idle_connections_are_closed_for_newer_ones() {
    let env = TestEnvironment::new();
    let _collector = env.start_collector();
    let (runtime, endpoint) = (runtime(), Endpoint::Unix(env.directories()));
    let connect = || runtime.block_on(Client::connect(&endpoint, &ClientOptions::default()));
    let idle: Vec<Client> = (0..300).map(|_| connect().expect("there is room")).collect();
    assert_owner_is_answered(&env, "300 idle connections of its own");
    assert!(env.operator().collector().connections.evicted >= 200);
    // One that was closed is told why.
    let request = || runtime.block_on(idle[0].request(heartline_operator::message::Request::Ping));
    let error = request().expect_err("it was idle for the longest time");
    assert!(
        matches!(&error, ClientError::Closed { why } if why.contains("closed for newer")),
        "{error}"
    );
}

#[test]
fn every_operator_is_told_that_the_collector_ends() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let (runtime, endpoint) = (runtime(), Endpoint::Unix(env.directories()));
    let mut subscriptions: Vec<_> = (0..50)
        .map(|_| {
            runtime.block_on(async {
                let client = Client::connect(&endpoint, &ClientOptions::default()).await?;
                client.subscribe(Vec::new(), 4).await
            })
        })
        .map(|subscription| subscription.expect("there is room"))
        .collect();
    let ending = std::thread::spawn(move || collector.terminate().code());
    for subscription in &mut subscriptions {
        let end = runtime.block_on(async {
            loop {
                if let Err(error) = subscription.next().await {
                    return error;
                }
            }
        });
        assert!(end.to_string().contains("the collector is shutting down"), "{end}");
    }
    assert_eq!(ending.join().unwrap(), Some(0));
}

#[test]
fn what_an_operator_was_shown_is_in_the_history_it_asks_for() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    for n in 0..20 {
        let name = format!("agent-{n}");
        let agent = env.emitter(&name, collector.address(), 60_000).start();
        let is_healthy = |entry: &AgentEntry| entry.vitals.state == State::Healthy;
        wait_for("it is shown as healthy", || operator.agent(&name).filter(is_healthy));
        let events = operator.events_of(&name);
        let became_healthy = events
            .iter()
            .any(|it| matches!(it.kind, EventKind::Transition { to: State::Healthy, .. }));
        assert!(became_healthy, "{name} was shown, and its history is {events:?}");
        agent.stop();
    }
}
