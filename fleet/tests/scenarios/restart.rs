//! Restarts: the fleet goes on from what was stored.

use heartline_fleet::{CommandRecord, HistoryDbRow, Input, RestoredAgent, RestoredSession};

use heartline_vocabulary::{AgentStatus, Phase, Reason, SessionEnd};

use crate::test_fleet::{START, TestFleet, ms, restored_agent};
use crate::test_message::{beat, ours};

fn killed() -> Box<CommandRecord> {
    Box::new(CommandRecord {
        generation: 4,
        killed: true,
        cause: Reason::Operator,
        by: "root@desk".into(),
        reason: "it burns money".into(),
        at: START.minus_millis(1_000),
        delivered_ms: None,
        obeyed_ms: None,
        last_segment: u64::MAX,
        disobeyed: false,
        lifts: None,
    })
}

#[test]
fn a_restored_agent_is_unknown_until_its_first_live_beat() {
    let mut fleet = TestFleet::restored(vec![restored_agent("a")]);
    fleet.advance_ms(60_000);
    fleet.receive(beat("a").unconfirmed());
    assert_eq!(fleet.status("a"), "unknown");
    assert_eq!(fleet.transitions(), [""; 0]);
}

#[test]
fn what_only_a_beat_can_tell_is_unknown_until_one_is_heard() {
    let mut fleet = TestFleet::restored(vec![restored_agent("a")]);
    fleet.receive(beat("a").unconfirmed());
    assert_eq!((fleet.agent("a").phase(), fleet.agent("a").lost_observations()), (None, None));
    fleet.receive(beat("a").lost_observations(3));
    let agent = fleet.agent("a");
    assert_eq!((agent.phase(), agent.lost_observations()), (Some(Phase::Running), Some(3)));
}

#[test]
fn an_unchanged_status_makes_no_transition_and_keeps_its_time() {
    let mut fleet = TestFleet::restored(vec![restored_agent("a")]);
    fleet.receive(beat("a"));
    assert_eq!(fleet.status("a"), "healthy");
    assert_eq!(fleet.transitions(), [""; 0]);
    assert_eq!(ms(fleet.agent("a").since(), START), -8_000_000);
    fleet.advance_ms(90_000);
    assert_eq!(fleet.transitions(), ["90000 healthy → degraded late"]);
}

#[test]
fn an_agent_that_died_meanwhile_becomes_unreachable_its_own_limit_after_the_start() {
    let mut fleet = TestFleet::restored(vec![restored_agent("a")]);
    fleet.advance_ms(299_999);
    assert_eq!(fleet.status("a"), "unknown");
    fleet.advance_ms(900_000);
    assert_eq!(fleet.transitions(), ["300000 unknown → unreachable silent"]);
}

#[test]
fn silence_since_the_start_is_named_in_the_cause() {
    let mut fleet = TestFleet::restored(vec![restored_agent("a")]);
    fleet.advance_ms(900_000);
    assert_eq!(fleet.causes(), ["not heard for 5m00s since the collector started"]);
}

#[test]
fn an_agent_that_stays_unreachable_has_no_second_outage() {
    let silent = AgentStatus::unreachable(Reason::Silent);
    let mut fleet =
        TestFleet::restored(vec![RestoredAgent { status: silent, ..restored_agent("a") }]);
    fleet.advance_ms(900_000);
    assert_eq!(fleet.transitions(), [""; 0]);
    assert_eq!(fleet.status("a"), "unreachable silent");
    fleet.receive(beat("a"));
    assert_eq!(fleet.transitions(), ["900000 unreachable silent → healthy"]);
}

#[test]
fn a_restored_kill_holds_from_the_start() {
    let status = AgentStatus::killed(Reason::Operator);
    let agent = RestoredAgent { desired: Some(killed()), status, ..restored_agent("a") };
    let mut fleet = TestFleet::restored(vec![agent]);
    assert_eq!(fleet.status("a"), "killed operator");
    fleet.receive(beat("a").unconfirmed());
    let ack = fleet.acks()[0].ack;
    assert_eq!(ack.desired, ours(4, true), "even an unconfirmed message gets it");
}

