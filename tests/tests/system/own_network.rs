//! Agents whose names and addresses change: in a network namespace with an `/etc/hosts` of its own.

use std::fs;
use std::process::Command;

use heartline_operator::message::{Event, EventKind};
use heartline_tests::harness::{
    CollectorProcess, TestEnvironment, TestOperator, TestProcess, TestedProgram, wait_until,
};
use heartline_vocabulary::{Reason, State};

const AGENT: &str = "elsewhere";

/// A collector in a namespace whose network and names are those of the test.
struct OwnNetwork {
    env: TestEnvironment,
    collector: CollectorProcess,
    operator: TestOperator,
}

impl OwnNetwork {
    /// Starts a collector at an address that `set_up`, a shell script, makes.
    #[track_caller]
    fn start(hosts: &str, set_up: &str, listen: &str) -> Self {
        let env = TestEnvironment::new();
        let hosts_file = env.path().join("hosts");
        fs::write(&hosts_file, hosts).unwrap();
        let mount = "mount --bind \"$0\" /etc/hosts && ip link set lo up";
        assert!(
            namespaced(Command::new("unshare"), &format!("{mount} && ip addr show lo"))
                .arg(&hosts_file)
                .output()
                .is_ok_and(|output| output.status.success()),
            "this test needs a network namespace of its own and iproute2's `ip` in it: run it as \
             root, or allow unprivileged user namespaces (sysctl \
             kernel.unprivileged_userns_clone=1)"
        );
        let heartlined = TestedProgram::Heartlined.path();
        let script = format!("{mount} && {set_up} exec {} --listen {listen}", heartlined.display());
        let mut command = namespaced(env.command("unshare"), &script);
        let collector = CollectorProcess::start(command.arg(&hosts_file));
        let operator = env.operator();
        Self { env, collector, operator }
    }

    /// Changes what is in `/etc/hosts`.
    fn set_hosts(&self, hosts: &str) {
        fs::write(self.env.path().join("hosts"), hosts).unwrap();
    }

    /// Returns a command for a program inside the namespace.
    fn command(&mut self, program: &str) -> Command {
        let mut command = self.env.command("nsenter");
        let pid = self.collector.process().pid().to_string();
        command.args(["--target", &pid, "--net", "--mount"]);
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg(program);
        command
    }

    /// Runs a shell script inside the namespace.
    #[track_caller]
    fn run(&mut self, script: &str) {
        let output = self.command("sh").args(["-ec", script]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn start_agent(&mut self, collector: &str, interval: &str) -> TestProcess {
        let program = TestedProgram::MinimalAgent.path();
        let mut command = self.command(program.to_str().unwrap());
        command.arg(AGENT);
        command.env("HEARTLINE_COLLECTOR", collector).env("HEARTLINE_INTERVAL", interval);
        TestProcess::start(&mut command)
    }

    fn port(&self) -> u16 {
        self.collector.address().port()
    }

    #[track_caller]
    fn wait_until_healthy(&self) {
        wait_until("the agent is healthy", || {
            self.operator.agent(AGENT).is_some_and(|it| it.vitals.state == State::Healthy)
        });
    }

    fn tasks(&self) -> u64 {
        self.operator.agent(AGENT).map_or(0, |it| it.vitals.total.ok)
    }
}

/// Makes a command run a shell script in namespaces of its own.
fn namespaced(mut unshare: Command, script: &str) -> Command {
    if !rustix::process::geteuid().is_root() {
        unshare.arg("--map-root-user");
    }
    unshare.args(["--net", "--mount", "sh", "-c", script]);
    unshare
}

#[test]
fn an_address_that_refuses_is_left_for_the_next_one_without_waiting_for_a_beat() {
    // Resolvers return the first one first; nothing listens there.
    let mut network = OwnNetwork::start("::1 collector\n127.0.0.1 collector\n", "", "127.0.0.1:0");
    let collector = format!("collector:{}", network.port());
    // Longer than any wait of a test.
    let _agent = network.start_agent(&collector, "1h");
    network.wait_until_healthy();
}

#[test]
fn a_name_that_can_not_be_looked_up_any_more_keeps_its_address() {
    let mut network = OwnNetwork::start("127.0.0.1 collector\n", "", "127.0.0.1:0");
    let collector = format!("collector:{}", network.port());
    let agent = network.start_agent(&collector, "100ms");
    network.wait_until_healthy();
    network.set_hosts("");
    network.collector.freeze();
    wait_until("the agent has looked the name up in vain", || {
        agent.stdout().iter().any(|line| line.contains("can't find the collector"))
    });
    network.collector.unfreeze();
    network.wait_until_healthy();
    let before = network.tasks();
    wait_until("its work is counted", || network.tasks() > before);
}

#[test]
fn a_change_of_the_own_address_makes_nobody_late() {
    // The agent's own address is the one from which this route sends.
    let route =
        |own: &str| format!("ip route replace local 10.77.0.1 dev lo table local src {own};");
    let set_up = format!(
        "ip addr add 10.77.0.1/32 dev lo && ip addr add 10.77.0.2/32 dev lo && {}",
        route("10.77.0.2")
    );
    let mut network = OwnNetwork::start("127.0.0.1 localhost\n", &set_up, "10.77.0.1:0");
    let collector = network.collector.address().to_string();
    let _agent = network.start_agent(&collector, "1s");
    network.wait_until_healthy();
    let before = network.tasks();
    wait_until("its work is counted", || network.tasks() > before);
    let new = "ip addr add 10.77.0.3/32 dev lo;";
    network.run(&format!("{new} {} ip addr del 10.77.0.2/32 dev lo", route("10.77.0.3")));
    let before = network.tasks();
    wait_until("its work is counted again", || network.tasks() > before + 20);
    let is_late = |event: &Event| {
        matches!(event.kind, EventKind::Transition { reason: Some(Reason::Late), .. })
    };
    let events = network.operator.events_of(AGENT);
    assert!(!events.iter().any(is_late), "{events:#?}");
}
