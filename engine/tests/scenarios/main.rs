//! Scenarios: what the engine sends, and when, in answer to what it receives.

mod budget;
mod exit;
mod scenario;

use std::time::Duration;

use heartline_engine::{AppliedStates, ConnectionState};
use heartline_protocol::body::{Ack, COUNT_MAX};
use heartline_protocol::bucket::BUCKETS;
use heartline_protocol::{ControlId, DatagramError, DesiredState, MessageType};
use proptest::prelude::*;

use self::scenario::{A, B, SESSION, Scenario, ms, state};

fn unconfirmed() -> Ack {
    Ack { unconfirmed: true, ..Ack::default() }
}

fn durable(durable_segment: u64) -> Ack {
    Ack { durable_segment, ..Ack::default() }
}

#[test]
fn two_round_trips_make_a_session_live() {
    let mut scenario = Scenario::new();
    let first = scenario.send();
    assert_eq!((first.sequence, first.challenge, first.identity), (1, [0; 16], true));
    assert_eq!(scenario.poll(), None);
    scenario.ack(1, A, unconfirmed());
    let second = scenario.send();
    assert_eq!((second.sequence, second.challenge, second.identity), (2, A, true));
    scenario.ack(2, A, Ack::default());
    assert_eq!(scenario.engine.connection(), ConnectionState::Confirmed);
    assert!((27_000..=33_000).contains(&scenario.wait()));
    let third = scenario.send();
    assert!(!third.identity);
    assert!(scenario.len <= 197, "an everyday beat has {} bytes", scenario.len);
}

#[test]
fn beats_are_retried_with_backoff_until_the_first_answer() {
    let mut scenario = Scenario::new();
    scenario.send();
    let waits: Vec<u64> = (0..5)
        .map(|_| {
            let waited = scenario.wait();
            scenario.send();
            waited
        })
        .collect();
    assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000]);
    assert!((27_000..=33_000).contains(&scenario.wait()));
}

#[test]
fn a_lost_first_live_beat_is_retried_with_backoff() {
    let mut scenario = Scenario::new();
    scenario.send();
    scenario.ack(1, A, unconfirmed());
    scenario.send();
    for expected in [100, 200, 400, 800] {
        assert_eq!(scenario.wait(), expected);
        scenario.send();
    }
}

#[test]
fn a_collector_that_never_confirms_does_not_set_the_rate() {
    let mut scenario = Scenario::new();
    let begin = scenario.now;
    let mut sent = 0;
    while scenario.now.since(begin) < Duration::from_secs(60) {
        let message = scenario.send();
        sent += 1;
        scenario.ack(message.sequence, [message.sequence as u8; 16], unconfirmed());
        scenario.wait();
    }
    assert!(sent <= 13, "{sent} beats in a minute");
}

#[test]
fn late_and_foreign_acks_do_not_restore_an_older_challenge() {
    let mut scenario = Scenario::live();
    scenario.wait();
    scenario.send();
    scenario.ack(3, B, Ack::default());
    scenario.ack(2, A, unconfirmed());
    let foreign =
        scenario.seal(MessageType::Ack, SESSION + 1, 9, A, |out| unconfirmed().write(out));
    scenario.engine.handle_datagram(&foreign, scenario.now).unwrap();
    scenario.ack(900, A, unconfirmed());
    assert_eq!(scenario.poll(), None);
    scenario.wait();
    assert_eq!(scenario.send().challenge, B);
}

#[test]
fn a_new_challenge_after_a_collector_restart_is_echoed_at_once() {
    let mut scenario = Scenario::live();
    scenario.wait();
    scenario.send();
    scenario.ack(3, B, unconfirmed());
    assert_eq!(scenario.wait(), 0);
    assert_eq!(scenario.send().challenge, B);
    scenario.ack(3, B, unconfirmed());
    assert_eq!(scenario.poll(), None, "a duplicated answer sends nothing more");
}

