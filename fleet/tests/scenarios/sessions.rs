//! Sessions: starts, ends, and two processes under one name.

use heartline_fleet::{ForgetRequest, HistoryDbRow, Input};

use heartline_vocabulary::{Action, SessionEnd};

use crate::test_fleet::TestFleet;
use crate::test_message::{TestMessage, beat, exit_by_signal, goodbye};

#[test]
fn a_goodbye_makes_stopped_until_the_next_session() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.advance_ms(1_000);
    fleet.receive(goodbye("a"));
    fleet.advance_ms(900_000);
    fleet.receive(beat("a").session(2));
    let expected = ["1000 healthy → killed shutdown", "901000 killed shutdown → healthy"];
    assert_eq!(fleet.transitions(), expected);
    assert_eq!((fleet.agent("a").starts(), fleet.agent("a").session()), (2, 2));
}

#[test]
fn a_beat_that_arrives_after_its_goodbye_counts_its_work_and_reopens_nothing() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(goodbye("a").sequence(3));
    fleet.receive(beat("a").sequence(2));
    fleet.discard_outputs();
    fleet.receive(beat("a").sequence(4));
    let ack = fleet.acks()[0].ack;
    assert!(!ack.unconfirmed && ack.session_taken);
    fleet.receive(beat("a").sequence(5).segment(1, 7));
    assert_eq!(fleet.agent("a").totals().ok, 7);
    assert_eq!(fleet.status("a"), "killed shutdown");
    fleet.receive(beat("a").session(2));
    assert_eq!(fleet.status("a"), "healthy");
}

#[test]
fn a_reported_exit_is_a_crash() {
    let mut fleet = TestFleet::with_agent(beat("a").busy(2, 0));
    fleet.receive(exit_by_signal("a", 9));
    assert_eq!(fleet.status("a"), "unreachable crashed");
    assert_eq!(fleet.causes(), ["terminated by SIGKILL (9)"]);
    assert_eq!(fleet.agent("a").in_flight(), 0);
    fleet.advance_ms(900_000);
    fleet.receive(beat("a").session(2));
    assert_eq!(fleet.transitions(), ["900000 unreachable crashed → healthy"]);
}

#[test]
fn a_new_session_supersedes_the_old_one() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").session(2).unconfirmed());
    assert_eq!(fleet.agent("a").session(), 1, "an unconfirmed message changes nothing");
    fleet.receive(beat("a").session(2));
    let rows = fleet.history();
    assert!(matches!(
        rows[..],
        [
            HistoryDbRow::SessionEnded { session: 1, end: SessionEnd::Superseded, .. },
            HistoryDbRow::Session { session: 2, starts: 2, .. },
        ]
    ));
}

#[test]
fn history_takes_a_few_identities_of_each_session() {
    let mut fleet = TestFleet::with_agent(beat("a").pid(1));
    let mut pids = |messages: &mut dyn Iterator<Item = TestMessage>| {
        messages.for_each(|message| fleet.receive(message));
        let pid = |row| match row {
            HistoryDbRow::Identity { identity, .. } => identity.pid,
            _ => None,
        };
        fleet.history().into_iter().filter_map(pid).collect::<Vec<_>>()
    };
    assert_eq!(pids(&mut (1..100).map(|pid| beat("a").pid(pid))), [2, 3, 4], "the first is stored");
    assert_eq!(pids(&mut [beat("a").pid(99)].into_iter()), []);
    let next = [beat("a").session(2).pid(7), beat("a").session(2).pid(7), beat("a").session(2)];
    assert_eq!(pids(&mut next.into_iter()), [7]);
}

#[test]
fn an_outage_has_the_step_that_was_running() {
    let mut fleet = TestFleet::with_agent(beat("a").step("fetch"));
    fleet.advance_ms(200_000);
    fleet.receive(beat("a").step("fetch"));
    let step = |row| match row {
        HistoryDbRow::Transition(transition) => Some(transition.step.map(String::from)),
        _ => None,
    };
    let steps: Vec<_> = fleet.history().into_iter().filter_map(step).collect();
    assert_eq!(steps, [Some("fetch".to_owned()), None], "late in it, and healthy again");
}

