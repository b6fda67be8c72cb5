//! Silences hold back what is not delivered yet.

use std::fs;

use heartline_tests::harness::{TestEnvironment, wait_until};
use heartline_vocabulary::State;

/// Time between the beats of agents.
const INTERVAL_MS: u32 = 200;

/// Returns a config file whose sink fails until a file `opened` is there, and then writes to `told`.
fn config(env: &TestEnvironment) -> String {
    let dir = env.path().display();
    let script = format!("test -e {dir}/opened || exit 75; cat >> {dir}/told; echo >> {dir}/told");
    format!(
        "[health]\nlate_factor = 2.0\nunreachable_factor = 4.0\n\
         [alerts]\nrecovery_hold = \"0s\"\ngroup_hold_max = \"0s\"\n\
         [[sink]]\nname = \"chat\"\ntype = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"{script}\"]\n\
         [[route]]\nto = [\"chat\"]\n"
    )
}

#[test]
fn what_waits_for_its_next_attempt_is_held_back_also_by_the_next_collector_and_then_sent() {
    let env = TestEnvironment::new();
    env.configure(&config(&env));
    let mut collector = env.start_collector();
    // Both of a host with two would be one incident.
    let mut agents = ["mortal", "other", "third"]
        .map(|it| env.start_agent(it, collector.address(), INTERVAL_MS));
    let is =
        |agent: &str, state| env.operator().agent(agent).is_some_and(|it| it.vitals.state == state);
    let incidents =
        || String::from_utf8(env.heartline("incidents --since 1h --json").stdout).unwrap();
    let told = || fs::read_to_string(env.path().join("told")).unwrap_or_default();
    wait_until("both are healthy", || ["mortal", "other"].iter().all(|it| is(it, State::Healthy)));
    agents[0].kill_9();
    wait_until("an attempt was made", || incidents().contains("exit code 75"));
    assert!(env.heartline("silence agent:mortal --for 1h --reason build").status.success());
    wait_until("it is held back", || incidents().contains("\"held\""));

    collector.kill_9();
    collector = env.start_collector_at(collector.address());
    fs::write(env.path().join("opened"), "").unwrap();
    agents[1].kill_9();
    wait_until("the other one is told", || told().contains("other"));
    assert!(incidents().contains("\"held\"") && !told().contains("mortal"), "{}", told());
    assert!(env.heartline("silence --end 1").status.success());
    wait_until("the first one is told", || told().contains("mortal"));
    drop(collector);
}
