//! Who watches the collector: pings by the judging loop's permission, and what operators are told.

use std::fs;
use std::net::UdpSocket;
use std::time::Duration;

use heartline_operator::message::{CollectorHealth, PingKind, Reply, Request};
use heartline_tests::harness::{
    CollectorProcess, PING_SECRET, PingAnswer, PingServer, ReceivedPing, TestEnvironment,
    TestOperator, wait_for, wait_until,
};
use heartline_vocabulary::State;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use rusqlite::Connection;
use rustix::process::Signal;

fn watched(server: &PingServer) -> String {
    format!("[watchdog]\nurl = \"{}\"\nevery = \"1s\"\n", server.url())
}

fn health(operator: &TestOperator) -> CollectorHealth {
    match operator.request(&Request::CollectorHealth) {
        Ok(Reply::CollectorHealth(health)) => *health,
        other => panic!("the collector does not report its health: {other:?}"),
    }
}

/// Runs a check as cron would; returns its exit code and all that it says.
fn check(env: &TestEnvironment) -> (Option<i32>, String) {
    let output = env.heartline("status --fail-on collector");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn the_watchdog_is_pinged_and_told_of_doubts() {
    let (env, server) = (TestEnvironment::new(), PingServer::start());
    env.configure(&watched(&server));
    let collector = env.start_collector();
    wait_until("pings come", || server.count("") >= 2);
    let received = server.received();
    assert_eq!(received[0].kind, "/start");
    assert!(received.iter().all(|ping| ping.body.is_empty()), "{received:?}");
    let operator = env.operator();
    let seen = wait_for("a ping was taken", || {
        health(&operator).watchdog.filter(|it| it.last.as_ref().is_some_and(|it| it.is_taken))
    });
    assert_eq!((seen.every_ms, seen.failed), (1_000, 0));

    // Another program holds history, so that nothing can be committed to it.
    let history = Connection::open(env.data_dir().join("history.db")).unwrap();
    history.execute_batch("BEGIN IMMEDIATE").unwrap();
    let doubt = wait_for("it doubts itself", || {
        server.received().into_iter().find(|ping| ping.kind == "/fail")
    });
    assert!(doubt.body.starts_with("history is paused: can't write history to"), "{}", doubt.body);
    let (code, said) = check(&env);
    assert!(code == Some(1) && said.contains("! history is paused"), "{said}");
    let doubts = health(&operator).doubts;
    assert!(doubts[0].starts_with("history is paused"), "{doubts:?}");

    history.execute_batch("ROLLBACK").unwrap();
    wait_until("it is sure of itself again", || {
        server.received().last().is_some_and(|ping| ping.kind.is_empty())
    });
    wait_until("operators see it", || {
        let health = health(&operator);
        health.doubts.is_empty() && health.commits.age_ms.is_some_and(|age_ms| age_ms < 30_000)
    });
    let shown = env.heartline("config show --config heartline.toml");
    let shown = String::from_utf8(shown.stdout).unwrap();
    let target = seen.target;
    assert!(target.ends_with("CRET") && shown.contains(&target), "{shown}");
    for text in [shown, collector.log(), target, said] {
        assert!(!text.contains(PING_SECRET), "{text}");
    }
}

/// One thread of a process, which stands still until this is dropped while all others go on.
struct StoppedThread(Pid);

impl StoppedThread {
    fn stop(collector: &mut CollectorProcess, name: &str) -> Self {
        let tasks = format!("/proc/{}/task", collector.process().pid());
        let thread = fs::read_dir(tasks).unwrap().map(|task| task.unwrap().path()).find(|task| {
            fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name)
        });
        let id = thread.unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap();
        let thread = Pid::from_raw(id);
        ptrace::attach(thread).unwrap();
        waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
        Self(thread)
    }
}

impl Drop for StoppedThread {
    fn drop(&mut self) {
        // The collector may have ended.
        let _ = ptrace::detach(self.0, None);
    }
}

#[test]
fn a_judging_loop_that_hangs_is_not_vouched_for() {
    let (env, server) = (TestEnvironment::new(), PingServer::start());
    env.configure(&watched(&server));
    let mut collector = env.start_collector();
    wait_until("pings come", || server.count("") >= 1);
    let stopped = StoppedThread::stop(&mut collector, "driver");
    // The check waits five seconds for the loop. One ping may have been under way when it began.
    let (code, said) = check(&env);
    assert!(code == Some(1) && said.contains("the judging loop of this collector"), "{said}");
    let count = server.received().len();
    check(&env);
    assert_eq!(server.received().len(), count, "the process lives, and must not say so");
    drop(stopped);
    wait_until("pings come again", || server.received().len() > count);
}

