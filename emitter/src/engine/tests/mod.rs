//! Scenarios: what the engine says, and when, to what it hears.

mod scene;

use std::time::Duration;

use heartline_protocol::body::Ack;
use heartline_protocol::bucket::BUCKETS;
use heartline_protocol::{DatagramError, MessageType};
use proptest::prelude::*;

use self::scene::{A, B, SESSION, Scene, ms};
use super::*;

fn unconfirmed() -> Ack {
    Ack { unconfirmed: true, ..Ack::default() }
}

fn durable(durable_segment: u64) -> Ack {
    Ack { durable_segment, ..Ack::default() }
}

#[test]
fn two_round_trips_make_a_session_live() {
    let mut scene = Scene::new();
    let first = scene.say();
    assert_eq!((first.sequence, first.challenge, first.identity), (1, [0; 16], true));
    assert_eq!(scene.poll(), None);
    scene.ack(1, A, unconfirmed());
    let second = scene.say();
    assert_eq!((second.sequence, second.challenge, second.identity), (2, A, true));
    scene.ack(2, A, Ack::default());
    assert_eq!(scene.engine.contact(), Contact::Confirmed);
    assert!((27_000..=33_000).contains(&scene.wait()));
    let third = scene.say();
    assert!(!third.identity);
    assert!(scene.len <= 197, "an everyday beat has {} bytes", scene.len);
}

#[test]
fn an_agent_that_starts_before_its_collector_is_found_soon() {
    let mut scene = Scene::new();
    scene.say();
    let waits: Vec<u64> = (0..5)
        .map(|_| {
            let waited = scene.wait();
            scene.say();
            waited
        })
        .collect();
    assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000]);
    assert!((27_000..=33_000).contains(&scene.wait()));
}

#[test]
fn a_lost_first_live_beat_is_repeated_and_repeats_slow_down() {
    let mut scene = Scene::new();
    scene.say();
    scene.ack(1, A, unconfirmed());
    scene.say();
    for expected in [100, 200, 400, 800] {
        assert_eq!(scene.wait(), expected);
        scene.say();
    }
}

#[test]
fn a_collector_that_never_confirms_does_not_set_the_rate() {
    let mut scene = Scene::new();
    let begin = scene.now;
    let mut sent = 0;
    while scene.now.since(begin) < Duration::from_secs(60) {
        let said = scene.say();
        sent += 1;
        scene.ack(said.sequence, [said.sequence as u8; 16], unconfirmed());
        scene.wait();
    }
    assert!(sent <= 13, "{sent} beats in a minute");
}

#[test]
fn late_and_foreign_acks_do_not_take_back_the_challenge() {
    let mut scene = Scene::live();
    scene.wait();
    scene.say();
    scene.ack(3, B, Ack::default());
    scene.ack(2, A, unconfirmed());
    let foreign = scene.seal(MessageType::Ack, SESSION + 1, 9, A, |out| unconfirmed().write(out));
    scene.engine.handle_datagram(&foreign, scene.now).unwrap();
    scene.ack(900, A, unconfirmed());
    assert_eq!(scene.poll(), None);
    scene.wait();
    assert_eq!(scene.say().challenge, B);
}

#[test]
fn a_collector_that_restarted_hears_the_next_beat_at_once() {
    let mut scene = Scene::live();
    scene.wait();
    scene.say();
    scene.ack(3, B, unconfirmed());
    assert_eq!(scene.wait(), 0);
    assert_eq!(scene.say().challenge, B);
    scene.ack(3, B, unconfirmed());
    assert_eq!(scene.poll(), None, "a doubled answer asks for nothing more");
}

