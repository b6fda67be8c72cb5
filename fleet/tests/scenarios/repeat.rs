//! Messages whose sequence was seen before: of copies of a process, and of copies of a datagram.

use heartline_vocabulary::Action;

use crate::test_fleet::TestFleet;
use crate::test_message::{TestMessage, beat, goodbye};

#[test]
fn a_copy_of_a_process_learns_that_its_session_went_on_without_it() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for _ in 2..=400 {
        fleet.advance_ms(30_000);
        fleet.receive(beat("a"));
    }
    fleet.discard_outputs();
    // Restored from a snapshot of hours ago: beyond the window, and with an old challenge.
    fleet.receive(beat("a").sequence(120).unconfirmed());
    let ack = fleet.acks().pop().expect("it is answered");
    assert_eq!((ack.sequence, ack.ack.highest_sequence), (120, 400));
    assert_eq!((fleet.agent("a").received(), fleet.core.counters().replayed), (400, 1));
    // Also when another process has followed.
    fleet.receive(beat("a").session(2));
    fleet.discard_outputs();
    fleet.receive(beat("a").sequence(121).unconfirmed());
    let ack = fleet.acks().pop().expect("it is answered");
    assert_eq!((ack.session, ack.ack.highest_sequence), (1, 400));
    assert_eq!(fleet.status("a"), "healthy", "a copy of a message is no second process");
}

#[test]
fn two_copies_of_one_process_are_a_conflict() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for _ in 0..5 {
        fleet.advance_ms(10_000);
        fleet.receive(beat("a"));
    }
    // The copy goes on in a session of its own.
    fleet.receive(beat("a").session(2));
    fleet.advance_ms(10_000);
    fleet.receive(beat("a"));
    assert_eq!(fleet.status("a"), "degraded conflict");
}

#[test]
fn a_copy_in_step_with_the_original_is_told_apart_by_what_it_sends() {
    let mut fleet = TestFleet::with_agent(beat("a").sequence(7));
    fleet.receive(beat("a").sequence(7));
    let ack = fleet.acks().pop().expect("it is answered");
    assert!(!ack.ack.session_taken, "the network has delivered it twice");
    fleet.receive(beat("a").sequence(7).other_content());
    let ack = fleet.acks().pop().expect("it is answered");
    assert!(ack.ack.session_taken);
    fleet.receive(beat("a").sequence(8));
    let ack = fleet.acks().pop().expect("it is answered");
    assert!(!ack.ack.session_taken);
}

#[test]
fn a_goodbye_of_one_copy_does_not_hide_the_other() {
    let mut fleet = TestFleet::with_agent(beat("a").sequence(7));
    fleet.receive(goodbye("a").sequence(8));
    assert_eq!(fleet.status("a"), "killed shutdown");
    fleet.discard_outputs();
    fleet.receive(beat("a").sequence(9));
    let ack = fleet.acks().pop().expect("it is answered");
    assert!(ack.ack.session_taken, "nothing follows a goodbye of one process");
    fleet.receive(beat("a").session(2));
    assert_eq!(fleet.status("a"), "healthy");
    // The other way round: the goodbye comes late, and one of them has gone on.
    fleet.receive(beat("a").session(2).sequence(5));
    fleet.receive(goodbye("a").session(2).sequence(4));
    assert_eq!(fleet.status("a"), "healthy");
}

#[test]
fn a_message_that_came_first_from_elsewhere_is_answered_to_its_sender_as_well() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").sequence(7).host(66));
    fleet.receive(beat("a").sequence(7));
    let acks = fleet.acks();
    let to: Vec<String> = acks.iter().map(|ack| ack.to.peer.ip().to_string()).collect();
    assert_eq!(to, ["10.0.0.66", "10.0.0.1"]);
    assert!(!acks[1].ack.unconfirmed);
    fleet.command_durably(Action::Kill, "a");
    let pushes = fleet.pushes();
    let to: Vec<String> = pushes.iter().map(|push| push.to.peer.ip().to_string()).collect();
    assert_eq!(to, ["10.0.0.66", "10.0.0.1"]);
}

#[test]
fn repeated_messages_are_answered_about_once_a_second() {
    let mut fleet = TestFleet::with_agent(beat("a").sequence(3));
    for _ in 0..10_000 {
        for is_fresh in [false, true] {
            fleet.receive(TestMessage { fresh: is_fresh, ..beat("a").sequence(3) });
        }
        fleet.advance_ms(1);
    }
    let answered = fleet.acks().len();
    assert!((10..=14).contains(&answered), "{answered}");
    fleet.receive(beat("a").sequence(4));
    assert_eq!(fleet.acks().len(), 1);
}
