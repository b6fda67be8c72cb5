//! An agent whose log can't be written.

use std::collections::BTreeSet;
use std::fs;

use heartline_tests::harness::{TestEnvironment, TestProcess, wait_until};
use heartline_vocabulary::State;

/// The subscriber panics then, as it can't write the error either.
#[test]
fn a_log_on_a_full_device_ends_no_beats() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let mut agent = env.command("sh");
    agent.args(["-c", "exec \"$0\" logging not 2>/dev/full"]);
    agent.arg(env!("CARGO_BIN_EXE_signal_agent"));
    agent.env("HEARTLINE_COLLECTOR", collector.address().to_string());
    agent.env("HEARTLINE_INTERVAL", "100ms");
    let agent = TestProcess::start(&mut agent);
    let is_healthy =
        || operator.agent("logging").is_some_and(|it| it.vitals.state == State::Healthy);
    wait_until("it is healthy", is_healthy);
    collector.freeze();
    let threads = || thread_names(agent.pid());
    wait_until("it has logged that there is no answer", || {
        let names = threads();
        names.contains("heartline-log") || !names.contains("heartline")
    });
    collector.unfreeze();
    let beats = || operator.agent("logging").map_or(0, |it| it.vitals.beats);
    let before = beats();
    wait_until("it beats on", || beats() > before + 20);
    wait_until("it is healthy again", is_healthy);
}

fn thread_names(pid: u32) -> BTreeSet<String> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let name = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("comm")).ok();
    threads.flatten().filter_map(name).map(|name| name.trim_end().to_owned()).collect()
}
