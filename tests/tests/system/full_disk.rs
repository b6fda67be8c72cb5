//! A full disk.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use heartline_operator::message::{AgentCommand, AgentSelector, HistoryHealth, Reply, Request};

use heartline_tests::harness::{
    CollectorProcess, TestEnvironment, TestOperator, TestedProgram, rollup_totals, task_count,
    wait_until,
};
use heartline_vocabulary::{Action, State, WorkTotals};

/// Size of the disk.
const SIZE: &str = "size=16m";

/// A collector whose data directory is a small tmpfs in a mount namespace of its own.
struct SmallDiskCollector {
    collector: CollectorProcess,
    /// The data directory as seen from outside the namespace.
    data_dir: PathBuf,
}

impl SmallDiskCollector {
    fn start(env: &TestEnvironment) -> Self {
        let data_dir = env.data_dir();
        fs::create_dir_all(&data_dir).unwrap();
        let script = format!(
            "mount -t tmpfs -o {SIZE},mode=700 tmpfs \"$0\" && exec {} --listen 127.0.0.1:0",
            TestedProgram::Heartlined.path().display()
        );
        let mut command = env.command("unshare");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.args(["--mount", "sh", "-c", &script]).arg(&data_dir);
        assert!(
            can_mount(),
            "this test mounts a small disk, and this machine does not let it: run it as root, or \
             allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1)"
        );
        let mut collector = CollectorProcess::start(&mut command);
        let root = PathBuf::from(format!("/proc/{}/root", collector.process().pid()));
        let data_dir = root.join(data_dir.strip_prefix("/").unwrap());
        Self { collector, data_dir }
    }

    /// Fills the disk up to `free_kib`.
    fn fill(&self, free_kib: usize) {
        let mut ballast = File::create(self.ballast()).unwrap();
        while ballast.write_all(&[0; 4_096]).is_ok() {}
        let len = ballast.metadata().unwrap().len();
        ballast.set_len(len.saturating_sub(free_kib as u64 * 1_024)).unwrap();
    }

    fn empty(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.data_dir.join("ballast")
    }
}

fn can_mount() -> bool {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    let script = "mount -t tmpfs tmpfs /mnt";
    command.args(["--mount", "sh", "-c", script]).status().is_ok_and(|status| status.success())
}

fn is_paused(operator: &TestOperator) -> bool {
    matches!(operator.collector().history, HistoryHealth::Paused(_))
}

#[test]
fn a_full_disk_pauses_history_and_nothing_else() {
    let env = TestEnvironment::new();
    let small_disk = SmallDiskCollector::start(&env);
    fs::write(env.path().join("token"), fs::read(small_disk.data_dir.join("local.token")).unwrap())
        .unwrap();
    let address = small_disk.collector.address();
    let emitter = |name: &str| {
        heartline::Builder::new(name)
            .collector(address.to_string())
            .token_file(env.path().join("token"))
            .interval(std::time::Duration::from_millis(100))
            .state_dir(env.path().join("agents"))
            .start()
    };
    let (worker, _doomed, other) = (emitter("worker"), emitter("doomed"), emitter("other"));
    let operator = env.operator();
    wait_until("all are healthy", || operator.collector().summary.healthy == 3);

    // Too little for history, which leaves the rest to `control.db`.
    small_disk.fill(160);
    let mut done = WorkTotals::default();
    let mut work = |count: u64| {
        for _ in 0..count {
            worker.report(heartline::Report::ok().cost_nano_usd(3));
            done.ok += 1;
            done.cost_nano_usd += 3;
        }
        done
    };
    work(1_000);
    wait_until("history pauses, visibly", || is_paused(&operator));
    operator.command(Action::Kill, &["doomed"], 1);
    wait_until("a kill is still obeyed", || {
        let vitals = operator.agent("doomed").unwrap().vitals;
        vitals.state == State::Killed && vitals.command.is_some_and(|it| it.obeyed_ms.is_some())
    });
    drop(other);
    wait_until("a state still changes", || {
        operator.agent("other").unwrap().vitals.state == State::Killed
    });

    // Nothing at all: a command that can't be stored is refused.
    small_disk.fill(0);
    work(1_000);
    let command = AgentCommand {
        request_id: 2,
        action: Action::Kill,
        agents: AgentSelector::Names(vec!["worker".to_owned()]),
        reason: "x".repeat(512),
        expect: Some(1),
        fingerprint: None,
    };
    let answer = operator.request(&Request::Command(command));
    let is_acknowledged = matches!(answer, Ok(Reply::Command(_)));
    let is_killed = operator.agent("worker").unwrap().vitals.state == State::Killed;
    assert_eq!(is_acknowledged, is_killed, "{answer:?}");
    assert_eq!(worker.status().lost_observations, 0);

    small_disk.empty();
    wait_until("history resumed", || !is_paused(&operator));
    if is_killed {
        operator.command(Action::Resume, &["worker"], 3);
    }
    let done = work(1_000);
    let copies = env.path().join("copies");
    fs::create_dir(&copies).unwrap();
    wait_until("all of the work is stored", || {
        for file in ["history.db", "history.db-wal"] {
            fs::copy(small_disk.data_dir.join(file), copies.join(file)).unwrap();
        }
        let _ = fs::remove_file(copies.join("history.db-shm"));
        task_count(&rollup_totals(&copies, "worker")) >= task_count(&done)
    });
    assert_eq!(rollup_totals(&copies, "worker"), done);
    assert_eq!(operator.agent("worker").unwrap().vitals.total, done);
    let events = operator.events_of("other");
    assert!(!events.is_empty(), "events of that time were not lost");
}