#[test]
fn two_processes_are_a_conflict_until_one_is_silent() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").session(2));
    for _ in 0..5 {
        fleet.advance_ms(10_000);
        fleet.receive(beat("a").session(1));
        fleet.receive(beat("a").session(2));
    }
    assert_eq!(fleet.status("a"), "degraded conflict");
    assert_eq!(fleet.agent("a").session(), 2, "it does not switch back while both live");
    for _ in 0..10 {
        fleet.advance_ms(10_000);
        fleet.receive(beat("a").session(2));
    }
    let expected = ["10000 healthy → degraded conflict", "140000 degraded conflict → healthy"];
    assert_eq!(fleet.transitions(), expected);
}

#[test]
fn a_replacement_that_says_goodbye_is_no_conflict() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").session(2));
    fleet.receive(goodbye("a").session(1));
    assert_eq!(fleet.status("a"), "healthy");
}

#[test]
fn the_first_process_is_current_again_when_the_second_ends() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").session(2));
    fleet.advance_ms(10_000);
    fleet.receive(goodbye("a").session(2));
    for _ in 0..4 {
        assert_eq!(fleet.status("a"), "killed shutdown");
        fleet.advance_ms(25_000);
        fleet.receive(beat("a").session(1));
    }
    assert_eq!((fleet.agent("a").session(), fleet.agent("a").starts()), (1, 3));
    fleet.advance_ms(80_000);
    assert_eq!(fleet.status("a"), "healthy");
}

#[test]
fn a_replay_never_becomes_the_current_session() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").sequence(9));
    fleet.receive(beat("a").session(2));
    fleet.receive(beat("a").session(1).sequence(10));
    fleet.advance_ms(400_000);
    for sequence in [1, 9, 10] {
        fleet.receive(beat("a").session(1).sequence(sequence));
    }
    // Delayed for minutes, and overtaken: it does not prove that its process still runs.
    fleet.receive(beat("a").session(1).sequence(5));
    assert_eq!((fleet.agent("a").session(), fleet.status("a").as_str()), (2, "unreachable silent"));
}

#[test]
fn a_replay_is_recognised_after_many_sessions() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for session in 2..40 {
        fleet.advance_ms(500);
        fleet.receive(beat("a").session(session));
    }
    fleet.receive(beat("a").session(1).sequence(1));
    assert_eq!(fleet.agent("a").session(), 39);
    assert_eq!(fleet.core.counters().replayed, 1);
}

#[test]
fn the_newest_of_many_starts_is_current_and_no_challenge_of_the_evicted_ones_holds() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    let voided = |fleet: &TestFleet| fleet.core.challenges_voided(fleet.core.find("a"), "a");
    for session in 2..=65 {
        fleet.receive(beat("a").session(session));
        assert_eq!((fleet.agent("a").session(), voided(&fleet)), (session, 0));
    }
    for session in 66..=1_000 {
        fleet.advance_ms(10);
        fleet.receive(beat("a").session(session));
        assert_eq!(fleet.agent("a").session(), session, "the newest start is never refused");
    }
    // Once for each half of the 64 that are kept.
    assert_eq!(voided(&fleet), 30);
    assert_eq!(fleet.core.counters().over_limit, 0);
    // A forgotten agent's recordings prove nothing either.
    let request = ForgetRequest { request_id: 7, agents: vec!["a".into()], by: "".into() };
    fleet.handle(Input::Forget(request));
    assert_eq!(fleet.core.find("a"), None);
    assert_eq!(voided(&fleet), 30);
    fleet.receive(beat("a").session(2_000).unconfirmed());
    assert_eq!(voided(&fleet), 30);
}

#[test]
fn a_kill_reaches_the_newest_start_of_a_crash_loop() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for session in 2..=200 {
        fleet.advance_ms(500);
        fleet.receive(beat("a").session(session).unconfirmed());
        fleet.receive(beat("a").session(session));
    }
    fleet.command_durably(Action::Kill, "a");
    let pushes = fleet.pushes();
    assert_eq!(pushes.last().map(|push| (push.session, push.desired.killed)), Some((200, true)));
    fleet.receive(beat("a").session(201).unconfirmed());
    let ack = fleet.acks().pop().expect("a new start is answered");
    assert_eq!((ack.session, ack.ack.desired.killed), (201, true));
}

#[test]
fn a_new_session_is_challenged_by_its_own_interval() {
    let mut fleet = TestFleet::with_agent(beat("a").interval_ms(30_000));
    fleet.receive(beat("a").session(2).interval_ms(1_000).unconfirmed());
    let ack = fleet.acks().pop().expect("an unconfirmed message is challenged");
    assert_eq!((ack.session, ack.interval_ms), (2, 1_000));
    assert_eq!(fleet.agent("a").interval_ms(), 30_000, "an unconfirmed message changes nothing");
}
