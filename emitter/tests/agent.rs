//! An agent with a real socket, against a collector small enough to be read.

mod collector;

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use heartline::{Builder, Heartline, Problem, Report};
use heartline_protocol::Phase;

use self::collector::{Collector, DEADLINE, until};

fn agent(collector: &Collector, state: &Path) -> Builder {
    Builder::new("mail.3")
        .collector(collector.address())
        .token(collector.token("mail."))
        .interval(Duration::from_millis(100))
        .state_dir(state)
        .host("machine-3")
}

fn is_well(hb: &Heartline) {
    until("the agent is live", || hb.status().is_well());
}

#[test]
fn work_arrives_once_and_a_goodbye_brings_the_rest() {
    let (collector, state) = (Collector::start(), tempfile::tempdir().unwrap());
    let hb = agent(&collector, state.path()).start();
    for n in 0..500_u32 {
        let mut task = hb.task();
        task.cost_usd(0.001);
        task.tokens(10, 1);
        if n % 5 == 0 {
            task.fail();
        } else {
            task.ok();
        }
        hb.report(Report::ok().latency(Duration::from_millis(3)));
    }
    is_well(&hb);
    assert_eq!(collector.seen().host.as_deref(), Some("machine-3"));
    for _ in 0..250 {
        hb.report(Report::ok());
    }
    drop(hb);
    let seen = collector.seen();
    assert!(seen.said_goodbye);
    assert_eq!((seen.ok, seen.failed), (400 + 500 + 250, 100));
    assert_eq!((seen.cost_nano_usd, seen.tokens_in, seen.tokens_out), (500_000_000, 5_000, 500));
    assert_eq!(seen.latencies, 1_000);
}

#[test]
fn a_panicking_task_has_failed_and_the_agent_goes_on() {
    let (collector, state) = (Collector::start(), tempfile::tempdir().unwrap());
    let hb = agent(&collector, state.path()).start();
    let panicked = thread::scope(|scope| {
        scope
            .spawn(|| {
                let _task = hb.task();
                panic!("the agent's own fault");
            })
            .join()
    });
    assert!(panicked.is_err());
    until("the failure is counted", || collector.seen().failed == 1);
    assert_eq!(hb.status().in_flight, 0);
}

#[test]
fn a_kill_holds_tasks_back_until_the_resume_and_lets_others_end() {
    let (collector, state) = (Collector::start(), tempfile::tempdir().unwrap());
    let hb = agent(&collector, state.path()).start();
    let (told, heard) = mpsc::channel();
    hb.on_kill({
        let told = told.clone();
        move || told.send("killed").unwrap()
    });
    hb.on_resume(move || told.send("resumed").unwrap());
    is_well(&hb);
    let in_flight = hb.task();
    collector.command(4, true);
    assert_eq!(heard.recv_timeout(DEADLINE), Ok("killed"));
    assert!(hb.killed() && hb.try_task().is_err());
    until("the kill is reported, with one task left", || {
        let seen = collector.seen();
        seen.generation == 4 && seen.in_flight == 1
    });
    in_flight.ok();
    until("it is quiet", || collector.seen().in_flight == 0);

    thread::scope(|scope| {
        let waits = scope.spawn(|| hb.task().ok());
        let waits_too = scope.spawn(|| block_on(async { hb.task_async().await.ok() }));
        collector.beats(2);
        assert!(!waits.is_finished() && !waits_too.is_finished());
        collector.command(5, false);
    });
    assert_eq!(heard.recv_timeout(DEADLINE), Ok("resumed"));
    until("all three are counted", || collector.seen().ok == 3);
}

#[test]
fn a_restart_is_no_way_out_of_a_kill() {
    let (collector, state) = (Collector::start(), tempfile::tempdir().unwrap());
    let hb = agent(&collector, state.path()).start();
    is_well(&hb);
    collector.command(7, true);
    until("the kill is reported", || collector.seen().generation == 7);
    drop(hb);
    // Neither without its collector, nor with a token that does not work.
    for builder in [
        agent(&collector, state.path()).collector("127.0.0.1:9"),
        agent(&collector, state.path()).token("hl1.nonsense"),
    ] {
        let (told, heard) = mpsc::channel();
        let hb = builder.on_kill(move || told.send(()).unwrap()).start();
        assert!(hb.try_task().is_err());
        heard.recv_timeout(DEADLINE).unwrap();
    }
}

#[test]
fn steps_waits_and_the_backlog_are_told() {
    let (collector, state) = (Collector::start(), tempfile::tempdir().unwrap());
    let hb = agent(&collector, state.path()).start();
    until("it starts", || collector.seen().phase == Some(Phase::Starting));
    hb.queue(17);
    hb.step("plan\u{1b}[2J");
    until("the step is told", || {
        let seen = collector.seen();
        seen.step.as_deref() == Some("plan\u{fffd}[2J")
            && (seen.phase, seen.queue) == (Some(Phase::Running), Some(17))
    });
    let task = hb.task();
    let approval = hb.waiting("approval");
    until("the wait is told", || {
        let seen = collector.seen();
        seen.phase == Some(Phase::Waiting) && seen.step.as_deref() == Some("approval")
    });
    drop(approval);
    drop(task);
    until("the wait is over", || collector.seen().phase == Some(Phase::Running));
}

#[test]
fn a_collector_that_restarts_is_found_again_and_counts_nothing_twice() {
    let (mut collector, state) = (Collector::start(), tempfile::tempdir().unwrap());
    let hb = agent(&collector, state.path()).start();
    for round in 1..=5_u64 {
        for _ in 0..100 {
            hb.report(Report::ok());
        }
        collector.restart();
        until("the work is counted", || collector.seen().ok == 100 * round);
    }
    hb.stop();
    assert_eq!(collector.seen().ok, 500);
}

#[test]
fn what_is_wrong_is_in_the_status_and_work_goes_on() {
    let (collector, state) = (Collector::start(), tempfile::tempdir().unwrap());
    let problem = |builder: Builder, expected: fn(&Problem) -> bool| {
        let hb = builder.start();
        until("the problem is found", || hb.status().problems.iter().any(expected));
        hb.task().ok();
        hb.report(Report::failed());
    };
    let good = || agent(&collector, state.path());
    problem(good().token("hl1.nonsense"), |problem| matches!(problem, Problem::BadToken(_)));
    problem(good().token(collector.token("mailer")), |problem| {
        matches!(problem, Problem::OutOfScope(_))
    });
    problem(good().collector("nowhere.invalid"), |problem| {
        matches!(problem, Problem::Unresolved { .. })
    });
    problem(good().collector("127.0.0.1:9"), |problem| {
        matches!(problem, Problem::Unanswered { .. })
    });
    problem(Builder::new("Not A Name"), |problem| matches!(problem, Problem::BadName { .. }));
}

#[test]
fn a_token_that_comes_later_is_found() {
    let (collector, state) = (Collector::start(), tempfile::tempdir().unwrap());
    let path = state.path().join("local.token");
    let hb = agent(&collector, state.path()).token_file(&path).start();
    hb.report(Report::ok());
    assert_eq!(hb.status().problems, [Problem::NoToken { path: path.clone() }]);
    std::fs::write(&path, collector.token("")).unwrap();
    is_well(&hb);
    until("what was done before is counted", || collector.seen().ok == 1);
}

/// Runs a future on this thread: enough of a runtime to show that none is needed.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (mut future, mut cx) = (pin!(future), Context::from_waker(&waker));
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
