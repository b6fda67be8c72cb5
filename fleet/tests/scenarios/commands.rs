//! Kill and resume, from the operator's word to the agent's obedience.

use heartline_fleet::{ControlDbRow, HistoryDbRow, Input, MonoTime, Output, WriteTicket};

use heartline_vocabulary::{Action, CommandRefusal, Reason};

use crate::say::{beat, goodbye};
use crate::world::{START, World, ms, request};

/// How far the newest command has come: delivered after, obeyed after.
fn progress(world: &World) -> (Option<u64>, Option<u64>) {
    let view = world.view("a");
    let desired = view.desired().expect("it was commanded");
    (desired.delivered_ms, desired.obeyed_ms)
}

fn disobedience(world: &mut World) -> usize {
    let is_it = |row: &HistoryDbRow| matches!(row, HistoryDbRow::Disobeyed { .. });
    world.history().into_iter().filter(is_it).count()
}

#[test]
fn a_kill_is_nothing_until_it_is_durable() {
    let mut world = World::with(beat("a"));
    world.command(Action::Kill, "a");
    world.pass_ms(500);
    assert_eq!(world.status("a"), "healthy");
    world.hear(beat("a"));
    let outputs = world.outputs();
    let told = |output: &Output| match output {
        Output::Ack(ack) => ack.ack.killed,
        Output::Push(_) | Output::CommandApplied { .. } => true,
        _ => false,
    };
    assert!(!outputs.iter().any(told), "nobody may hear of it yet");
    world.tell(Input::Persisted { ticket: WriteTicket(1) });
    assert_eq!(world.status("a"), "killed operator");
    assert_eq!(world.pushes().len(), 1);
}

#[test]
fn a_kill_that_could_not_be_stored_was_never_given() {
    let mut world = World::with(beat("a"));
    world.command(Action::Kill, "a");
    world.tell(Input::Abandoned { ticket: WriteTicket(1), why: "full".into() });
    world.tell(Input::Persisted { ticket: WriteTicket(1) });
    assert_eq!(world.status("a"), "healthy");
    world.order(Action::Kill, "a");
    assert_eq!(world.view("a").desired().map(|desired| desired.generation), Some(2));
}

#[test]
fn it_is_pushed_five_times_and_rides_on_every_answer() {
    let mut world = World::with(beat("a"));
    world.order(Action::Kill, "a");
    let mut pushed: Vec<i64> = Vec::new();
    for at in 0..3_000 {
        let count = world.pushes().len();
        pushed.extend(std::iter::repeat_n(at, count));
        world.pass_ms(1);
    }
    assert_eq!(pushed, [0, 100, 200, 400, 800]);
    world.hear(beat("a"));
    let ack = world.acks()[0].ack;
    assert_eq!((ack.generation, ack.killed), (1, true));
}

#[test]
fn pushes_end_when_a_beat_reports_the_generation() {
    let mut world = World::with(beat("a"));
    world.order(Action::Kill, "a");
    world.pass_ms(150);
    world.hear(beat("a").applied(1));
    world.forget_outputs();
    world.pass_ms(3_000);
    assert_eq!(world.pushes(), []);
}

#[test]
fn pushes_of_a_newer_command_begin_anew() {
    let mut world = World::with(beat("a"));
    world.order(Action::Kill, "a");
    world.pass_ms(150);
    world.order(Action::Resume, "a");
    world.forget_outputs();
    world.pass_ms(3_000);
    let pushes = world.pushes();
    assert_eq!(pushes.len(), 4);
    assert!(pushes.iter().all(|push| push.generation == 2 && !push.killed));
}

#[test]
fn it_is_requested_then_delivered_then_quiet() {
    let mut world = World::with(beat("a").busy(2, 0));
    world.order(Action::Kill, "a");
    assert_eq!(progress(&world), (None, None));
    world.pass_ms(4);
    world.hear(beat("a").busy(2, 0).applied(1));
    assert_eq!(progress(&world), (Some(4), None));
    assert_eq!(world.view("a").command().map(|command| command.draining), Some(2));
    world.forget_outputs();
    world.pass_ms(5_000);
    world.hear(beat("a").applied(1));
    assert_eq!(progress(&world), (Some(4), Some(5_004)));
    let rows = world.outputs();
    let stored = |output: &Output| match output {
        Output::Persist(ControlDbRow::Progress { delivered_ms, obeyed_ms, .. }) => {
            Some((*delivered_ms, *obeyed_ms))
        }
        _ => None,
    };
    assert_eq!(rows.iter().filter_map(stored).collect::<Vec<_>>(), [(4, Some(5_004))]);
}

#[test]
fn an_agent_that_applied_something_newer_has_not_applied_this() {
    let mut world = World::with(beat("a"));
    world.order(Action::Kill, "a");
    world.hear(beat("a").applied(9));
    assert_eq!(progress(&world), (None, None));
    world.order(Action::Resume, "a");
    assert_eq!(world.view("a").desired().map(|desired| desired.generation), Some(10));
}

#[test]
fn killed_goes_before_everything_and_lasts_until_resumed() {
    let mut world = World::with(beat("a"));
    world.order(Action::Kill, "a");
    world.hear(beat("a").session(2));
    world.hear(goodbye("a").session(2));
    world.pass_ms(1_000_000);
    assert_eq!(world.status("a"), "killed operator");
    world.hear(beat("a").session(3));
    world.forget_outputs();
    world.mark();
    world.order(Action::Resume, "a");
    assert_eq!(world.transitions(), ["0 killed operator → healthy"]);
}

