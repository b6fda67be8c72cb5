//! `heartline doctor`, with each fault that keeps an agent from being seen.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use heartline_operator::message::{TokenReply, TokenRequest};
use heartline_tests::harness::{NetworkConditions, TestEnvironment, TestedProgram, UdpProxy};

/// Runs the doctor as on an agent's machine that sends to this address.
#[track_caller]
fn doctor(
    env: &TestEnvironment,
    collector: SocketAddr,
    change: impl FnOnce(&mut Command),
) -> Output {
    let mut command = env.command(TestedProgram::Heartline.path());
    command.arg("doctor").env("HEARTLINE_COLLECTOR", collector.to_string());
    change(&mut command);
    command.output().expect("heartline can be started")
}

/// Checks that the doctor has found one problem, which has these texts.
#[track_caller]
fn assert_finds(output: &Output, texts: &[&str]) {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{printed}");
    let problems: Vec<_> = printed.lines().filter(|line| line.starts_with('✗')).collect();
    assert_eq!(problems.len(), 1, "{printed}");
    for text in texts {
        assert!(printed.contains(text), "no {text:?} in\n{printed}");
    }
}

fn unused_address() -> SocketAddr {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

#[test]
fn an_agent_that_would_be_seen_has_no_problem_and_leaves_no_trace() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let output = doctor(&env, collector.address(), |command| {
        command.args(["--agent", "mail.7"]);
    });
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert!(printed.contains("address and token are right"), "{printed}");
    assert!(printed.contains("the token covers mail.7"), "{printed}");
    assert_eq!(env.operator().fleet(), []);
}

#[test]
fn no_collector_is_found() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let address = collector.address();
    collector.terminate();
    let output = doctor(&env, address, |_| {});
    assert_finds(&output, &["nothing listens on", "Start `heartlined` there"]);
}

#[test]
fn a_wrong_port_is_found_and_the_right_one_named() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let right = format!("receives on {}", collector.address());
    let advice = "HEARTLINE_COLLECTOR to where";
    let closed = doctor(&env, unused_address(), |_| {});
    assert_finds(&closed, &["nothing listens on", &right, advice]);
    // Another program listens there, and says nothing.
    let mute = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = doctor(&env, mute.local_addr().unwrap(), |_| {});
    assert_finds(&taken, &["no answer from", &right, "The port is wrong", advice]);
    let echo = Relay::start(None, |_| {});
    let answered = doctor(&env, echo.address, |_| {});
    assert_finds(&answered, &["something else than a collector", &right, advice]);
}

#[test]
fn blocked_answers_are_found() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let proxy = UdpProxy::start(collector.address(), 1);
    proxy.set_conditions(NetworkConditions::ONE_WAY);
    let texts = ["arrived, and the collector's answer did not come back", "A firewall or a NAT"];
    assert_finds(&doctor(&env, proxy.address(), |_| {}), &texts);
    assert_eq!(env.operator().fleet(), [], "the probe was forgotten");
    // A token for one agent alone: the probe has that agent's id, which is listed from then on.
    let token = token(&env, "mail");
    for _ in 0..2 {
        let output = doctor(&env, proxy.address(), |command| {
            command.env("HEARTLINE_TOKEN", &token);
        });
        assert_finds(&output, &texts);
    }
    proxy.set_conditions(NetworkConditions::DISCONNECTED);
    let output = doctor(&env, proxy.address(), |_| {});
    assert_finds(&output, &["no answer from", "no probe came to the collector"]);
}

#[test]
fn without_an_operators_connection_all_that_it_may_be_is_named() {
    let (env, agents_host) = (TestEnvironment::new(), TestEnvironment::new());
    let collector = env.start_collector();
    let proxy = UdpProxy::start(collector.address(), 1);
    proxy.set_conditions(NetworkConditions::ONE_WAY);
    let token = token(&env, "");
    let output = doctor(&agents_host, proxy.address(), |command| {
        command.env("HEARTLINE_TOKEN", token);
    });
    let texts = ["no answer from", "of another collector", "revoked", "version", "firewall"];
    assert_finds(&output, &texts);
}

#[test]
fn a_token_of_another_collector_is_found() {
    let (env, other) = (TestEnvironment::new(), TestEnvironment::new());
    let collector = env.start_collector();
    drop(other.start_collector());
    let file = other.data_dir().join("local.token");
    let output = doctor(&env, collector.address(), |command| {
        command.env("HEARTLINE_TOKEN_FILE", file);
    });
    assert_finds(&output, &["its signature is wrong", "Make one with `heartline token`"]);
    let damaged = doctor(&env, collector.address(), |command| {
        command.env("HEARTLINE_TOKEN", "hl1.AAAA");
    });
    assert_finds(&damaged, &["the token from HEARTLINE_TOKEN", "Copy it again"]);
}

#[test]
fn a_revoked_token_is_found() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let token = token(&env, "mail.");
    let revoke = TokenRequest::Revoke { scope: "mail.".to_owned(), reason: "leaked".to_owned() };
    assert!(matches!(env.operator().token(revoke), TokenReply::Done));
    let output = doctor(&env, collector.address(), |command| {
        command.env("HEARTLINE_TOKEN", &token);
    });
    assert_finds(&output, &["its token is revoked", "heartline token list"]);
}

#[test]
fn an_id_outside_of_the_tokens_scope_is_found() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let token = token(&env, "mail.");
    let check = |name: &str| {
        doctor(&env, collector.address(), |command| {
            command.env("HEARTLINE_TOKEN", &token).args(["--agent", name]);
        })
    };
    let advice = "heartline token --agent mailer";
    assert_finds(&check("mailer"), &["valid for agents below mail., not for mailer", advice]);
    assert_finds(&check("Mail.7"), &["can't be an agent's id", "Rename the agent"]);
    assert_eq!(check("mail.7").status.code(), Some(0));
}

#[test]
fn another_version_of_the_protocol_is_found() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    // What a collector of version 1 gets from an emitter of version 2.
    let newer = Relay::start(Some(collector.address()), |datagram| datagram[3] = b'2');
    let texts = ["another version of the protocol", "Update the older of both"];
    assert_finds(&doctor(&env, newer.address, |_| {}), &texts);
    // A collector of version 2 that answers in its own.
    let answering = Relay::start(None, |datagram| datagram[3] = b'2');
    let texts = ["speaks version 2 of the protocol", "Update the older of both"];
    assert_finds(&doctor(&env, answering.address, |_| {}), &texts);
}

/// Returns a token that the collector makes for a scope.
#[track_caller]
fn token(env: &TestEnvironment, scope: &str) -> String {
    match env.operator().token(TokenRequest::Make { scope: scope.to_owned() }) {
        TokenReply::Made { token } => token,
        other => panic!("no token was made: {other:?}"),
    }
}

/// Changes datagrams, and passes them on, or back where there is nobody to pass them on to.
struct Relay {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    fn start(to: Option<SocketAddr>, change: impl Fn(&mut [u8]) + Send + 'static) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (address, stop) = (socket.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 2_048];
            while !stopped.load(Ordering::Acquire) {
                let Ok((len, from)) = socket.recv_from(&mut buffer) else { continue };
                change(&mut buffer[..len]);
                socket.send_to(&buffer[..len], to.unwrap_or(from)).unwrap();
            }
        });
        Self { address, stop, thread: Some(thread) }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