#[test]
fn a_segment_is_resent_unchanged_until_it_is_durable() {
    let mut scenario = Scenario::live();
    scenario.metrics.open.ok = 3;
    scenario.wait();
    assert_eq!(scenario.send().segment, Some((1, 3)));
    scenario.metrics.open.ok = 4;
    scenario.ack(3, A, durable(0));
    scenario.wait();
    assert_eq!(scenario.send().segment, Some((1, 3)), "unchanged until it is on disk");
    assert_eq!(scenario.engine.pending_segment(), Some(1));
    scenario.ack(4, A, durable(1));
    assert_eq!(scenario.engine.pending_segment(), None);
    scenario.wait();
    assert_eq!(scenario.send().segment, Some((2, 4)));
    scenario.ack(3, A, durable(0));
    assert_eq!(scenario.engine.pending_segment(), Some(2), "a late ack changes nothing");
    scenario.ack(5, A, durable(2));
    scenario.wait();
    assert_eq!(scenario.send().segment, None);
}

#[test]
fn a_segment_waits_when_the_identity_leaves_no_room() {
    let labels = (0..6).map(|n| (format!("key{n}"), "v".repeat(100)));
    let mut scenario = Scenario::with_labels(labels.collect());
    scenario.metrics.latency = (0..BUCKETS as u16).map(|bucket| (bucket, 1)).collect();
    let first = scenario.send();
    assert!(first.identity && first.segment.is_none());
    scenario.ack(1, A, unconfirmed());
    scenario.send();
    scenario.ack(2, A, Ack::default());
    scenario.wait();
    let third = scenario.send();
    assert!(!third.identity && third.segment.is_some());
}

#[test]
fn the_identity_is_sent_again_on_request() {
    let mut scenario = Scenario::live();
    scenario.wait();
    assert!(!scenario.send().identity);
    scenario.ack(3, A, Ack { wants_identity: true, ..Ack::default() });
    scenario.wait();
    assert!(scenario.send().identity);
    scenario.ack(4, A, Ack::default());
    scenario.wait();
    assert!(!scenario.send().identity);
}

#[test]
fn an_unconfirmed_request_takes_nothing_from_the_first_beats_with_identity() {
    let mut scenario = Scenario::new();
    scenario.send();
    scenario.ack(1, A, Ack { wants_identity: true, ..unconfirmed() });
    assert!(scenario.send().identity);
    scenario.wait();
    assert!(scenario.send().identity, "the third beat has it, too");
    scenario.wait();
    assert!(!scenario.send().identity);
}

#[test]
fn an_applied_kill_is_reported_at_once_until_acknowledged() {
    let mut scenario = Scenario::live();
    let killed = state(4, true);
    assert!(scenario.push(4, true));
    assert_eq!(scenario.send().applied, killed);
    assert!(!scenario.push(4, true));
    assert_eq!(scenario.wait(), 0, "a repeated push means that the report was lost");
    assert_eq!(scenario.send().applied, killed);
    assert_eq!(scenario.wait(), 400 * 2);
    scenario.send();
    scenario.ack(5, A, Ack { desired: killed, ..Ack::default() });
    scenario.push(4, true);
    assert!(!scenario.push(3, false), "an older generation is ignored");
    assert!(!scenario.push(4, false), "of one generation the kill wins");
    assert_eq!(scenario.poll(), None, "acknowledged: a replayed push costs nothing");
    assert!(scenario.wait() > 20_000);
    assert_eq!(scenario.engine.applied().as_slice(), [killed]);
    scenario.ack(5, A, Ack { desired: state(5, false), ..Ack::default() });
    assert_eq!(scenario.engine.applied().as_slice(), [state(5, false)]);
    assert_eq!(scenario.send().applied, state(5, false));
}

