//! `[access]`: other users of the collector's machine, who may look, act, or neither.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use heartline_tests::harness::{TestEnvironment, TestProcess, UnixUser, wait_until};
use heartline_vocabulary::State;
use rustix::process::Signal;

const ACCESS: &str = "[access]\nview = [\"nobody\"]\ncontrol = [\"daemon\"]\n";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// An environment in which a collector may run, and other users can use `heartline`.
struct SharedMachine {
    env: TestEnvironment,
    heartline: std::path::PathBuf,
}

impl SharedMachine {
    fn new(config: &str) -> Self {
        let env = TestEnvironment::new();
        env.configure(config);
        let heartline = env.share();
        Self { env, heartline }
    }

    /// Runs `heartline` as a user; returns its exit code and what it printed.
    fn run_as(&self, user: &UnixUser, args: &str) -> (Option<i32>, String) {
        let mut command = self.env.command(&self.heartline);
        user.run(command.args(args.split(' ')));
        let Output { status, stdout, stderr } = command.output().expect("it can be run");
        let printed = [stdout, stderr].concat();
        (status.code(), String::from_utf8(printed).expect("it prints UTF-8"))
    }
}

#[test]
fn the_sockets_can_be_reached_by_those_that_access_names_and_by_nobody_else() {
    let closed = SharedMachine::new("");
    let _collector = closed.env.start_collector();
    let sockets = closed.env.directories().sockets;
    assert_eq!(mode(&sockets), 0o700);
    assert_eq!(mode(&sockets.join("ctl.sock")), 0o600);

    let open = SharedMachine::new(ACCESS);
    let mut collector = open.env.start_collector();
    let sockets = open.env.directories().sockets;
    assert_eq!(mode(&sockets), 0o711, "entered, but not listed");
    let modes = || ["ctl.sock", "view.sock"].map(|name| mode(&sockets.join(name)));
    assert_eq!(modes(), [0o666, 0o666]);
    assert_eq!(open.env.operator().collector().banners, [""; 0]);

    // The lists are in force as soon as they are read.
    open.env.configure("");
    collector.process().signal(Signal::HUP);
    wait_until("the sockets are closed", || modes() == [0o600, 0o600]);
    open.env.configure("[access]\nview = [\"nobody\"]\n");
    collector.process().signal(Signal::HUP);
    wait_until("one can be viewed through", || modes() == [0o600, 0o666]);
}

#[test]
fn a_directory_that_keeps_named_users_out_is_said() {
    let machine = SharedMachine::new(ACCESS);
    fs::set_permissions(machine.env.path().join("run"), fs::Permissions::from_mode(0o700)).unwrap();
    let _collector = machine.env.start_collector();
    let banners = machine.env.operator().collector().banners.join("\n");
    assert!(banners.contains("[access]") && banners.contains("socket_dir"), "{banners}");
}

#[test]
fn a_second_user_views_or_controls_as_access_says() {
    if !UnixUser::can_switch() {
        // Only root can become somebody else: what the lists say of others is tested in the
        // collector, and here that the user of this test has control whatever they say.
        eprintln!("not root: no second user can be had, so this tests the first one alone");
        let machine = SharedMachine::new(ACCESS);
        let _collector = machine.env.start_collector();
        let doctor = machine.env.heartline("doctor");
        let printed = String::from_utf8(doctor.stdout).expect("it prints UTF-8");
        assert!(printed.contains("has control on the collector"), "{printed}");
        return;
    }
    let machine = SharedMachine::new(ACCESS);
    let collector = machine.env.start_collector();
    let operator = machine.env.operator();
    let _agent = machine.env.emitter("mail.1", collector.address(), 60_000).start();
    wait_until("it is healthy", || operator.collector().summary.healthy == 1);
    let [viewer, controller, stranger] = ["nobody", "daemon", "bin"].map(UnixUser::named);

    let (code, printed) = machine.run_as(&viewer, "status");
    assert!(code == Some(0) && printed.contains("mail.1"), "{printed}");
    let (code, printed) = machine.run_as(&viewer, "doctor");
    assert!(printed.contains("nobody@") && printed.contains("a read-only connection"), "{printed}");
    assert_ne!(code, Some(3), "{printed}");
    let (code, printed) = machine.run_as(&viewer, "kill mail.1 --reason test --yes");
    assert!(code == Some(1) && printed.contains("read-only"), "{printed}");
    assert_eq!(operator.agent("mail.1").unwrap().vitals.state, State::Healthy);

    let (code, printed) = machine.run_as(&stranger, "status");
    assert!(printed.contains("bin may not view this fleet"), "{printed}");
    assert_ne!(code, Some(0));
    assert!(operator.collector().connections.not_allowed > 0, "it is counted");

    let (code, printed) = machine.run_as(&controller, "kill mail.1 --reason test --yes");
    assert_eq!(code, Some(0), "{printed}");
    let killed = operator.agent("mail.1").unwrap().vitals;
    assert_eq!(killed.state, State::Killed);
    assert!(killed.command.unwrap().by.starts_with("daemon@"));

    // Whoever is connected loses what is taken away.
    let mut watch = machine.env.command(&machine.heartline);
    controller.run(watch.args(["watch", "--plain"]));
    let mut watch = TestProcess::start(&mut watch);
    watch.wait_for_line("it is connected", |line| line.contains("link up").then_some(()));
    // Where nobody has control, its socket is closed, and the other one is used.
    machine.env.configure("[access]\nview = [\"nobody\"]\n");
    let mut collector = collector;
    collector.process().signal(Signal::HUP);
    wait_until("control is taken away", || {
        machine.run_as(&controller, "status").1.contains("may not")
            && machine.run_as(&viewer, "status").0 == Some(0)
    });
    watch.wait_for_line("it is told", |line| line.contains("has changed").then_some(()));
    let (code, printed) = machine.run_as(&viewer, "resume mail.1 --yes");
    assert!(code == Some(1) && printed.contains("read-only"), "{printed}");
}