#[test]
fn a_resume_of_the_dead_finds_them_dead() {
    let mut world = World::with(beat("a"));
    world.order(Action::Kill, "a");
    world.pass_ms(1_000_000);
    world.order(Action::Resume, "a");
    assert_eq!(world.status("a"), "unreachable silent");
}

#[test]
fn what_had_become_true_before_the_command_has_its_own_moment() {
    let mut world = World::with(beat("a").interval_ms(100));
    world.until_ms(250);
    world.command(Action::Kill, "a");
    world.freeze_ms(60);
    world.persist();
    let expected = ["300 healthy → degraded late", "310 degraded late → killed operator"];
    assert_eq!(world.transitions(), expected);
}

#[test]
fn who_has_ended_is_quiet() {
    let mut world = World::with(beat("a").busy(3, 0));
    world.order(Action::Kill, "a");
    world.pass_ms(7);
    world.hear(goodbye("a"));
    assert_eq!(progress(&world), (Some(7), Some(7)));
}

#[test]
fn work_from_before_the_kill_is_no_disobedience() {
    let mut world = World::with(beat("a").segment(1, 1));
    world.order(Action::Kill, "a");
    // Quiet, with one segment pending and one still open.
    world.hear(beat("a").segment(2, 4).applied(1));
    world.hear(beat("a").segment(3, 2).applied(1));
    assert_eq!(disobedience(&mut world), 0);
}

#[test]
fn work_completed_after_it_was_quiet_is() {
    let mut world = World::with(beat("a").segment(1, 1));
    world.order(Action::Kill, "a");
    world.hear(beat("a").segment(2, 4).applied(1));
    for number in 3..6 {
        world.hear(beat("a").segment(number, 1).applied(1));
    }
    assert_eq!(disobedience(&mut world), 1, "and it is said once");
    assert!(world.view("a").desired().is_some_and(|desired| desired.disobeyed));
}

#[test]
fn a_new_process_may_work_until_it_hears_of_the_kill_and_drain_then() {
    let mut world = World::with(beat("a"));
    world.order(Action::Kill, "a");
    world.hear(beat("a").applied(1));
    // Its file was lost: it began to work.
    world.hear(beat("a").session(2).segment(1, 3).busy(1, 0));
    world.hear(beat("a").session(2).segment(2, 3).busy(1, 0).applied(1));
    world.hear(beat("a").session(2).segment(3, 1).applied(1));
    assert_eq!(disobedience(&mut world), 0);
    world.hear(beat("a").session(2).segment(5, 1).applied(1));
    assert_eq!(disobedience(&mut world), 1);
}

#[test]
fn killing_the_killed_changes_nothing() {
    let mut world = World::with(beat("a"));
    world.order(Action::Kill, "a");
    world.forget_outputs();
    world.order(Action::Kill, "a");
    let changed = world.outputs().into_iter().find_map(|output| match output {
        Output::CommandApplied { targets, .. } => Some(targets[0].changed),
        _ => None,
    });
    assert_eq!(changed, Some(false));
    assert_eq!(world.view("a").desired().map(|desired| desired.generation), Some(1));
}

#[test]
fn of_two_commands_under_way_the_later_one_wins() {
    let mut world = World::with(beat("a"));
    world.command(Action::Kill, "a");
    world.command(Action::Resume, "a");
    world.persist();
    let desired = world.view("a").desired().cloned().expect("it was commanded");
    assert_eq!((desired.generation, desired.killed), (2, false));
    assert_eq!(world.status("a"), "healthy");
}

#[test]
fn a_generation_that_an_agent_makes_up_uses_up_no_numbers() {
    let generation = |applied| {
        let mut world = World::with(beat("a").applied(applied));
        world.order(Action::Kill, "a");
        world.view("a").desired().map(|desired| desired.generation)
    };
    // One that a restored copy of the database can't know of is outranked.
    assert_eq!(generation(1_000), Some(1_001));
    assert_eq!(generation(u64::from(u32::MAX)), Some(1));
}

#[test]
fn commands_that_are_refused() {
    let mut world = World::new();
    for agent in ["a", "b", "c", "d", "e"] {
        world.hear(beat(agent));
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
        world.forget_outputs();
        world.tell(Input::Command(request));
        assert_eq!(world.outputs(), [Output::CommandRefused { request_id: 1, refusal: expected }]);
    }
}

#[test]
fn a_policy_kills_in_its_own_name() {
    let mut world = World::with(beat("a"));
    let request = heartline_fleet::CommandRequest {
        cause: Reason::Policy,
        ..request(1, Action::Kill, &["a"])
    };
    world.tell(Input::Command(request));
    world.persist();
    assert_eq!(world.status("a"), "killed policy");
}

#[test]
fn what_an_operator_did_has_its_moment_and_its_reason() {
    let mut world = World::with(beat("a"));
    world.pass_ms(100);
    world.order(Action::Kill, "a");
    let row = world.history().into_iter().find_map(|row| match row {
        HistoryDbRow::Commanded { at, generation, by, reason, .. } => {
            Some((at, generation, by, reason))
        }
        _ => None,
    });
    let (at, generation, by, reason): (MonoTime, _, _, _) = row.expect("it is history");
    assert_eq!(
        (ms(at, START), generation, &*by, &*reason),
        (100, 1, "root@desk", "it burns money")
    );
}
