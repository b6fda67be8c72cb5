//! Exit reports of a supervisor.

use heartline_engine::ProcessExit;
use heartline_protocol::body::Ack;
use heartline_protocol::bucket::BUCKETS;
use heartline_vocabulary::ExitStatus;

use crate::scenario::{A, B, SESSION, Scenario};
use crate::{durable, unconfirmed};

fn exit(lines: usize) -> ProcessExit {
    let last_lines = (0..lines).map(|line| format!("{line}{}", "x".repeat(200))).collect();
    ProcessExit { last_lines, ..ProcessExit::default() }
}

#[test]
fn an_exit_report_is_repeated_until_it_is_acknowledged_and_beats_follow() {
    let mut scenario = Scenario::live();
    scenario.metrics.open.ok = 5;
    scenario.engine.report_exit(exit(7), scenario.now);
    let report = scenario.send();
    assert_eq!(report.segment, Some((1, 5)));
    let firsts: Vec<_> = report.exit.unwrap().iter().map(|line| line[..1].to_owned()).collect();
    assert_eq!(firsts, ["2", "3", "4", "5", "6"]);
    for expected in [100, 200, 400] {
        assert_eq!(scenario.wait(), expected);
        assert!(scenario.send().exit.is_some());
    }
    // The collector has restarted meanwhile.
    scenario.ack(6, B, unconfirmed());
    let again = scenario.send();
    assert_eq!((again.exit.is_some(), again.challenge), (true, B));
    scenario.ack(2, B, durable(1));
    assert!(!scenario.engine.is_exit_acknowledged(), "that was a beat from before");
    scenario.ack(7, B, durable(1));
    assert!(scenario.engine.is_exit_acknowledged());
    assert!((27_000..=33_000).contains(&scenario.wait()));
    assert_eq!(scenario.send().exit, None);
    scenario.engine.begin_process(0x77c0, scenario.now);
    assert_eq!((scenario.send().sequence, scenario.engine.is_exit_acknowledged()), (1, false));
}

#[test]
fn no_beat_follows_the_report_of_an_exit_without_a_fault() {
    let mut scenario = Scenario::live();
    scenario.metrics.open.ok = 5;
    let status = ExitStatus { code: Some(0), ..ExitStatus::default() };
    scenario.engine.report_exit(ProcessExit { status, ..exit(0) }, scenario.now);
    assert!(scenario.send().exit.is_some());
    scenario.ack(3, A, Ack::default());
    assert!(!scenario.engine.is_exit_acknowledged(), "its work is not durable");
    scenario.wait();
    assert!(scenario.send().exit.is_some(), "work goes with a further report");
    scenario.ack(4, A, durable(1));
    assert!(scenario.engine.is_exit_acknowledged());
    for _ in 0..3 {
        scenario.wait();
        assert_eq!(scenario.poll(), None);
    }
    scenario.engine.begin_process(0x77c0, scenario.now);
    assert_eq!(scenario.send().exit, None);
}

#[test]
fn the_exit_of_a_process_that_was_never_live_is_reported_once_it_is() {
    let mut scenario = Scenario::new();
    scenario.engine.report_exit(exit(0), scenario.now);
    assert_eq!(scenario.send().exit, None);
    scenario.ack(1, A, unconfirmed());
    assert_eq!(scenario.send().exit, None);
    scenario.ack(2, A, Ack::default());
    assert_eq!(scenario.send().exit, Some(Vec::new()));
}

#[test]
fn an_exit_report_leaves_out_lines_for_which_its_work_leaves_no_room() {
    let mut scenario = Scenario::live();
    scenario.metrics.latency = (0..BUCKETS as u16).map(|bucket| (bucket, 100)).collect();
    scenario.engine.report_exit(exit(5), scenario.now);
    let lines = scenario.send().exit.unwrap();
    assert!((1..5).contains(&lines.len()), "{} lines", lines.len());
    assert!(lines.last().unwrap().starts_with('4'));
    assert!(scenario.len <= 1_200);
}

#[test]
fn an_exit_is_reported_again_in_a_session_that_another_process_made_necessary() {
    let mut scenario = Scenario::live();
    scenario.engine.report_exit(exit(1), scenario.now);
    assert!(scenario.send().exit.is_some());
    scenario.ack(3, A, Ack { highest_sequence: 9, ..Ack::default() });
    assert!(scenario.engine.is_session_taken());
    scenario.engine.begin_session(SESSION, scenario.now);
    assert_eq!(scenario.send().exit, None, "the session is not live yet");
    scenario.ack(1, B, unconfirmed());
    assert_eq!(scenario.send().exit, None);
    scenario.ack(2, B, Ack::default());
    assert!(scenario.send().exit.is_some());
}