#[test]
fn a_restored_kill_is_reported_and_outlives_older_commands() {
    let killed = state(7, true);
    let mut scenario = Scenario::restoring([killed]);
    let first = scenario.send();
    assert_eq!((first.applied, first.blocked_by), (DesiredState::default(), killed.control));
    scenario.ack(1, A, unconfirmed());
    let second = scenario.send();
    assert_eq!((second.applied, second.blocked_by), (killed, None));
    assert!(scenario.ack(2, A, Ack { desired: state(8, false), ..Ack::default() }));
    assert!(!scenario.engine.applied().is_killed());
}

#[test]
fn a_kill_of_another_control_id_blocks_until_a_command_lifts_it() {
    let other = DesiredState { control: ControlId::new(7), generation: 3, killed: true };
    let mut scenario = Scenario::restoring([other]);
    scenario.send();
    scenario.ack(1, A, Ack { desired: state(40, false), ..unconfirmed() });
    let beat = scenario.send();
    assert_eq!((beat.applied, beat.blocked_by), (state(40, false), other.control));
    let lift = Ack { desired: state(41, false), lifts: other.control, ..Ack::default() };
    assert!(scenario.ack(2, A, lift));
    let beat = scenario.send();
    assert_eq!((beat.applied, beat.blocked_by), (state(41, false), None));
    assert!(!scenario.engine.applied().is_killed());
}

#[test]
fn a_kill_of_another_collector_that_is_heard_is_lifted_by_that_one_alone() {
    let other = DesiredState { control: ControlId::new(7), generation: 3, killed: true };
    let mut scenario = Scenario::restoring([other]);
    scenario.engine.set_other_controls(other.control.into_iter().collect());
    scenario.send();
    let lift = Ack { desired: state(1, false), lifts: other.control, ..Ack::default() };
    assert!(scenario.ack(1, A, lift));
    assert!(scenario.engine.applied().is_killed());
    assert_eq!(scenario.engine.control(), state(1, false).control);
}

#[test]
fn states_applied_for_another_collector_are_reported_at_once() {
    let mut scenario = Scenario::live();
    let other = DesiredState { control: ControlId::new(7), generation: 3, killed: true };
    let applied = AppliedStates::restored([other]);
    scenario.engine.set_applied(&applied, scenario.now);
    assert_eq!(scenario.send().blocked_by, other.control);
    scenario.ack(3, A, Ack::default());
    scenario.engine.set_applied(&applied, scenario.now);
    assert_eq!(scenario.poll(), None, "nothing has changed");
}

#[test]
fn early_beats_for_pushes_are_rate_limited() {
    let mut scenario = Scenario::live();
    let begin = scenario.now;
    let mut sent = 0;
    for generation in 1..2_000 {
        scenario.push(generation, generation % 2 == 1);
        sent += usize::from(scenario.poll().is_some());
        scenario.advance(ms(1));
    }
    assert!(scenario.now.since(begin) < Duration::from_secs(2));
    assert!((20..=32).contains(&sent), "{sent}");
}

#[test]
fn a_goodbye_carries_all_remaining_work() {
    let mut scenario = Scenario::live();
    scenario.metrics.open.ok = 2;
    scenario.wait();
    assert_eq!(scenario.send().segment, Some((1, 2)));
    scenario.metrics.open.ok = 5;
    scenario.engine.close(scenario.now, ms(1_000));
    let pending = scenario.send();
    assert_eq!((pending.goodbye, pending.segment), (true, Some((1, 2))));
    scenario.ack(4, A, durable(1));
    let rest = scenario.send();
    assert_eq!((rest.goodbye, rest.segment), (true, Some((2, 5))));
    assert_eq!(scenario.wait(), 100);
    assert_eq!(scenario.send().segment, Some((2, 5)), "repeated while unanswered");
    scenario.ack(6, A, durable(2));
    assert_eq!(scenario.poll(), None);
    assert_eq!(scenario.engine.poll_timeout(), None);
}

