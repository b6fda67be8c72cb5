//! Kill and resume, from the command to the agent's obedience.

use heartline_fleet::{ControlDbRow, HistoryDbRow, Input, MonoTime, Output, WriteTicket};

use heartline_vocabulary::{Action, CommandRefusal, Reason};

use crate::test_fleet::{START, TestFleet, ms, request};
use crate::test_message::{beat, goodbye, ours};

/// Returns after how many ms the newest command was delivered, and obeyed.
fn progress(fleet: &TestFleet) -> (Option<u64>, Option<u64>) {
    let view = fleet.agent("a");
    let desired = view.desired().expect("it was commanded");
    (desired.delivered_ms, desired.obeyed_ms)
}

fn disobedience_count(fleet: &mut TestFleet) -> usize {
    let is_it = |row: &HistoryDbRow| matches!(row, HistoryDbRow::Disobeyed { .. });
    fleet.history().into_iter().filter(is_it).count()
}

#[test]
fn a_kill_has_no_effect_until_it_is_durable() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command(Action::Kill, "a");
    fleet.advance_ms(500);
    assert_eq!(fleet.status("a"), "healthy");
    fleet.receive(beat("a"));
    let outputs = fleet.outputs();
    let reveals_kill = |output: &Output| match output {
        Output::Ack(ack) => ack.ack.desired.killed,
        Output::Push(_) | Output::CommandApplied { .. } => true,
        _ => false,
    };
    assert!(!outputs.iter().any(reveals_kill), "no agent or operator may learn of it yet");
    fleet.handle(Input::ControlCommitted { ticket: WriteTicket(1) });
    assert_eq!(fleet.status("a"), "killed operator");
    assert_eq!(fleet.pushes().len(), 1);
}

#[test]
fn a_kill_that_was_not_stored_has_no_effect() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command(Action::Kill, "a");
    fleet.handle(Input::Abandoned { ticket: WriteTicket(1), why: "full".into() });
    fleet.handle(Input::ControlCommitted { ticket: WriteTicket(1) });
    assert_eq!(fleet.status("a"), "healthy");
    fleet.command_durably(Action::Kill, "a");
    assert_eq!(fleet.agent("a").desired().map(|desired| desired.generation), Some(1));
}

#[test]
fn a_kill_is_pushed_five_times_and_is_in_every_ack() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command_durably(Action::Kill, "a");
    let mut pushed: Vec<i64> = Vec::new();
    for at in 0..3_000 {
        let count = fleet.pushes().len();
        pushed.extend(std::iter::repeat_n(at, count));
        fleet.advance_ms(1);
    }
    assert_eq!(pushed, [0, 100, 200, 400, 800]);
    fleet.receive(beat("a"));
    let ack = fleet.acks()[0].ack;
    assert_eq!(ack.desired, ours(1, true));
}

#[test]
fn pushes_end_when_a_beat_reports_the_generation() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command_durably(Action::Kill, "a");
    fleet.advance_ms(150);
    fleet.receive(beat("a").killed(1));
    fleet.discard_outputs();
    fleet.advance_ms(3_000);
    assert_eq!(fleet.pushes(), []);
}

#[test]
fn a_newer_command_restarts_the_pushes() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command_durably(Action::Kill, "a");
    fleet.advance_ms(150);
    fleet.command_durably(Action::Resume, "a");
    fleet.discard_outputs();
    fleet.advance_ms(3_000);
    let pushes = fleet.pushes();
    assert_eq!(pushes.len(), 4);
    assert!(pushes.iter().all(|push| push.desired == ours(2, false)));
}