#[test]
fn what_the_kernel_drops_while_the_collector_stands_still_is_a_doubt() {
    let (env, server) = (TestEnvironment::new(), PingServer::start());
    env.configure(&watched(&server));
    let collector = env.start_collector();
    wait_until("pings come", || server.count("") >= 1);
    collector.freeze();
    let flood = UdpSocket::bind("127.0.0.1:0").unwrap();
    // More than the receive buffer holds.
    for _ in 0..60_000 {
        flood.send_to(&[0; 1_000], collector.address()).unwrap();
    }
    collector.unfreeze();
    let is_told = |ping: &ReceivedPing| ping.body.contains("the kernel dropped");
    wait_until("drops are told", || server.received().iter().any(is_told));
    let (code, said) = check(&env);
    assert!(code == Some(1) && said.contains("! the kernel dropped"), "{said}");
    let losses = health(&env.operator()).losses;
    let kernel = losses.iter().find(|it| it.name == "kernel_dropped").unwrap();
    assert!(kernel.last_minute > 0 && kernel.last_minute == kernel.total, "{losses:?}");
}

#[test]
fn a_service_that_hangs_or_redirects_is_told_to_operators_and_disturbs_nothing() {
    let (env, server, elsewhere) =
        (TestEnvironment::new(), PingServer::start(), PingServer::start());
    server.answer(PingAnswer::Redirect(elsewhere.url()));
    env.configure(&watched(&server));
    let collector = env.start_collector();
    let operator = env.operator();
    let banner = |words: &str| {
        let banners = operator.collector().banners;
        banners.into_iter().find(|it| it.starts_with("the watchdog") && it.contains(words))
    };
    let said = wait_for("a redirect is told", || banner("HTTP 302: it redirects"));
    let (code, checked) = check(&env);
    assert!(code == Some(1) && checked.contains("takes no pings: HTTP 302"), "{checked}");
    assert!(elsewhere.received().is_empty(), "it is not followed");

    server.answer(PingAnswer::Stall);
    wait_until("the service hangs", || banner("within 5 s").is_some());
    let agent = heartline::Builder::new("worker")
        .collector(collector.address().to_string())
        .token_file(env.data_dir().join("local.token"))
        .interval(Duration::from_millis(100))
        .state_dir(env.path().join("agents"))
        .start();
    let state = || operator.agent("worker").map(|it| it.vitals.state);
    wait_until("agents are judged", || state() == Some(State::Healthy));
    drop(agent);
    wait_until("an end is seen", || state() == Some(State::Killed));

    server.answer(PingAnswer::Ok);
    wait_until("it is over", || banner("").is_none());
    for text in [said, checked, collector.log()] {
        assert!(!text.contains(PING_SECRET), "{text}");
    }
}

#[test]
fn a_reload_changes_the_watchdog_all_or_nothing() {
    let (env, first, second) = (TestEnvironment::new(), PingServer::start(), PingServer::start());
    env.configure(&watched(&first));
    let mut collector = env.start_collector();
    wait_until("pings come", || first.count("") >= 1);
    env.configure("[watchdog]\nurl_file = \"/none/SECRET\"\n");
    collector.process().signal(Signal::HUP);
    wait_until("it is refused", || {
        collector.log().contains("can't read /none/SECRET, the url of [watchdog]")
    });
    let before = first.count("");
    wait_until("the one before is pinged", || first.count("") > before);

    env.configure(&watched(&second));
    collector.process().signal(Signal::HUP);
    wait_until("another is pinged", || second.count("") >= 2);
    assert_eq!(second.received()[0].kind, "/start");
    let last = |operator: &TestOperator| health(operator).watchdog.and_then(|it| it.last);
    let kind = wait_for("it is shown", || last(&env.operator())).kind;
    assert!(matches!(kind, PingKind::Start | PingKind::Alive), "{kind:?}");
    let count = first.received().len();
    let reloaded = second.count("");
    wait_until("time goes on", || second.count("") > reloaded + 1);
    assert_eq!(first.received().len(), count, "the old one is not pinged any more");
}