#[test]
fn an_unanswered_goodbye_is_repeated_at_doubling_distances_until_its_timeout() {
    let mut scenario = Scenario::live();
    let begin = scenario.now;
    scenario.engine.close(scenario.now, ms(2_000));
    let mut sent_at = Vec::new();
    while scenario.engine.poll_timeout().is_some() {
        if scenario.poll().is_some_and(|message| message.goodbye) {
            sent_at.push(scenario.now.since(begin).as_millis());
        }
        if scenario.engine.poll_timeout().is_some() {
            scenario.wait();
        }
    }
    assert_eq!(sent_at, [0, 100, 300, 700, 1_500]);
    assert_eq!(scenario.now.since(begin), ms(2_000));
}

#[test]
fn of_unconfirmed_acks_in_a_row_the_first_alone_gets_a_goodbye_at_once() {
    let mut scenario = Scenario::live();
    scenario.engine.close(scenario.now, ms(2_000));
    scenario.send();
    scenario.ack(3, B, unconfirmed());
    assert_eq!(scenario.wait(), 0);
    assert_eq!(scenario.send().challenge, B);
    let mut waits = Vec::new();
    for sequence in 4..7 {
        let challenge = [sequence as u8; 16];
        scenario.ack(sequence, challenge, unconfirmed());
        waits.push(scenario.wait());
        assert_eq!(scenario.send().challenge, challenge);
    }
    assert_eq!(waits, [100, 200, 400]);
}

#[test]
fn goodbyes_with_much_work_are_not_held_back() {
    let mut scenario = Scenario::live();
    scenario.metrics.open.ok = 30 * COUNT_MAX;
    let begin = scenario.now;
    scenario.engine.close(scenario.now, ms(1_000));
    for number in 1..=30 {
        assert_eq!(scenario.send().segment, Some((number, COUNT_MAX)));
        scenario.ack(number + 2, A, durable(number));
    }
    assert_eq!(scenario.poll(), None);
    assert_eq!((scenario.engine.poll_timeout(), scenario.now), (None, begin));
}

#[test]
fn a_session_that_closes_before_it_was_live_sends_beats_first() {
    let mut scenario = Scenario::new();
    scenario.metrics.open.ok = 1;
    scenario.engine.close(scenario.now, ms(1_000));
    assert!(scenario.send().stopping);
    scenario.ack(1, A, unconfirmed());
    let beat = scenario.send();
    assert!(beat.stopping && beat.identity && beat.segment == Some((1, 1)));
    scenario.ack(2, A, durable(1));
    assert!(scenario.send().goodbye);
    scenario.ack(3, B, unconfirmed());
    let again = scenario.send();
    assert!(again.goodbye && again.challenge == B);
    scenario.ack(4, B, durable(1));
    assert_eq!(scenario.poll(), None);
    assert_eq!(scenario.engine.poll_timeout(), None);
}

#[test]
fn datagrams_from_elsewhere_are_refused() {
    let mut scenario = Scenario::live();
    let mut forged = scenario.seal(MessageType::Ack, SESSION, 2, B, |out| durable(1).write(out));
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(scenario.engine.handle_datagram(&forged, scenario.now), Err(DatagramError::BadTag));
    let reflected = scenario.seal(MessageType::Beat, SESSION, 2, B, |out| durable(1).write(out));
    assert_eq!(
        scenario.engine.handle_datagram(&reflected, scenario.now),
        Err(DatagramError::BadKind)
    );
}

