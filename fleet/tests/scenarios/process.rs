//! Supervised processes: what is seen of them, their own emitters, and their ends.

use heartline_vocabulary::{Action, ProcessUsage};

use crate::test_fleet::{TestFleet, ms};
use crate::test_message::{beat, exit_by_signal, exit_with_lines, goodbye};

const SILENT: ProcessUsage =
    ProcessUsage { cpu_permille: 20, memory_bytes: 1 << 20, emitter_silent_ms: Some(95_000) };
const SPEAKING: ProcessUsage = ProcessUsage { emitter_silent_ms: None, ..SILENT };

#[test]
fn what_the_newest_beat_says_of_a_process_is_kept_until_it_ends() {
    let mut fleet = TestFleet::with_agent(beat("a").process(SPEAKING));
    assert_eq!(fleet.agent("a").process_usage(), Some(&SPEAKING));
    let busy = ProcessUsage { cpu_permille: 3_700, ..SPEAKING };
    fleet.receive(beat("a").process(busy));
    assert_eq!(fleet.agent("a").process_usage(), Some(&busy));
    // One that was overtaken.
    fleet.receive(beat("a").process(SPEAKING).sequence(9));
    fleet.receive(beat("a").process(busy).sequence(8));
    assert_eq!(fleet.agent("a").process_usage(), Some(&SPEAKING));
    fleet.receive(exit_by_signal("a", 9));
    assert_eq!(fleet.agent("a").process_usage(), None);
    // The supervisor waits before it starts it again.
    fleet.receive(beat("a").process(SPEAKING));
    assert_eq!(fleet.agent("a").process_usage(), None);
    fleet.receive(beat("a").session(2).process(busy));
    assert_eq!(fleet.agent("a").process_usage(), Some(&busy));
    // Its next program has no supervisor.
    fleet.receive(beat("a").session(3));
    assert_eq!(fleet.agent("a").process_usage(), None);
}

#[test]
fn a_silent_emitter_in_a_process_that_runs_is_degraded_until_it_speaks() {
    let mut fleet = TestFleet::with_agent(beat("a").process(SPEAKING));
    fleet.advance_ms(1_000);
    fleet.receive(beat("a").process(SILENT));
    assert_eq!(fleet.status("a"), "degraded emitter-silent");
    assert_eq!(fleet.causes(), ["the process runs, its own emitter has been silent for 1m35s"]);
    fleet.advance_ms(1_000);
    fleet.receive(beat("a").process(SPEAKING));
    assert_eq!(fleet.transitions(), ["2000 degraded emitter-silent → healthy"]);
}

#[test]
fn a_silent_emitter_is_no_longer_judged_by_when_the_supervisor_is_silent_too() {
    let mut fleet = TestFleet::with_agent(beat("a").process(SILENT));
    fleet.advance_ms(300_000);
    assert_eq!(
        fleet.transitions(),
        [
            "90000 degraded emitter-silent → degraded late",
            "300000 degraded late → unreachable silent"
        ]
    );
}

#[test]
fn a_silent_emitter_hides_the_stall_behind_it_and_not_the_crash_loop_before_it() {
    let mut fleet = TestFleet::with_agent(beat("a").process(SILENT).busy(1, 400_000));
    assert_eq!(fleet.status("a"), "degraded emitter-silent");
    fleet.advance_ms(10_000);
    fleet.receive(beat("a").process(SPEAKING).busy(1, 410_000));
    // Not from when its limit had passed: it was another state then.
    assert_eq!(fleet.transitions(), ["10000 degraded emitter-silent → degraded stalled"]);
    for session in 2..=6 {
        fleet.receive(beat("a").session(session).process(SILENT));
    }
    assert_eq!(fleet.status("a"), "degraded crash-looping");
}

#[test]
fn a_process_that_is_gone_is_crashed_however_silent_its_emitter_was() {
    let mut fleet = TestFleet::with_agent(beat("a").process(SILENT));
    fleet.receive(exit_by_signal("a", 11));
    assert_eq!(fleet.causes(), ["terminated by SIGSEGV (11)"]);
    assert_eq!(fleet.status("a"), "unreachable crashed");
    fleet.receive(beat("a").session(2).process(SILENT));
    assert_eq!(fleet.status("a"), "degraded emitter-silent");
    fleet.receive(goodbye("a").session(2));
    assert_eq!(fleet.status("a"), "killed shutdown");
}

#[test]
fn a_kill_stands_before_a_silent_emitter() {
    let mut fleet = TestFleet::with_agent(beat("a").process(SILENT));
    fleet.command_durably(Action::Kill, "a");
    fleet.receive(beat("a").process(SILENT));
    assert_eq!(fleet.status("a"), "killed operator");
}

#[test]
fn the_cause_of_a_crash_ends_with_its_last_words_and_keeps_all_lines() {
    let lines = &["Traceback (most recent call last):", "KeyError: 'total'", " "];
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(exit_with_lines("a", 1, lines));
    let [crash] = fleet.transition_rows().try_into().expect("one transition");
    assert_eq!(crash.cause.to_string(), "exit code 1: KeyError: 'total'");
    assert_eq!(crash.cause.last_lines().iter().map(|it| &**it).collect::<Vec<_>>(), lines);
    assert_eq!(ms(crash.at, fleet.now), 0);
}

#[test]
fn the_last_lines_of_a_process_are_scrubbed() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(exit_with_lines("a", 1, &["\u{1b}[2Jboom\nforged\u{202e}"]));
    assert_eq!(fleet.causes(), ["exit code 1: \u{fffd}[2Jboom\u{fffd}forged\u{fffd}"]);
}

#[test]
fn a_process_that_exits_with_0_has_stopped_whatever_it_wrote() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(exit_with_lines("a", 0, &["bye"]));
    assert_eq!(fleet.causes(), ["said goodbye"]);
}

#[test]
fn a_repeated_exit_report_is_one_crash() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for _ in 0..3 {
        fleet.receive(exit_with_lines("a", 1, &["boom"]));
        fleet.advance_ms(100);
    }
    assert_eq!(fleet.transitions(), ["0 healthy → unreachable crashed"]);
}
