//! An agent with a real socket, against a minimal collector.

mod collector;

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use heartline::{Builder, EmitterProblem, Heartline, KillCause, Report};
use heartline_protocol::{BudgetUnit, Phase};

use self::collector::{DEADLINE, TestCollector, until};

fn agent(collector: &TestCollector, state: &Path) -> Builder {
    Builder::new("mail.3")
        .collector(collector.address())
        .token(collector.token("mail."))
        .interval(Duration::from_millis(100))
        .state_dir(state)
        .host("machine-3")
}

fn wait_until_live(hb: &Heartline) {
    until("the agent is live", || hb.status().is_healthy());
}

#[test]
fn work_is_counted_once_and_a_goodbye_carries_the_rest() {
    let (collector, state) = (TestCollector::start(), tempfile::tempdir().unwrap());
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
    wait_until_live(&hb);
    assert_eq!(collector.received().host.as_deref(), Some("machine-3"));
    for _ in 0..250 {
        hb.report(Report::ok());
    }
    drop(hb);
    let totals = collector.received();
    assert!(totals.goodbye);
    assert_eq!((totals.ok, totals.failed), (400 + 500 + 250, 100));
    assert_eq!(
        (totals.cost_nano_usd, totals.tokens_in, totals.tokens_out),
        (500_000_000, 5_000, 500)
    );
    assert_eq!(totals.latencies, 1_000);
}

#[test]
fn a_panicking_task_has_failed_and_the_agent_goes_on() {
    let (collector, state) = (TestCollector::start(), tempfile::tempdir().unwrap());
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
    until("the failure is counted", || collector.received().failed == 1);
    assert_eq!(hb.status().in_flight, 0);
}

#[test]
fn a_kill_blocks_new_tasks_until_the_resume_and_lets_others_end() {
    let (collector, state) = (TestCollector::start(), tempfile::tempdir().unwrap());
    let hb = agent(&collector, state.path()).start();
    let (calls, received) = mpsc::channel();
    hb.on_kill({
        let calls = calls.clone();
        move || calls.send("killed").unwrap()
    });
    let memory = state.path().to_owned();
    hb.on_resume(move || {
        assert!(!stored_states(&memory).contains("killed"), "a process that starts now works");
        calls.send("resumed").unwrap();
    });
    wait_until_live(&hb);
    let in_flight = hb.task();
    collector.command(4, true);
    assert_eq!(received.recv_timeout(DEADLINE), Ok("killed"));
    assert!(hb.killed() && hb.try_task().is_err());
    until("the kill is reported, with one task left", || {
        let totals = collector.received();
        totals.generation == 4 && totals.in_flight == 1
    });
    in_flight.ok();
    until("no task is in flight", || collector.received().in_flight == 0);
    assert!(stored_states(state.path()).contains("killed"));

    thread::scope(|scope| {
        let waits = scope.spawn(|| hb.task().ok());
        let waits_too = scope.spawn(|| block_on(async { hb.task_async().await.ok() }));
        collector.beats(2);
        assert!(!waits.is_finished() && !waits_too.is_finished());
        collector.command(5, false);
    });
    assert_eq!(received.recv_timeout(DEADLINE), Ok("resumed"));
    until("all three are counted", || collector.received().ok == 3);
}

#[test]
fn a_kill_survives_a_restart() {
    let (collector, state) = (TestCollector::start(), tempfile::tempdir().unwrap());
    let hb = agent(&collector, state.path()).start();
    wait_until_live(&hb);
    collector.command(7, true);
    until("the kill is reported", || collector.received().generation == 7);
    drop(hb);
    // Neither without its collector, nor with a token that does not work.
    for builder in [
        agent(&collector, state.path()).collector("127.0.0.1:9"),
        agent(&collector, state.path()).token("hl1.nonsense"),
    ] {
        let (calls, received) = mpsc::channel();
        let hb = builder.on_kill(move || calls.send(()).unwrap()).start();
        assert!(hb.try_task().is_err());
        received.recv_timeout(DEADLINE).unwrap();
    }
}

