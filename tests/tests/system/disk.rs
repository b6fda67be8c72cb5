//! A full disk.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use heartline_operator::message::{AgentCommand, HistoryHealth, Reply, Request};

use heartline_tests::world::{Collector, Deeds, Operator, Program, World, rolled_up, wait_until};
use heartline_vocabulary::{Action, State};

/// Of the disk, in MiB.
const SIZE: &str = "size=16m";

/// A collector whose data directory is a small disk of its own, in a mount namespace of its own:
/// seen from outside through its process.
struct Cramped {
    collector: Collector,
    data_dir: PathBuf,
}

impl Cramped {
    fn start(world: &World) -> Self {
        let data_dir = world.data_dir();
        fs::create_dir_all(&data_dir).unwrap();
        let script = format!(
            "mount -t tmpfs -o {SIZE},mode=700 tmpfs \"$0\" && exec {} --listen 127.0.0.1:0",
            Program::Heartlined.path().display()
        );
        let mut command = world.command("unshare");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.args(["--mount", "sh", "-c", &script]).arg(&data_dir);
        assert!(
            can_mount(),
            "this test mounts a small disk, and this machine does not let it: run it as root, or \
             allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1)"
        );
        let mut collector = Collector::start(&mut command);
        let root = PathBuf::from(format!("/proc/{}/root", collector.process().pid()));
        let data_dir = root.join(data_dir.strip_prefix("/").unwrap());
        Self { collector, data_dir }
    }

    /// Takes all room but so many KiB.
    fn fill_but(&self, left_kib: usize) {
        let mut ballast = File::create(self.ballast()).unwrap();
        while ballast.write_all(&[0; 4_096]).is_ok() {}
        let len = ballast.metadata().unwrap().len();
        ballast.set_len(len.saturating_sub(left_kib as u64 * 1_024)).unwrap();
    }

    fn free(&self) {
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

fn is_paused(operator: &Operator) -> bool {
    matches!(operator.collector().history, HistoryHealth::Paused(_))
}

#[test]
fn on_a_full_disk_history_pauses_and_all_else_goes_on() {
    let world = World::new();
    let cramped = Cramped::start(&world);
    fs::write(world.path().join("token"), fs::read(cramped.data_dir.join("local.token")).unwrap())
        .unwrap();
    let address = cramped.collector.address();
    let emitter = |name: &str| {
        heartline::Builder::new(name)
            .collector(address.to_string())
            .token_file(world.path().join("token"))
            .interval(std::time::Duration::from_millis(100))
            .state_dir(world.path().join("agents"))
            .start()
    };
    let (worker, _doomed, other) = (emitter("worker"), emitter("doomed"), emitter("other"));
    let operator = world.operator();
    wait_until("all are healthy", || operator.collector().summary.healthy == 3);

    // Too little for history, which leaves the rest to the kill list.
    cramped.fill_but(160);
    let mut deeds = Deeds::default();
    let mut work = |count: u64| {
        for _ in 0..count {
            worker.report(heartline::Report::ok().cost_nano_usd(3));
            deeds.0.ok += 1;
            deeds.0.cost_nano_usd += 3;
        }
        deeds
    };
    work(1_000);
    wait_until("history pauses, visibly", || is_paused(&operator));
    operator.order(Action::Kill, &["doomed"], 1);
    wait_until("a kill goes on to be obeyed", || {
        let vitals = operator.agent("doomed").unwrap().vitals;
        vitals.state == State::Killed && vitals.command.is_some_and(|it| it.obeyed_ms.is_some())
    });
    drop(other);
    wait_until("a state goes on to change", || {
        operator.agent("other").unwrap().vitals.state == State::Killed
    });

    // Nothing at all: what can't be stored is refused, not promised.
    cramped.fill_but(0);
    work(1_000);
    let order = AgentCommand {
        request_id: 2,
        action: Action::Kill,
        agents: vec!["worker".to_owned()],
        reason: "x".repeat(512),
        expect: Some(1),
    };
    let answer = operator.ask(&Request::Command(order));
    let is_acknowledged = matches!(answer, Ok(Reply::Command(_)));
    let is_killed = operator.agent("worker").unwrap().vitals.state == State::Killed;
    assert_eq!(is_acknowledged, is_killed, "{answer:?}");
    assert_eq!(worker.status().lost_observations, 0);

    cramped.free();
    wait_until("history is kept again", || !is_paused(&operator));
    if is_killed {
        operator.order(Action::Resume, &["worker"], 3);
    }
    let deeds = work(1_000);
    let copies = world.path().join("copies");
    fs::create_dir(&copies).unwrap();
    wait_until("all of the work is stored", || {
        for file in ["history.db", "history.db-wal"] {
            fs::copy(cramped.data_dir.join(file), copies.join(file)).unwrap();
        }
        let _ = fs::remove_file(copies.join("history.db-shm"));
        rolled_up(&copies, "worker").tasks() >= deeds.tasks()
    });
    assert_eq!(rolled_up(&copies, "worker"), deeds);
    assert_eq!(Deeds(operator.agent("worker").unwrap().total), deeds);
    let events = operator.events_of("other");
    assert!(!events.is_empty(), "what happened meanwhile was not lost");
}
