//! Work, counted exactly once.

use heartline_fleet::{Input, WriteTicket};

use crate::test_fleet::TestFleet;
use crate::test_message::{TestMessage, beat, goodbye};

/// Takes the acks and returns the segment that each confirms.
fn confirmed_segments(fleet: &mut TestFleet) -> Vec<u64> {
    fleet.acks().iter().map(|ack| ack.ack.durable_segment).collect()
}

#[test]
fn the_ack_of_new_work_waits_for_the_disk() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").segment(1, 10));
    assert_eq!(confirmed_segments(&mut fleet), [0; 0]);
    fleet.advance_ms(100);
    fleet.confirm_work(1);
    assert_eq!(confirmed_segments(&mut fleet), [1]);
    assert_eq!(fleet.agent("a").totals().ok, 10);
}

#[test]
fn a_segment_that_comes_again_is_not_counted_again() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").segment(1, 10));
    fleet.receive(beat("a").segment(1, 10));
    assert_eq!(fleet.work().len(), 1);
    fleet.confirm_work(1);
    assert_eq!(confirmed_segments(&mut fleet), [1]);
    fleet.receive(beat("a").segment(1, 10));
    assert_eq!(confirmed_segments(&mut fleet), [1], "a stored segment is confirmed at once");
    assert_eq!(fleet.agent("a").totals().ok, 10);
}

#[test]
fn unconfirmed_work_does_not_count() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").segment(1, 10).unconfirmed());
    assert_eq!((fleet.work().len(), fleet.agent("a").totals().ok), (0, 0));
}

#[test]
fn work_of_two_processes_counts_by_session() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for message in [beat("a").session(2), beat("a").session(1), goodbye("a").session(1)] {
        fleet.receive(message.segment(fleet.agent("a").starts().into(), 10));
    }
    let counted = fleet.work().iter().map(|row| (row.session, row.segment)).collect::<Vec<_>>();
    assert_eq!(counted, [(2, 1), (1, 2)]);
    assert_eq!(fleet.agent("a").totals().ok, 20);
}

#[test]
fn an_ack_waits_at_most_400_ms_for_the_disk() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").segment(1, 10));
    fleet.advance_ms(399);
    assert_eq!(confirmed_segments(&mut fleet), [0; 0]);
    fleet.advance_ms(1);
    assert_eq!(confirmed_segments(&mut fleet), [0], "it is sent without the confirmation");
    fleet.confirm_work(1);
    assert_eq!(confirmed_segments(&mut fleet), [0; 0], "and only once");
}

#[test]
fn an_agent_that_beats_faster_than_the_disk_still_gets_acks() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    for _ in 0..20 {
        fleet.receive(beat("a").segment(1, 10));
        fleet.advance_ms(100);
    }
    assert_eq!(confirmed_segments(&mut fleet), [0; 19]);
}

#[test]
fn a_segment_that_was_stored_before_is_subtracted_again() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").segment(1, 10));
    fleet.receive(beat("a").segment(2, 5));
    fleet.handle(Input::HistoryCommitted { ticket: WriteTicket(2), known: vec![WriteTicket(1)] });
    assert_eq!(fleet.agent("a").totals().ok, 5);
}

#[test]
fn work_shed_by_a_lagging_store_is_counted_when_sent_again() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    // As many as the budgets of their agents allow.
    let agents: Vec<&'static str> = (0..700).map(|n| &*format!("agent-{n}").leak()).collect();
    let segments = (1..).flat_map(|number| agents.iter().map(move |agent| (*agent, number)));
    for (agent, number) in segments.take(65_536) {
        fleet.receive(beat(agent).segment(number, 1));
    }
    fleet.discard_outputs();
    let more: fn() -> TestMessage = || beat("a").segment(1, 1);
    fleet.receive(more());
    assert_eq!(fleet.core.work_shed(), 1);
    assert_eq!((fleet.work().len(), fleet.agent("a").totals().ok), (0, 0));
    fleet.confirm_work(65_536);
    fleet.receive(more());
    assert_eq!((fleet.work().len(), fleet.agent("a").totals().ok), (1, 1));
}

#[test]
fn a_work_row_has_the_number_of_received_and_lost_beats() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a"));
    fleet.receive(beat("a").sequence(5));
    fleet.receive(beat("a").sequence(7).segment(1, 1));
    fleet.receive(beat("a").sequence(6));
    fleet.receive(beat("a").sequence(9).segment(2, 1));
    let rows = fleet.work();
    let counts = rows.iter().map(|row| (row.beats, row.lost)).collect::<Vec<_>>();
    assert_eq!(
        counts,
        [(3, 3), (2, 0)],
        "a late one that was counted as lost stands for the next lost one"
    );
}