#[test]
fn a_segment_rides_until_it_is_durable() {
    let mut scene = Scene::live();
    scene.work.open.ok = 3;
    scene.wait();
    assert_eq!(scene.say().segment, Some((1, 3)));
    scene.work.open.ok = 4;
    scene.ack(3, A, durable(0));
    scene.wait();
    assert_eq!(scene.say().segment, Some((1, 3)), "unchanged until it is on disk");
    assert_eq!(scene.ack(4, A, durable(1)).durable_segment, Some(1));
    assert_eq!(scene.ack(4, A, durable(1)).durable_segment, None);
    scene.wait();
    assert_eq!(scene.say().segment, Some((2, 4)));
    scene.ack(3, A, durable(0));
    assert_eq!(scene.engine.pending_segment(), Some(2), "a late ack takes nothing back");
    scene.ack(5, A, durable(2));
    scene.wait();
    assert_eq!(scene.say().segment, None);
}

#[test]
fn a_segment_waits_when_the_identity_leaves_no_room() {
    let mut scene = Scene::new();
    scene.engine.identity.labels = (0..6).map(|n| (format!("key{n}"), "v".repeat(100))).collect();
    scene.work.latency = (0..BUCKETS as u16).map(|bucket| (bucket, 1)).collect();
    let first = scene.say();
    assert!(first.identity && first.segment.is_none());
    scene.ack(1, A, unconfirmed());
    scene.say();
    scene.ack(2, A, Ack::default());
    scene.wait();
    let third = scene.say();
    assert!(!third.identity && third.segment.is_some());
}

#[test]
fn the_identity_is_told_again_when_asked() {
    let mut scene = Scene::live();
    scene.wait();
    assert!(!scene.say().identity);
    scene.ack(3, A, Ack { wants_identity: true, ..Ack::default() });
    scene.wait();
    assert!(scene.say().identity);
    scene.ack(4, A, Ack::default());
    scene.wait();
    assert!(!scene.say().identity);
}

#[test]
fn a_kill_is_reported_at_once_and_until_it_is_heard() {
    let mut scene = Scene::live();
    let killed = Desired { generation: 4, killed: true };
    assert_eq!(scene.push(4, true).desired, Some(killed));
    assert_eq!(scene.say().generation, 4);
    assert_eq!(scene.push(4, true).desired, None);
    assert_eq!(scene.wait(), 0, "a repeated push means that the report was lost");
    assert_eq!(scene.say().generation, 4);
    assert_eq!(scene.wait(), 400 * 2);
    scene.say();
    scene.ack(5, A, Ack { generation: 4, killed: true, ..Ack::default() });
    scene.push(4, true);
    assert_eq!(scene.push(3, false), Heard::default(), "an older word is none");
    assert_eq!(scene.poll(), None, "it was heard: a replayed push costs nothing");
    assert!(scene.wait() > 20_000);
    assert_eq!(scene.engine.applied(), killed);
    scene.ack(5, A, Ack { generation: 5, killed: false, ..Ack::default() });
    assert_eq!(scene.engine.applied(), Desired { generation: 5, killed: false });
    assert_eq!(scene.say().generation, 5);
}

#[test]
fn a_remembered_kill_is_reported_and_outlives_older_words() {
    let killed = Desired { generation: 7, killed: true };
    let mut scene = Scene::remembering(killed);
    assert_eq!(scene.say().generation, 7);
    scene.ack(1, A, unconfirmed());
    assert_eq!(scene.engine.applied(), killed);
    let resumed = scene.ack(1, A, Ack { generation: 8, ..unconfirmed() });
    assert_eq!(resumed.desired, Some(Desired { generation: 8, killed: false }));
}

#[test]
fn news_out_of_turn_is_limited() {
    let mut scene = Scene::live();
    let begin = scene.now;
    let mut sent = 0;
    for generation in 1..2_000 {
        scene.push(generation, generation % 2 == 1);
        sent += usize::from(scene.poll().is_some());
        scene.pass(ms(1));
    }
    assert!(scene.now.since(begin) < Duration::from_secs(2));
    assert!((20..=32).contains(&sent), "{sent}");
}