#[test]
fn steps_waits_and_the_backlog_are_reported() {
    let (collector, state) = (TestCollector::start(), tempfile::tempdir().unwrap());
    let hb = agent(&collector, state.path()).start();
    until("it starts", || collector.received().phase == Some(Phase::Starting));
    hb.queue(17);
    hb.step("plan\u{1b}[2J");
    until("the step is reported", || {
        let totals = collector.received();
        totals.step.as_deref() == Some("plan\u{fffd}[2J")
            && (totals.phase, totals.queue) == (Some(Phase::Running), Some(17))
    });
    let task = hb.task();
    let approval = hb.waiting("approval");
    until("the wait is reported", || {
        let totals = collector.received();
        totals.phase == Some(Phase::Waiting) && totals.step.as_deref() == Some("approval")
    });
    drop(approval);
    drop(task);
    until("the wait is over", || collector.received().phase == Some(Phase::Running));
}

#[test]
fn a_declared_time_until_a_stall_is_in_the_beats() {
    let (collector, state) = (TestCollector::start(), tempfile::tempdir().unwrap());
    let hb = agent(&collector, state.path()).stall_after(Duration::from_secs(1_200)).start();
    wait_until_live(&hb);
    assert_eq!(collector.received().stall_after_ms, Some(1_200_000));
    hb.stop();
    let hb = agent(&collector, state.path()).start();
    wait_until_live(&hb);
    assert_eq!(collector.received().stall_after_ms, None);
}

#[test]
fn a_collector_that_restarts_is_found_again_and_counts_nothing_twice() {
    let (mut collector, state) = (TestCollector::start(), tempfile::tempdir().unwrap());
    let hb = agent(&collector, state.path()).start();
    for round in 1..=5_u64 {
        for _ in 0..100 {
            hb.report(Report::ok());
        }
        collector.stop();
        collector.restart();
        until("the work is counted", || collector.received().ok == 100 * round);
    }
    hb.stop();
    assert_eq!(collector.received().ok, 500);
}

#[test]
fn problems_are_in_the_status_and_work_goes_on() {
    let (collector, state) = (TestCollector::start(), tempfile::tempdir().unwrap());
    let problem = |builder: Builder, expected: fn(&EmitterProblem) -> bool| {
        let hb = builder.start();
        until("the problem is found", || hb.status().problems.iter().any(expected));
        hb.task().ok();
        hb.report(Report::failed());
    };
    let good = || agent(&collector, state.path());
    problem(good().token("hl1.nonsense"), |problem| matches!(problem, EmitterProblem::BadToken(_)));
    problem(good().token(collector.token("mailer")), |problem| {
        matches!(problem, EmitterProblem::OutOfScope(_))
    });
    problem(good().collector("nowhere.invalid:4327"), |problem| {
        matches!(problem, EmitterProblem::Unresolved { .. })
    });
    problem(good().collector("127.0.0.1:9"), |problem| {
        matches!(problem, EmitterProblem::Unanswered { .. })
    });
    problem(good().collector("http://127.0.0.1:9"), |problem| {
        problem.to_string().ends_with("has a scheme: write 127.0.0.1:9")
    });
    problem(Builder::new("Not A Name"), |problem| {
        matches!(problem, EmitterProblem::BadName { .. })
    });
}

#[test]
fn a_token_file_created_later_is_read() {
    let (collector, state) = (TestCollector::start(), tempfile::tempdir().unwrap());
    let path = state.path().join("local.token");
    let hb = agent(&collector, state.path()).token_file(&path).start();
    hb.report(Report::ok());
    assert_eq!(hb.status().problems, [EmitterProblem::NoToken { path: path.clone() }]);
    std::fs::write(&path, collector.token("")).unwrap();
    wait_until_live(&hb);
    until("what was done before is counted", || collector.received().ok == 1);
}

/// An agent of two collectors, which have one token in common.
fn agent_of_two(collectors: &[TestCollector; 2], state: &Path) -> Builder {
    let list = format!("{}, {}", collectors[0].address(), collectors[1].address());
    agent(&collectors[0], state).collector(list)
}

