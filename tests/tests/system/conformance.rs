//! The conformance run finds emitters that do not count exactly.

use heartline_tests::conformance::{RunPlan, RunReport, TestedEmitter, run_all};
use heartline_tests::harness::TestedProgram;

const SEED: u64 = 20_261_127;

/// Enough for each collector to crash once.
const BEATS: u32 = 15;

/// Runs conformance agents by their command lines.
fn run(commands: &[&[&str]]) -> Vec<RunReport> {
    println!("seed {SEED}");
    let runs = commands.iter().map(|words| {
        let command = words.iter().map(Into::into).collect();
        (TestedEmitter::Command(command), RunPlan { seed: SEED, beats: BEATS, collectors: 1 })
    });
    run_all(&runs.collect::<Vec<_>>())
}

/// Runs the Rust emitter's agent behind a filter of the operations that it is told.
fn run_behind(filters: &[&str]) -> Vec<RunReport> {
    let agent = TestedProgram::ConformanceAgent.path();
    let scripts: Vec<String> =
        filters.iter().map(|it| format!("{it} | exec {} \"$0\"", agent.display())).collect();
    let commands: Vec<_> = scripts.iter().map(|script| ["sh", "-c", script]).collect();
    run(&commands.iter().map(|it| &it[..]).collect::<Vec<_>>())
}

#[test]
fn an_emitter_in_any_language_takes_part_by_one_command_line() {
    let reports = run(&[&["python3", "tests/spec_emitter/conformance_agent.py"]]);
    assert!(reports[0].is_equal(), "{:?}", reports[0].failures);
    assert!(reports[0].network.lost > 0 && reports[0].restarts > 0);
}

#[test]
fn the_rust_emitter_is_equal_and_one_that_loses_or_repeats_a_line_is_not() {
    // By the script, the emitter and the collector agree in what they were not told.
    let reports = run_behind(&["cat", "sed -u 40d", "sed -u 40p"]);
    assert!(reports[0].is_equal(), "{:?}", reports[0].failures);
    assert!(reports[0].tasks > 40 && reports[0].network.lost > 0 && reports[0].restarts > 0);
    for (report, sign) in reports[1..].iter().zip(["(-1)", "(+1)"]) {
        for whose in ["the emitter: ", "collector 1: ", "collector 1 shows: "] {
            let is_found = |it: &String| it.starts_with(whose) && it.ends_with(sign);
            assert!(report.failures.iter().any(is_found), "{whose}: {:?}", report.failures);
        }
    }
}

#[test]
fn a_command_that_is_not_there_is_told() {
    let reports = run(&[&["no-such-program"]]);
    assert_eq!(reports[0].failures.len(), 1, "{:?}", reports[0].failures);
    assert!(reports[0].failures[0].starts_with("can't start no-such-program: "));
}

#[test]
fn an_agent_that_ends_early_or_prints_nothing_fails_with_what_it_said() {
    let reports = run_behind(&["head -n 5", "echo nonsense >&2; false"]);
    for report in &reports {
        let [failure] = &report.failures[..] else { panic!("{:?}", report.failures) };
        assert!(failure.starts_with("the agent "), "{failure}");
    }
    let said = reports[1].failures[0].as_str();
    assert!(said.contains("standard error: nonsense"), "{said}");
}
