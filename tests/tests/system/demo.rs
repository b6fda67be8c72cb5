//! The demo: a fleet of real processes, of which nothing is left.

use std::fs;
use std::path::Path;

use heartline_tests::world::{Process, Program, World, wait_until};
use rustix::process::Signal;

/// Starts the demo, with its directory in the world.
fn start(world: &World, lasting: &str) -> Process {
    let mut command = world.command(Program::Heartline.path());
    command.env("TMPDIR", world.path());
    Process::start(command.args(["demo", "--headless", "--for", lasting, "--agents", "8"]))
}

/// The processes that were started in a world, by their environment: a demo hands its own on.
fn processes_of(world: &Path) -> Vec<String> {
    let marker = format!("TMPDIR={}", world.display());
    let is_of = |path: &Path| {
        let environ = fs::read(path.join("environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|it| it == marker.as_bytes())
    };
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let found = processes.filter(|path| is_of(path)).map(|path| {
        let words = fs::read(path.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).replace('\0', " ")
    });
    // Those that have ended and wait for their parent have no command line any more.
    found.filter(|words| !words.is_empty()).collect()
}

fn assert_nothing_is_left(world: &World) {
    wait_until("no process of the demo is left", || processes_of(world.path()).is_empty());
    let left: Vec<_> = fs::read_dir(world.path()).unwrap().flatten().collect();
    let left = left
        .iter()
        .filter(|it| !["home", "state", "run"].iter().any(|name| it.file_name() == *name));
    assert_eq!(left.count(), 0, "files of the demo are left");
}

#[test]
fn within_a_minute_one_dies_one_stalls_and_one_is_killed_and_obeys() {
    let world = World::new();
    let mut demo = start(&world, "48s");
    for (what, words) in [
        ("a death", ["report-generator", "unreach"]),
        ("a kill", ["scraper-eu", "kill"]),
        ("obedience", ["scraper-eu", "obeyed"]),
        ("a stall", ["inventory-sync", "stalled"]),
    ] {
        let has = |line: &str| {
            let line = line.to_lowercase();
            words.iter().all(|word| line.contains(word)).then_some(())
        };
        // Longer than one patience: the demo takes its time.
        let is_over = || demo.stdout().iter().any(|line| has(line).is_some());
        for _ in 0..2 {
            if is_over() {
                break;
            }
            let lines = demo.stdout().len();
            wait_until("the demo goes on", || demo.stdout().len() > lines || is_over());
        }
        demo.wait_for_line(what, has);
    }
    assert_eq!(demo.wait().code(), Some(0));
    assert_nothing_is_left(&world);
}

#[test]
fn a_demo_that_is_interrupted_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM] {
        let world = World::new();
        let mut demo = start(&world, "60s");
        wait_until("its agents run", || processes_of(world.path()).len() >= 10);
        demo.signal(signal);
        demo.wait();
        assert_nothing_is_left(&world);
    }
}

#[test]
fn not_even_a_demo_that_is_killed_leaves_a_process() {
    let world = World::new();
    let mut demo = start(&world, "60s");
    wait_until("its agents run", || processes_of(world.path()).len() >= 10);
    demo.kill_9();
    wait_until("no process is left", || processes_of(world.path()).is_empty());
}