#[test]
fn each_of_several_collectors_counts_all_work_once_whatever_the_other_does() {
    let (mut collectors, state) =
        ([TestCollector::start(), TestCollector::start()], tempfile::tempdir().unwrap());
    let hb = agent_of_two(&collectors, state.path()).start();
    wait_until_live(&hb);
    for round in 1..=3_u64 {
        // The first one is down while work is done, and the second one counts meanwhile.
        collectors[0].stop();
        for _ in 0..100 {
            hb.report(Report::ok().cost_nano_usd(7));
        }
        until("the other one counts", || collectors[1].received().ok == 100 * round);
        collectors[0].restart();
        until("the first one catches up", || collectors[0].received().ok == 100 * round);
    }
    hb.report(Report::failed());
    assert_eq!(hb.status().collectors.len(), 2);
    drop(hb);
    for collector in &collectors {
        let totals = collector.received();
        assert!(totals.goodbye, "goodbyes go to all");
        assert_eq!((totals.ok, totals.failed, totals.cost_nano_usd), (300, 1, 2_100));
    }
}

#[test]
fn an_agent_of_several_collectors_runs_while_none_of_them_has_killed_it() {
    let (collectors, state) =
        ([TestCollector::start(), TestCollector::start()], tempfile::tempdir().unwrap());
    let hb = agent_of_two(&collectors, state.path()).start();
    wait_until_live(&hb);
    collectors[0].command(4, true);
    until("it is killed", || hb.killed());
    collectors[1].command(9, true);
    until("both kills are applied", || collectors[1].received().generation == 9);
    until("each knows of the other's", || {
        collectors.iter().all(|collector| collector.received().blocked_by.is_some())
    });
    drop(hb);
    let hb = agent_of_two(&collectors, state.path()).start();
    assert!(hb.killed(), "also after a restart");
    wait_until_live(&hb);
    assert!(hb.killed());
    collectors[1].command(10, false);
    until("one is lifted", || collectors[1].received().generation == 10);
    assert!(hb.try_task().is_err(), "the other kill holds, whatever the resume says");
    collectors[0].command(5, false);
    until("both are lifted", || !hb.killed());
    until("both know it", || collectors.iter().all(|it| it.received().blocked_by.is_none()));
}

#[test]
fn a_goodbye_reaches_the_collectors_that_are_there() {
    let (mut collectors, state) =
        ([TestCollector::start(), TestCollector::start()], tempfile::tempdir().unwrap());
    let hb = agent_of_two(&collectors, state.path()).start();
    wait_until_live(&hb);
    collectors[0].stop();
    hb.report(Report::ok());
    hb.stop();
    let totals = collectors[1].received();
    assert_eq!((totals.goodbye, totals.ok), (true, 1));
}

#[test]
fn a_kill_is_of_one_fleet_alone() {
    let (collector, state) = (TestCollector::start(), tempfile::tempdir().unwrap());
    let hb = agent(&collector, state.path()).start();
    wait_until_live(&hb);
    collector.command(7, true);
    until("the kill is reported", || collector.received().generation == 7);
    drop(hb);
    let elsewhere = TestCollector::start();
    // Another fleet is another token; the collector is the same to the emitter.
    let hb = agent(&elsewhere, state.path()).token(elsewhere.token("mail.3")).start();
    assert!(!hb.killed());
    wait_until_live(&hb);
    assert!(!hb.killed());
    assert!(agent(&collector, state.path()).collector("127.0.0.1:9").start().killed());

    // Without a token it may be of either fleet.
    let path = state.path().join("local.token");
    let hb = agent(&elsewhere, state.path()).token_file(&path).start();
    assert!(hb.killed());
    std::fs::write(&path, elsewhere.token("mail.3")).unwrap();
    until("it is of the other fleet", || !hb.killed());
    wait_until_live(&hb);
}

