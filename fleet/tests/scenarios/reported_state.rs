//! What agents report of commands that this collector does not know, or did not give.

use heartline_fleet::{CommandRecord, CommandRow, ControlDbRow, Input, Output, RestoredAgent};
use heartline_protocol::ControlId;
use heartline_protocol::limits::GENERATION_MAX;
use heartline_vocabulary::{Action, Reason};

use crate::test_fleet::{START, TestFleet, restored_agent};
use crate::test_message::{beat, exit_by_signal, ours};

/// The largest lead over the durable generation that is believed.
const LEAD_MAX: u64 = 1 << 24;

/// Takes the commands that were passed to the disk.
fn commands(fleet: &mut TestFleet) -> Vec<CommandRow> {
    let command = |output| match output {
        Output::WriteControl(ControlDbRow::Command(row)) => Some(row),
        _ => None,
    };
    fleet.outputs().into_iter().filter_map(command).collect()
}

fn confirm(fleet: &mut TestFleet, rows: &[CommandRow]) {
    let ticket = rows.last().expect("a command was issued").ticket;
    fleet.handle(Input::ControlCommitted { ticket });
}

fn generation(fleet: &TestFleet) -> Option<u64> {
    fleet.agent("a").desired().map(|command| command.generation)
}

/// The database was restored from a copy of before a kill.
#[test]
fn an_unknown_kill_is_adopted_durably_and_a_resume_lifts_it() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.discard_outputs();
    fleet.receive(beat("a").killed(9));
    assert_eq!(fleet.status("a"), "healthy", "nothing holds before it is on disk");
    let rows = commands(&mut fleet);
    assert_eq!((rows.len(), rows[0].action, &*rows[0].by), (1, Action::Kill, "unknown"));
    fleet.receive(beat("a").killed(9));
    assert_eq!(commands(&mut fleet), [], "it is on its way");
    confirm(&mut fleet, &rows);
    assert_eq!((fleet.status("a").as_str(), generation(&fleet)), ("killed operator", Some(9)));
    fleet.receive(beat("a").killed(9));
    assert!(fleet.agent("a").desired().unwrap().obeyed_ms.is_some());
    fleet.command_durably(Action::Resume, "a");
    assert_eq!((fleet.status("a").as_str(), generation(&fleet)), ("healthy", Some(10)));
}

#[test]
fn a_kill_that_could_not_be_adopted_is_adopted_later() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.discard_outputs();
    fleet.receive(beat("a").killed(9));
    let rows = commands(&mut fleet);
    fleet.handle(Input::Abandoned { ticket: rows[0].ticket, why: "full".into() });
    fleet.advance_ms(30_000);
    fleet.receive(beat("a").killed(9));
    let rows = commands(&mut fleet);
    confirm(&mut fleet, &rows);
    assert_eq!((fleet.status("a").as_str(), generation(&fleet)), ("killed operator", Some(9)));
}

#[test]
fn of_two_commands_with_one_generation_the_kill_wins() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command_durably(Action::Kill, "a");
    fleet.command_durably(Action::Resume, "a");
    fleet.receive(beat("a").killed(2));
    fleet.confirm_commands();
    assert_eq!((fleet.status("a").as_str(), generation(&fleet)), ("killed operator", Some(2)));
}

#[test]
fn a_kill_that_an_agent_has_overtaken_is_issued_again_above_its_report() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command_durably(Action::Kill, "a");
    fleet.discard_outputs();
    fleet.receive(beat("a").applied(9));
    let rows = commands(&mut fleet);
    confirm(&mut fleet, &rows);
    assert_eq!((fleet.status("a").as_str(), generation(&fleet)), ("killed operator", Some(10)));
    let reason = fleet.agent("a").desired().unwrap().reason.clone();
    assert_eq!(&*reason, "over budget", "it is the same kill");
}

/// The abandoned kill must not leave a number behind that looks like a command on its way.
#[test]
fn a_kill_is_issued_again_after_a_later_one_was_abandoned_before_it_was_applied() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.discard_outputs();
    fleet.command(Action::Kill, "a");
    fleet.command(Action::Kill, "a");
    let rows = commands(&mut fleet);
    fleet.handle(Input::Abandoned { ticket: rows[1].ticket, why: "refused".into() });
    confirm(&mut fleet, &rows[..1]);
    assert_eq!(generation(&fleet), Some(1));
    fleet.discard_outputs();
    fleet.receive(beat("a").applied(4));
    let rows = commands(&mut fleet);
    confirm(&mut fleet, &rows);
    assert_eq!((fleet.status("a").as_str(), generation(&fleet)), ("killed operator", Some(5)));
}

#[test]
fn a_kill_is_issued_again_at_most_once_an_interval() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command_durably(Action::Kill, "a");
    fleet.discard_outputs();
    let mut issued = 0;
    for number in 1..=90 {
        fleet.receive(beat("a").applied(100 * number));
        let rows = commands(&mut fleet);
        if !rows.is_empty() {
            confirm(&mut fleet, &rows);
            issued += 1;
        }
        fleet.advance_ms(1_000);
    }
    assert_eq!(issued, 3, "90 s of an agent with an interval of 30 s");
}

