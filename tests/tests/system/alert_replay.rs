//! What a config file would have told of the history of real processes, and which way its alerts take.

use heartline_tests::harness::{TestEnvironment, wait_for, wait_until};
use heartline_vocabulary::State;
use serde_json::Value;

const SINKS: &str = "[health]\nlate_factor = 2.0\nunreachable_factor = 4.0\n\
    [alerts]\nrecovery_hold = \"0s\"\ngroup_hold_max = \"0s\"\n\
    [[sink]]\nname = \"chat\"\ntype = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"cat > /dev/null\"]\n\
    [[sink]]\nname = \"pager\"\ntype = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"cat > /dev/null\"]\n\
    [[route]]\nto = [\"chat\"]\n";
const PAGES: &str = "[[route]]\nmatch = \"agent:mortal\"\nto = [\"pager\"]\n";
/// Time between the beats of agents.
const INTERVAL_MS: u32 = 200;

/// A collector whose agent `mortal` has died once and come back, of which both sinks were told.
struct ReplayTest {
    env: TestEnvironment,
    _running: Vec<Box<dyn std::any::Any>>,
}

impl ReplayTest {
    fn start() -> Self {
        let env = TestEnvironment::new();
        env.configure(&format!("{SINKS}{PAGES}"));
        let collector = env.start_collector();
        let operator = env.operator();
        let is = |state| operator.agent("mortal").is_some_and(|it| it.vitals.state == state);
        let other = env.start_agent("other", collector.address(), INTERVAL_MS);
        let mut agent = env.start_agent("mortal", collector.address(), INTERVAL_MS);
        wait_until("it is healthy", || is(State::Healthy));
        agent.kill_9();
        wait_until("it is unreachable", || is(State::Unreachable));
        let agent = env.start_agent("mortal", collector.address(), INTERVAL_MS);
        wait_until("it is healthy again", || is(State::Healthy));
        let test =
            Self { env, _running: vec![Box::new(collector), Box::new(other), Box::new(agent)] };
        wait_until("both sinks were told that it is over", || {
            let incidents = test.run("incidents --since 1h --json");
            let told = incidents.matches("\"resolved\"").count();
            told == 1 && !incidents.contains("\"pending\"")
        });
        test
    }

    fn run(&self, args: &str) -> String {
        let output = self.env.heartline(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args}: {said}");
        String::from_utf8(output.stdout).expect("it prints UTF-8")
    }

    /// Replays the last hour under a config file; returns how many notices each sink would get, and got.
    fn replay(&self, config: &str) -> Vec<(String, u64, u64)> {
        std::fs::write(self.env.path().join("changed.toml"), config).expect("it can be written");
        let printed = self.run("--config changed.toml alerts replay --since 1h --json");
        let document: Value = serde_json::from_str(&printed).expect("it is JSON");
        let sinks = document["sinks"].as_array().expect("it has sinks").iter();
        let count = |sink: &Value, name: &str| sink[name].as_u64().expect("it is a number");
        sinks
            .map(|it| {
                (it["sink"].as_str().unwrap().to_owned(), count(it, "would"), count(it, "was"))
            })
            .collect()
    }
}

#[test]
fn the_same_config_tells_the_same_and_without_a_route_its_sink_is_told_nothing() {
    let test = ReplayTest::start();
    let row = |sink: &str, would, was| (sink.to_owned(), would, was);
    let same = test.replay(&format!("{SINKS}{PAGES}"));
    assert_eq!(same, [row("chat", 2, 2), row("pager", 2, 2)]);
    assert_eq!(test.replay(SINKS), [row("chat", 2, 2), row("pager", 0, 2)]);
    let patient = format!("{SINKS}hold = \"1h\"\n{PAGES}");
    assert_eq!(test.replay(&patient), [row("chat", 0, 2), row("pager", 2, 2)]);
    let text = test.run("--config changed.toml alerts replay --since 1h");
    assert!(text.contains("would have sent 0 (was 2) to chat"), "{text}");
}

#[test]
fn a_check_explains_the_way_of_an_alert_by_what_the_collector_knows() {
    let test = ReplayTest::start();
    test.run("silence agent:mortal --for 1h --reason build");
    let printed = wait_for("the agent is known", || {
        let printed = test.run("--config heartline.toml config check --agent mortal --json");
        printed.contains("as the collector has it").then_some(printed)
    });
    let document: Value = serde_json::from_str(&printed).expect("it is JSON");
    assert_eq!(document["routes"][0]["taken"], true);
    assert_eq!(document["sinks"].as_array().map(Vec::len), Some(2));
    assert_eq!(document["quiet"][0]["filter"], "agent:mortal");
    let unknown = test.env.heartline("--config heartline.toml config check --agent nobody");
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(!unknown.status.success() && said.contains("nobody"), "{said}");
    let checked = test.env.heartline("--config heartline.toml config check");
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(said.contains("valid") && !said.contains("warning"), "{said}");
    test.env.configure(&format!("{SINKS}match = \"agent:gone\"\n"));
    let checked = test.env.heartline("--config heartline.toml config check");
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    let expected = [
        "no route leads to sink pager",
        "route 1: \"agent:gone\" matches no agent of the collector",
    ];
    assert!(expected.iter().all(|it| said.contains(it)) && checked.status.success(), "{said}");
}