#[test]
fn a_kill_stored_by_an_earlier_version_holds_until_the_resume() {
    let (collector, state) = (TestCollector::start(), tempfile::tempdir().unwrap());
    let path = state.path().join("mail.3.desired");
    std::fs::write(&path, "heartline 1 generation 4 killed\n").unwrap();
    let hb = agent(&collector, state.path()).start();
    assert!(hb.killed());
    assert_eq!(hb.status().problems, [EmitterProblem::UnattributedKill { path: path.clone() }]);
    until("it is reported", || collector.received().blocked_by.is_some());
    collector.command(5, false);
    until("it is resumed", || !hb.killed());
    wait_until_live(&hb);
    assert!(!path.exists());
}

/// Returns what the files of all fleets say.
fn stored_states(dir: &Path) -> String {
    let files = std::fs::read_dir(dir).unwrap().map(|it| it.unwrap().path());
    let stored = files.filter(|it| it.extension().is_some_and(|it| it == "desired"));
    stored.map(|it| std::fs::read_to_string(it).unwrap()).collect()
}

/// Runs a future on this thread, to show that no runtime is needed.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct UnparkWaker(Thread);
    impl Wake for UnparkWaker {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(UnparkWaker(thread::current())));
    let (mut future, mut cx) = (pin!(future), Context::from_waker(&waker));
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_budget_that_is_used_up_holds_the_next_task_without_a_word_of_the_collector() {
    let (collector, state) = (TestCollector::start(), tempfile::tempdir().unwrap());
    // Beats are rare: what ends the work is the agent's own count.
    collector.set_left(Some((BudgetUnit::Cost, 1_000_000_000)));
    let hb = agent(&collector, state.path()).interval(Duration::from_secs(60)).start();
    let (calls, received) = mpsc::channel();
    hb.on_kill({
        let calls = calls.clone();
        move || calls.send("killed").unwrap()
    });
    hb.on_resume(move || calls.send("resumed").unwrap());
    wait_until_live(&hb);
    let mut tasks = 0;
    while let Ok(mut task) = hb.try_task() {
        task.cost_usd(0.3);
        task.ok();
        tasks += 1;
    }
    assert_eq!(tasks, 4, "three cost 0.90, and the fourth is the last one");
    let status = hb.status();
    assert_eq!((status.killed, status.kill_cause), (true, Some(KillCause::Budget)));
    assert!(status.to_string().ends_with(", stopped: its budget is used up"), "{status}");
    assert_eq!(received.recv_timeout(DEADLINE), Ok("killed"));
    until("it beats at once", || collector.received().cost_nano_usd == 1_200_000_000);

    // Its stored states know of no kill, and a command is a cause of its own.
    assert!(!stored_states(state.path()).contains("killed"));
    collector.command(1, true);
    until("the kill is reported", || collector.received().generation == 1);
    assert_eq!(hb.status().kill_cause, Some(KillCause::Command));
    collector.set_left(Some((BudgetUnit::Cost, 1)));
    thread::scope(|scope| {
        let waits = scope.spawn(|| hb.task().ok());
        assert!(!waits.is_finished());
        collector.command(2, false);
    });
    assert_eq!(received.recv_timeout(DEADLINE), Ok("resumed"));
    until("the task is counted", || {
        let cost = collector.received().cost_nano_usd;
        hb.status().kill_cause.is_none() && cost == 1_200_000_000
    });
}

#[test]
fn a_budget_of_any_of_several_collectors_holds_tasks_while_it_is_used_up() {
    let collectors = [TestCollector::start(), TestCollector::start()];
    let state = tempfile::tempdir().unwrap();
    let addresses = collectors.each_ref().map(TestCollector::address).join(",");
    collectors[0].set_left(Some((BudgetUnit::Tasks, 1_000)));
    collectors[1].set_left(Some((BudgetUnit::Tokens, 5)));
    let hb = agent(&collectors[0], state.path()).collector(addresses).start();
    wait_until_live(&hb);
    hb.report(Report::ok().tokens(3, 1));
    assert!(!hb.killed());
    hb.report(Report::ok().tokens(0, 1));
    assert!(hb.killed() && hb.try_task().is_err());
    collectors[1].set_left(None);
    hb.task().ok();
    collectors[0].set_left(Some((BudgetUnit::Tasks, 0)));
    until("the other one holds it", || hb.killed());
}