proptest! {
    /// Whichever acks are lost, duplicated or late: what a collector adds up is what was done,
    /// once.
    #[test]
    fn work_is_counted_exactly_once(
        fates in prop::collection::vec((0u8..10, 0u64..4, 0usize..6), 1..80)
    ) {
        let mut scenario = Scenario::live();
        let (mut done, mut counted, mut applied) = (0, 0, 0);
        let mut late: Vec<(u64, u64)> = Vec::new();
        for (fate, work, pick) in fates {
            scenario.metrics.open.ok += work;
            done += work;
            scenario.wait();
            let message = scenario.send();
            let arrives = fate < 7;
            if let (true, Some((number, ok))) = (arrives, message.segment)
                && number > applied
            {
                applied = number;
                counted += ok;
            }
            if arrives {
                late.push((message.sequence, applied));
            }
            if fate < 5 {
                scenario.ack(message.sequence, A, durable(applied));
            }
            if let Some(&(sequence, number)) = late.get(late.len().saturating_sub(pick + 1)) {
                scenario.ack(sequence, A, durable(number));
            }
        }
        scenario.engine.close(scenario.now, ms(1_000));
        while let Some(message) = scenario.poll() {
            if let Some((number, ok)) = message.segment
                && number > applied
            {
                applied = number;
                counted += ok;
            }
            scenario.ack(message.sequence, A, durable(applied));
        }
        prop_assert_eq!(counted, done);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut scenario = Scenario::live();
        prop_assert!(scenario.engine.handle_datagram(&bytes, scenario.now).is_err());
    }
}

#[test]
fn a_session_that_another_process_has_too_is_left() {
    for ack in [
        Ack { session_taken: true, ..Ack::default() },
        Ack { highest_sequence: 9, unconfirmed: true, ..Ack::default() },
    ] {
        let mut scenario = Scenario::live();
        scenario.metrics.open.ok = 5;
        scenario.wait();
        assert_eq!(scenario.send().segment, Some((1, 5)));
        scenario.ack(3, B, ack);
        assert!(scenario.engine.is_session_taken());
        scenario.engine.begin_session(0x77c0, scenario.now);
        assert_eq!(
            (scenario.engine.session(), scenario.engine.is_session_taken()),
            (0x77c0, false)
        );
        let first = scenario.send();
        // No message with it was live: it goes along.
        assert_eq!((first.sequence, first.challenge, first.segment), (1, [0; 16], Some((1, 5))));
        assert!(first.identity);
        assert_eq!(scenario.engine.connection(), ConnectionState::Unanswered);
    }
}

#[test]
fn work_that_a_live_message_brought_stays_with_the_session_that_is_left() {
    let mut scenario = Scenario::live();
    scenario.metrics.open.ok = 5;
    scenario.wait();
    scenario.send();
    scenario.ack(3, A, Ack { highest_sequence: 3, ..Ack::default() });
    scenario.metrics.open.ok = 2;
    scenario.wait();
    assert_eq!(scenario.send().segment, Some((1, 5)), "it is not durable yet");
    scenario.ack(4, A, Ack { highest_sequence: 5, ..Ack::default() });
    scenario.engine.begin_session(0x77c0, scenario.now);
    assert_eq!(scenario.send().segment, Some((1, 2)));
}

#[test]
fn work_that_no_message_has_carried_goes_along_to_the_next_session() {
    let labels = (0..16).map(|n| (format!("label-{n:02}"), "x".repeat(40))).collect();
    let mut scenario = Scenario::with_labels(labels);
    scenario.send();
    scenario.ack(1, A, unconfirmed());
    scenario.metrics.open.ok = 5;
    scenario.metrics.latency = (0..BUCKETS as u16).map(|bucket| (bucket, 100)).collect();
    let second = scenario.send();
    assert_eq!((second.identity, second.segment), (true, None), "there is no room for both");
    scenario.ack(2, A, Ack::default());
    scenario.ack(2, A, Ack { highest_sequence: 9, ..Ack::default() });
    scenario.engine.begin_session(0x77c0, scenario.now);
    let segments = std::iter::repeat_with(|| {
        scenario.wait();
        scenario.send().segment
    });
    assert_eq!(segments.take(4).flatten().next(), Some((1, 5)));
}

#[test]
fn sessions_are_left_no_faster_than_messages_may_follow_each_other() {
    let mut scenario = Scenario::live();
    let mut sent = 0;
    for session in 1..1_000 {
        scenario.engine.begin_session(session, scenario.now);
        sent += u32::from(scenario.poll().is_some());
        scenario.advance(ms(1));
    }
    assert!(sent <= 20, "{sent} messages in one second");
}