#[test]
fn a_newer_resume_is_outranked_by_the_next_command_and_writes_nothing() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.discard_outputs();
    fleet.receive(beat("a").applied(1_000));
    assert_eq!(commands(&mut fleet), []);
    fleet.command_durably(Action::Kill, "a");
    assert_eq!(generation(&fleet), Some(1_001));
}

/// A stolen key must not be able to use up the numbers.
#[test]
fn reports_are_believed_up_to_a_bound_above_the_durable_generation() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for step in 1..5_000 {
        fleet.receive(beat("a").applied(step * (LEAD_MAX - 1)));
        fleet.advance_ms(100);
    }
    assert_eq!(fleet.core.implausible_reports(), 4_998);
    fleet.command_durably(Action::Kill, "a");
    assert_eq!(generation(&fleet), Some(1));
    fleet.command_durably(Action::Resume, "a");
    assert_eq!(generation(&fleet), Some(2));
}

#[test]
fn a_kill_too_far_above_ours_is_shown_as_blocked() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.discard_outputs();
    fleet.receive(beat("a").killed(LEAD_MAX + 1));
    assert_eq!(fleet.status("a"), "degraded blocked");
    assert_eq!(commands(&mut fleet), []);
}

#[test]
fn a_kill_of_another_control_id_is_shown_and_a_resume_lifts_it() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").blocked_by(7));
    assert_eq!(fleet.status("a"), "degraded blocked");
    let causes = fleet.causes();
    assert!(causes.last().unwrap().contains("control id 0000000000000007"), "{causes:?}");
    fleet.command_durably(Action::Resume, "a");
    let pushes = fleet.pushes();
    assert_eq!((pushes[0].desired, pushes[0].lifts), (ours(1, false), ControlId::new(7)));
    fleet.receive(beat("a").applied(1));
    assert_eq!(fleet.status("a"), "healthy");
    fleet.command_durably(Action::Resume, "a");
    assert_eq!(generation(&fleet), Some(1), "there is nothing left to lift");
}

#[test]
fn a_kill_is_obeyed_when_every_live_session_has_obeyed() {
    let obeyed = |fleet: &TestFleet| fleet.agent("a").desired().unwrap().obeyed_ms.is_some();
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").session(2));
    fleet.receive(beat("a"));
    assert_eq!(fleet.status("a"), "degraded conflict");
    fleet.command_durably(Action::Kill, "a");
    fleet.receive(beat("a").session(2).killed(1));
    assert!(!obeyed(&fleet), "the other process works on");
    fleet.receive(beat("a").busy(1, 0).killed(1));
    assert!(!obeyed(&fleet), "it is draining");
    fleet.receive(beat("a").killed(1));
    assert!(obeyed(&fleet));
}

#[test]
fn an_overtaken_beat_takes_back_no_obedience_of_another_live_session() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").session(2));
    fleet.command_durably(Action::Kill, "a");
    fleet.receive(beat("a").killed(1).sequence(5));
    fleet.receive(beat("a").busy(1, 0).sequence(4));
    fleet.receive(beat("a").session(2).killed(1));
    assert!(fleet.agent("a").desired().unwrap().obeyed_ms.is_some());
}

#[test]
fn a_supervisor_that_waits_after_a_crash_reports_the_commands_that_it_hears() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(exit_by_signal("a", 9));
    fleet.command_durably(Action::Kill, "a");
    fleet.receive(beat("a").killed(1));
    let command = fleet.agent("a").desired().unwrap();
    assert!(command.delivered_ms.is_some() && command.obeyed_ms.is_some());
    fleet.command_durably(Action::Resume, "a");
    fleet.receive(beat("a").applied(2));
    assert_eq!(fleet.status("a"), "unreachable crashed", "until the next session");
}

#[test]
fn at_the_largest_generation_a_kill_is_issued_again_and_wins() {
    let killed = CommandRecord {
        generation: GENERATION_MAX - 1,
        killed: true,
        cause: Reason::Operator,
        by: "".into(),
        reason: "".into(),
        at: START,
        delivered_ms: None,
        obeyed_ms: None,
        last_segment: u64::MAX,
        disobeyed: false,
        lifts: None,
    };
    let agent = RestoredAgent { desired: Some(Box::new(killed)), ..restored_agent("a") };
    let mut fleet = TestFleet::restored(vec![agent]);
    fleet.receive(beat("a").applied(GENERATION_MAX));
    let rows = commands(&mut fleet);
    confirm(&mut fleet, &rows);
    let push = fleet.pushes()[0].desired;
    assert_eq!(push, ours(GENERATION_MAX, true));
    assert!(push.outranks(&ours(GENERATION_MAX, false)));
}

#[test]
fn a_session_that_has_fallen_silent_does_not_hold_up_obedience() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").session(2));
    fleet.receive(beat("a"));
    fleet.command_durably(Action::Kill, "a");
    for _ in 0..4 {
        fleet.advance_ms(30_000);
        fleet.receive(beat("a").session(2).killed(1));
    }
    assert!(fleet.agent("a").desired().unwrap().obeyed_ms.is_some());
}