#[test]
fn a_kill_is_delivered_and_obeyed_once_no_task_is_in_flight() {
    let mut fleet = TestFleet::with_agent(beat("a").busy(2, 0));
    fleet.command_durably(Action::Kill, "a");
    assert_eq!(progress(&fleet), (None, None));
    fleet.advance_ms(4);
    fleet.receive(beat("a").busy(2, 0).killed(1));
    assert_eq!(progress(&fleet), (Some(4), None));
    assert_eq!(fleet.agent("a").command().map(|command| command.draining), Some(2));
    fleet.discard_outputs();
    fleet.advance_ms(5_000);
    fleet.receive(beat("a").killed(1));
    assert_eq!(progress(&fleet), (Some(4), Some(5_004)));
    let rows = fleet.outputs();
    let stored = |output: &Output| match output {
        Output::WriteControl(ControlDbRow::Progress { delivered_ms, obeyed_ms, .. }) => {
            Some((*delivered_ms, *obeyed_ms))
        }
        _ => None,
    };
    assert_eq!(rows.iter().filter_map(stored).collect::<Vec<_>>(), [(4, Some(5_004))]);
}

#[test]
fn killed_overrides_every_other_state_until_the_resume() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command_durably(Action::Kill, "a");
    fleet.receive(beat("a").session(2));
    fleet.receive(goodbye("a").session(2));
    fleet.advance_ms(1_000_000);
    assert_eq!(fleet.status("a"), "killed operator");
    fleet.receive(beat("a").session(3));
    fleet.discard_outputs();
    fleet.reset_origin();
    fleet.command_durably(Action::Resume, "a");
    assert_eq!(fleet.transitions(), ["0 killed operator → healthy"]);
}

#[test]
fn a_silent_agent_is_unreachable_after_the_resume() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command_durably(Action::Kill, "a");
    fleet.advance_ms(1_000_000);
    fleet.command_durably(Action::Resume, "a");
    assert_eq!(fleet.status("a"), "unreachable silent");
}

#[test]
fn a_deadline_before_the_command_makes_its_own_transition() {
    let mut fleet = TestFleet::with_agent(beat("a").interval_ms(100));
    fleet.advance_to_ms(250);
    fleet.command(Action::Kill, "a");
    fleet.skip_ms(60);
    fleet.confirm_commands();
    let expected = ["300 healthy → degraded late", "310 degraded late → killed operator"];
    assert_eq!(fleet.transitions(), expected);
}

#[test]
fn a_process_that_has_ended_obeys() {
    let mut fleet = TestFleet::with_agent(beat("a").busy(3, 0));
    fleet.command_durably(Action::Kill, "a");
    fleet.advance_ms(7);
    fleet.receive(goodbye("a"));
    assert_eq!(progress(&fleet), (Some(7), Some(7)));
}

#[test]
fn work_from_before_the_kill_is_no_disobedience() {
    let mut fleet = TestFleet::with_agent(beat("a").segment(1, 1));
    fleet.command_durably(Action::Kill, "a");
    // Quiet, with one segment pending and one still open.
    fleet.receive(beat("a").segment(2, 4).killed(1));
    fleet.receive(beat("a").segment(3, 2).killed(1));
    assert_eq!(disobedience_count(&mut fleet), 0);
}

#[test]
fn work_completed_after_the_agent_was_quiet_is_disobedience() {
    let mut fleet = TestFleet::with_agent(beat("a").segment(1, 1));
    fleet.command_durably(Action::Kill, "a");
    fleet.receive(beat("a").segment(2, 4).killed(1));
    for number in 3..6 {
        fleet.receive(beat("a").segment(number, 1).killed(1));
    }
    assert_eq!(disobedience_count(&mut fleet), 1, "and it is recorded once");
    assert!(fleet.agent("a").desired().is_some_and(|desired| desired.disobeyed));
}

#[test]
fn a_new_process_may_work_until_it_has_applied_the_kill_and_then_drain() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command_durably(Action::Kill, "a");
    fleet.receive(beat("a").killed(1));
    // Its state file was lost, so it began to work.
    fleet.receive(beat("a").session(2).segment(1, 3).busy(1, 0));
    fleet.receive(beat("a").session(2).segment(2, 3).busy(1, 0).killed(1));
    fleet.receive(beat("a").session(2).segment(3, 1).killed(1));
    assert_eq!(disobedience_count(&mut fleet), 0);
    fleet.receive(beat("a").session(2).segment(5, 1).killed(1));
    assert_eq!(disobedience_count(&mut fleet), 1);
}

