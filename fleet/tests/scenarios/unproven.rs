//! Messages that are authentic and not proven fresh: new starts, and recordings of old ones.

use heartline_fleet::RestoredSession;

use crate::test_fleet::{TestFleet, restored_agent};
use crate::test_message::{TestMessage, beat};

/// A new start's first beats, one second apart: returns how many it takes until one is answered.
fn beats_until_answered(fleet: &mut TestFleet, start: &TestMessage) -> Option<u32> {
    (1..=10).find(|_| {
        fleet.discard_outputs();
        fleet.receive(start.clone());
        let is_answered = fleet.acks().iter().any(|ack| ack.session == start.session);
        fleet.advance_ms(1_000);
        is_answered
    })
}

/// Replays recordings for a while: `recording(n)` is the one sent in the millisecond `n`.
fn replay(fleet: &mut TestFleet, for_ms: u64, recording: impl Fn(u64) -> TestMessage) -> usize {
    for n in 0..for_ms {
        fleet.receive(recording(n).unconfirmed());
        fleet.advance_ms(1);
    }
    fleet.acks().len()
}

#[test]
fn a_recording_is_answered_once() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    let answered = replay(&mut fleet, 4_000, |n| beat("a").session(90 + n % 5).sequence(1));
    assert_eq!((answered, fleet.core.counters().replayed), (5, 3_995));
}

#[test]
fn sequences_of_64_sessions_are_remembered_before_they_are_live() {
    for (sessions, answered) in [(64, 64), (65, 66)] {
        let mut fleet = TestFleet::with_agent(beat("a"));
        let mut answers = 0;
        for n in 0..2 * sessions {
            fleet.receive(beat("a").session(100 + n % sessions).sequence(1).unconfirmed());
            fleet.advance_ms(1_000);
            answers += fleet.acks().len();
        }
        assert_eq!(answers, answered, "{sessions} sessions");
    }
}

#[test]
fn a_restart_forgets_sequences_and_answers_them_as_unconfirmed() {
    let mut fleet = TestFleet::restored(vec![restored_agent("a")]);
    for _ in 0..2 {
        fleet.receive(beat("a").sequence(1).unconfirmed());
        let acks = fleet.acks();
        assert_eq!(acks.len(), 1);
        assert!(acks.iter().all(|ack| ack.ack.unconfirmed));
    }
}

#[test]
fn a_sequence_taken_before_its_session_is_live_is_repeated_afterwards() {
    let mut fleet = TestFleet::new();
    fleet.receive(beat("a").sequence(1).unconfirmed());
    fleet.receive(beat("a").sequence(2));
    assert_eq!(fleet.acks().len(), 2);
    for is_fresh in [false, true] {
        fleet.receive(TestMessage { fresh: is_fresh, ..beat("a").sequence(1) });
    }
    assert_eq!(fleet.core.counters().replayed, 2);
    assert_eq!((fleet.agent("a").received(), fleet.agent("a").lost()), (1, 0));
}

#[test]
fn a_session_that_becomes_live_leaves_the_others_recognised() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").session(8).sequence(1).unconfirmed());
    fleet.receive(beat("a").session(9).sequence(1).unconfirmed());
    fleet.receive(beat("a").session(9).sequence(2));
    fleet.discard_outputs();
    fleet.receive(beat("a").session(8).sequence(1).unconfirmed());
    assert_eq!(fleet.acks(), []);
}

#[test]
fn what_arrives_after_a_newer_message_of_its_session_is_not_answered() {
    let mut fleet = TestFleet::restored(vec![restored_agent("a")]);
    fleet.receive(beat("a").sequence(5_000).unconfirmed());
    assert_eq!(fleet.acks().len(), 1);
    let answered = replay(&mut fleet, 100, |n| beat("a").sequence(4_900 + n));
    assert_eq!(answered, 0);
    fleet.receive(beat("a").sequence(5_001));
    assert_eq!(fleet.acks().len(), 1);
}

#[test]
fn recordings_of_the_known_session_raise_neither_beats_nor_losses() {
    let mut fleet = TestFleet::restored(vec![restored_agent("a")]);
    for sequence in 1..=20 {
        fleet.receive(beat("a").sequence(sequence).unconfirmed());
    }
    assert_eq!((fleet.agent("a").received(), fleet.agent("a").lost()), (0, 0));
    fleet.receive(beat("a").sequence(5_000));
    assert_eq!((fleet.agent("a").received(), fleet.agent("a").lost()), (1, 0));
    // One that was not proven fresh did arrive.
    fleet.receive(beat("a").sequence(5_001).unconfirmed());
    fleet.receive(beat("a").sequence(5_003));
    assert_eq!((fleet.agent("a").received(), fleet.agent("a").lost()), (2, 1));
}

#[test]
fn recordings_in_rotation_keep_no_answer_from_a_new_start() {
    for (sessions, port) in [(6, 9), (65, 9), (1_000, 9)] {
        let mut fleet = TestFleet::with_agent(beat("a"));
        // 1,000 a second, each new in its session.
        let recording = |n: u64| beat("a").session(100 + n % sessions).sequence(1 + n).port(port);
        replay(&mut fleet, 3_000, recording);
        let beats = beats_until_answered(&mut fleet, &beat("a").session(7).port(2).unconfirmed());
        assert_eq!(beats, Some(1), "{sessions} sessions");
        replay(&mut fleet, 3_000, recording);
        fleet.receive(beat("a").session(7).port(2));
        assert_eq!(fleet.acks().len(), 1, "a live message comes before all others");
        assert_eq!(fleet.agent("a").session(), 7);
    }
}

#[test]
fn the_host_of_the_last_live_message_has_answers_of_its_own() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    // From ever new addresses of other hosts, and each of a session that was never seen.
    let mut n = 0;
    let mut flood = |fleet: &mut TestFleet| {
        for _ in 0..3_000 {
            n += 1;
            let stranger = beat("a").session(1_000 + n).host(2).port(n as u16).unconfirmed();
            fleet.receive(stranger);
            fleet.advance_ms(1);
        }
    };
    flood(&mut fleet);
    let start = beat("a").session(7).port(2).unconfirmed();
    assert_eq!(beats_until_answered(&mut fleet, &start), Some(1));
    flood(&mut fleet);
    fleet.discard_outputs();
    fleet.receive(beat("a").session(7).port(2));
    assert_eq!(fleet.acks().len(), 1);
}

#[test]
fn a_restart_of_the_collector_leaves_every_agent_an_answer() {
    let session = |session| RestoredSession { session, applied_segment: 0, ended: None };
    let sessions = (1..=9).map(session).collect();
    let agent = heartline_fleet::RestoredAgent { sessions, ..restored_agent("a") };
    let mut fleet = TestFleet::restored(vec![agent]);
    // Recordings of all sessions that are known, oldest first.
    replay(&mut fleet, 9_000, |n| beat("a").session(1 + n % 9).sequence(1 + n / 9).port(9));
    let current = beat("a").session(1).sequence(5_000).port(2).unconfirmed();
    fleet.receive(current);
    assert_eq!(fleet.acks().len(), 1);
}