#[test]
fn a_stored_kill_without_a_transition_makes_one() {
    let mut fleet =
        TestFleet::restored(vec![RestoredAgent { desired: Some(killed()), ..restored_agent("a") }]);
    assert_eq!(fleet.transitions(), ["0 unknown → killed operator"]);
}

#[test]
fn obedience_is_measured_across_the_restart() {
    let mut fleet =
        TestFleet::restored(vec![RestoredAgent { desired: Some(killed()), ..restored_agent("a") }]);
    fleet.advance_ms(500);
    fleet.receive(beat("a").killed(4));
    let view = fleet.agent("a");
    let desired = view.desired().expect("it was killed");
    assert_eq!((desired.delivered_ms, desired.obeyed_ms), (Some(1_500), Some(1_500)));
}

#[test]
fn a_stopped_or_crashed_agent_keeps_its_status() {
    for (end, status, shown) in [
        (SessionEnd::Shutdown, AgentStatus::killed(Reason::Shutdown), "killed shutdown"),
        (SessionEnd::Crashed, AgentStatus::unreachable(Reason::Crashed), "unreachable crashed"),
    ] {
        let sessions = vec![RestoredSession { session: 1, applied_segment: 5, ended: Some(end) }];
        let mut fleet =
            TestFleet::restored(vec![RestoredAgent { sessions, status, ..restored_agent("a") }]);
        fleet.advance_ms(900_000);
        assert_eq!((fleet.transitions(), fleet.status("a")), (vec![], shown.to_owned()));
    }
}

#[test]
fn a_stored_segment_is_confirmed_and_not_counted_again() {
    let mut fleet = TestFleet::restored(vec![restored_agent("a")]);
    fleet.receive(beat("a").segment(5, 10));
    assert_eq!(fleet.agent("a").totals().ok, 50);
    assert_eq!(fleet.acks()[0].ack.durable_segment, 5);
    fleet.receive(beat("a").segment(6, 1));
    assert_eq!(fleet.agent("a").totals().ok, 51);
}

#[test]
fn superseded_sessions_are_restored() {
    let session = |session| RestoredSession { session, applied_segment: session, ended: None };
    let sessions = vec![session(3), session(2)];
    let mut fleet =
        TestFleet::restored(vec![RestoredAgent { sessions, starts: 2, ..restored_agent("a") }]);
    fleet.receive(beat("a").session(3));
    fleet.receive(beat("a").session(2).segment(2, 10));
    assert_eq!((fleet.agent("a").session(), fleet.status("a").as_str()), (3, "degraded conflict"));
    assert_eq!(fleet.agent("a").totals().ok, 50);
}

#[test]
fn times_after_now_are_restored_as_now() {
    let later = START.plus_millis(3_600_000);
    let desired = Box::new(CommandRecord { at: later, killed: false, ..*killed() });
    let agent = RestoredAgent {
        since: later,
        first_seen: later,
        last_live: Some(later),
        desired: Some(desired),
        ..restored_agent("a")
    };
    let mut fleet = TestFleet::restored(vec![agent]);
    fleet.advance_ms(1_000);
    fleet.receive(beat("a"));
    fleet.advance_ms(90_000);
    assert_eq!(fleet.transitions(), ["91000 healthy → degraded late"]);
}

#[test]
fn a_row_id_is_never_reused() {
    let mut fleet = TestFleet::restored(vec![restored_agent("a")]);
    fleet.receive(beat("b"));
    assert_eq!(fleet.agent("b").id().0, 8);
}

#[test]
fn the_end_records_the_last_beat_of_every_agent() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.advance_ms(700);
    fleet.receive(beat("a"));
    fleet.discard_outputs();
    fleet.advance_ms(50);
    fleet.handle(Input::End);
    let rows = fleet.history();
    let [HistoryDbRow::LastBeat { session: 1, at, .. }] = rows[..] else { panic!("{rows:?}") };
    assert_eq!(ms(at, START), 700);
}