#[test]
fn a_second_kill_changes_nothing() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command_durably(Action::Kill, "a");
    fleet.discard_outputs();
    fleet.command_durably(Action::Kill, "a");
    let changed = fleet.outputs().into_iter().find_map(|output| match output {
        Output::CommandApplied { targets, .. } => Some(targets[0].changed),
        _ => None,
    });
    assert_eq!(changed, Some(false));
    assert_eq!(fleet.agent("a").desired().map(|desired| desired.generation), Some(1));
}

#[test]
fn the_later_of_two_pending_commands_wins() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command(Action::Kill, "a");
    fleet.command(Action::Resume, "a");
    fleet.confirm_commands();
    let desired = fleet.agent("a").desired().cloned().expect("it was commanded");
    assert_eq!((desired.generation, desired.killed), (2, false));
    assert_eq!(fleet.status("a"), "healthy");
}

#[test]
fn incomplete_commands_are_refused() {
    let mut fleet = TestFleet::new();
    for agent in ["a", "b", "c", "d", "e"] {
        fleet.receive(beat(agent));
    }
    let kill = |agents: &[&str]| request(1, Action::Kill, agents);
    let count = |hits, expected| CommandRefusal::CountNotConfirmed { hits, expected };
    let cases = [
        (kill(&[]), CommandRefusal::NoAgents),
        (kill(&["a", "x", "y"]), CommandRefusal::UnknownAgents(vec!["x".into(), "y".into()])),
        (
            heartline_fleet::CommandRequest { reason: " ".into(), ..kill(&["a"]) },
            CommandRefusal::NoReason,
        ),
        (kill(&["a", "b"]), count(2, None)),
        (
            heartline_fleet::CommandRequest { expect: Some(3), ..kill(&["a", "b"]) },
            count(2, Some(3)),
        ),
    ];
    for (request, expected) in cases {
        fleet.discard_outputs();
        fleet.handle(Input::Command(request));
        assert_eq!(fleet.outputs(), [Output::CommandRefused { request_id: 1, refusal: expected }]);
    }
}

#[test]
fn a_kill_by_a_policy_has_its_own_reason() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    let request = heartline_fleet::CommandRequest {
        cause: Reason::Policy,
        ..request(1, Action::Kill, &["a"])
    };
    fleet.handle(Input::Command(request));
    fleet.confirm_commands();
    assert_eq!(fleet.status("a"), "killed policy");
}

#[test]
fn a_command_is_recorded_with_time_operator_and_reason() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.advance_ms(100);
    fleet.command_durably(Action::Kill, "a");
    let row = fleet.history().into_iter().find_map(|row| match row {
        HistoryDbRow::Commanded { at, generation, by, reason, .. } => {
            Some((at, generation, by, reason))
        }
        _ => None,
    });
    let (at, generation, by, reason): (MonoTime, _, _, _) = row.expect("it is recorded");
    assert_eq!((ms(at, START), generation, &*by, &*reason), (100, 1, "root@desk", "over budget"));
}

#[test]
fn a_command_for_a_large_fleet_is_applied_and_pushed_in_slices() {
    let names: Vec<&'static str> = (0..5_000).map(|n| &*format!("a{n}").leak()).collect();
    let mut fleet = TestFleet::new();
    names.iter().for_each(|name| fleet.receive(beat(name)));
    fleet.discard_outputs();
    let expect = Some(5_000);
    fleet.handle(Input::Command(heartline_fleet::CommandRequest {
        expect,
        ..request(1, Action::Kill, &names)
    }));
    fleet.confirm_commands();
    let (mut turns, mut pushed, mut is_applied) = (0, 0, false);
    while !is_applied || pushed < names.len() {
        let outputs = fleet.outputs();
        let pushes = outputs.iter().filter(|it| matches!(it, Output::Push(_))).count();
        assert!(pushes <= 512, "{pushes} pushes in one turn");
        pushed += pushes;
        is_applied |= outputs.iter().any(|it| matches!(it, Output::CommandApplied { .. }));
        assert!(fleet.core.poll_timeout() <= fleet.now || (is_applied && pushed == names.len()));
        fleet.handle(Input::Tick);
        turns += 1;
    }
    assert!(turns >= 10, "{turns}");
    assert!(names.iter().all(|name| fleet.status(name) == "killed operator"));
}