#[test]
fn a_goodbye_takes_everything_along() {
    let mut scene = Scene::live();
    scene.work.open.ok = 2;
    scene.wait();
    assert_eq!(scene.say().segment, Some((1, 2)));
    scene.work.open.ok = 5;
    scene.engine.goodbye(scene.now, ms(1_000));
    let pending = scene.say();
    assert_eq!((pending.goodbye, pending.segment), (true, Some((1, 2))));
    scene.ack(4, A, durable(1));
    let rest = scene.say();
    assert_eq!((rest.goodbye, rest.segment), (true, Some((2, 5))));
    assert_eq!(scene.wait(), 100);
    assert_eq!(scene.say().segment, Some((2, 5)), "repeated while unanswered");
    scene.ack(6, A, durable(2));
    assert_eq!(scene.poll(), None);
    assert_eq!(scene.engine.poll_timeout(), None);
}

#[test]
fn a_goodbye_that_nobody_answers_ends_with_its_patience() {
    let mut scene = Scene::live();
    let begin = scene.now;
    scene.engine.goodbye(scene.now, ms(1_000));
    let mut goodbyes = 0;
    while scene.engine.poll_timeout().is_some() {
        goodbyes += usize::from(scene.poll().is_some_and(|said| said.goodbye));
        if scene.engine.poll_timeout().is_some() {
            scene.wait();
        }
    }
    assert_eq!((goodbyes, scene.now.since(begin)), (4, ms(1_000)));
}

#[test]
fn an_agent_that_ends_before_it_was_live_is_made_known_first() {
    let mut scene = Scene::new();
    scene.work.open.ok = 1;
    scene.engine.goodbye(scene.now, ms(1_000));
    assert!(scene.say().stopping);
    scene.ack(1, A, unconfirmed());
    let beat = scene.say();
    assert!(beat.stopping && beat.identity && beat.segment == Some((1, 1)));
    scene.ack(2, A, durable(1));
    assert!(scene.say().goodbye);
    scene.ack(3, B, unconfirmed());
    let again = scene.say();
    assert!(again.goodbye && again.challenge == B);
    scene.ack(4, B, durable(1));
    assert_eq!(scene.poll(), None);
    assert_eq!(scene.engine.poll_timeout(), None);
}

#[test]
fn what_is_not_from_our_collector_is_refused() {
    let mut scene = Scene::live();
    let mut forged = scene.seal(MessageType::Ack, SESSION, 2, B, |out| durable(1).write(out));
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(scene.engine.handle_datagram(&forged, scene.now), Err(DatagramError::BadTag));
    let reflected = scene.seal(MessageType::Beat, SESSION, 2, B, |out| durable(1).write(out));
    assert_eq!(scene.engine.handle_datagram(&reflected, scene.now), Err(DatagramError::BadKind));
}

proptest! {
    /// Whatever acks are lost, doubled or late: what a collector adds up by the rules is what was
    /// done, once.
    #[test]
    fn work_is_counted_exactly_once(
        fates in prop::collection::vec((0u8..10, 0u64..4, 0usize..6), 1..80)
    ) {
        let mut scene = Scene::live();
        let (mut done, mut counted, mut applied) = (0, 0, 0);
        let mut late: Vec<(u64, u64)> = Vec::new();
        for (fate, work, pick) in fates {
            scene.work.open.ok += work;
            done += work;
            scene.wait();
            let said = scene.say();
            let arrives = fate < 7;
            if let (true, Some((number, ok))) = (arrives, said.segment)
                && number > applied
            {
                applied = number;
                counted += ok;
            }
            if arrives {
                late.push((said.sequence, applied));
            }
            if fate < 5 {
                scene.ack(said.sequence, A, durable(applied));
            }
            if let Some(&(sequence, number)) = late.get(late.len().saturating_sub(pick + 1)) {
                scene.ack(sequence, A, durable(number));
            }
        }
        scene.engine.goodbye(scene.now, ms(1_000));
        while let Some(said) = scene.poll() {
            if let Some((number, ok)) = said.segment
                && number > applied
            {
                applied = number;
                counted += ok;
            }
            scene.ack(said.sequence, A, durable(applied));
        }
        prop_assert_eq!(counted, done);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut scene = Scene::live();
        prop_assert!(scene.engine.handle_datagram(&bytes, scene.now).is_err());
    }
}
