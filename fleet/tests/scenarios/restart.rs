//! Beginning where the last collector ended.

use heartline_fleet::{DesiredState, HistoryDbRow, Input, RestoredAgent, RestoredSession};

use heartline_vocabulary::{AgentStatus, Reason, SessionEnd};

use crate::say::beat;
use crate::world::{START, World, known, ms};

fn killed() -> Box<DesiredState> {
    Box::new(DesiredState {
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
    })
}

#[test]
fn everybody_is_unknown_until_heard() {
    let mut world = World::restored(vec![known("a")]);
    world.pass_ms(60_000);
    world.hear(beat("a").unconfirmed());
    assert_eq!(world.status("a"), "unknown");
    assert_eq!(world.transitions(), [""; 0]);
}

#[test]
fn who_is_as_before_has_no_new_row_and_keeps_its_since() {
    let mut world = World::restored(vec![known("a")]);
    world.hear(beat("a"));
    assert_eq!(world.status("a"), "healthy");
    assert_eq!(world.transitions(), [""; 0]);
    assert_eq!(ms(world.view("a").since(), START), -8_000_000);
    world.pass_ms(90_000);
    assert_eq!(world.transitions(), ["90000 healthy → degraded late"]);
}

#[test]
fn who_died_meanwhile_is_found_once_its_own_limit_after_the_start() {
    let mut world = World::restored(vec![known("a")]);
    world.pass_ms(299_999);
    assert_eq!(world.status("a"), "unknown");
    world.pass_ms(900_000);
    assert_eq!(world.transitions(), ["300000 unknown → unreachable silent"]);
}

#[test]
fn and_the_row_says_why() {
    let mut world = World::restored(vec![known("a")]);
    world.pass_ms(900_000);
    assert_eq!(world.causes(), ["not heard for 5m00s since the collector started"]);
}

#[test]
fn who_was_unreachable_and_still_is_has_no_second_outage() {
    let silent = AgentStatus::unreachable(Reason::Silent);
    let mut world = World::restored(vec![RestoredAgent { status: silent, ..known("a") }]);
    world.pass_ms(900_000);
    assert_eq!(world.transitions(), [""; 0]);
    assert_eq!(world.status("a"), "unreachable silent");
    world.hear(beat("a"));
    assert_eq!(world.transitions(), ["900000 unreachable silent → healthy"]);
}

#[test]
fn a_kill_holds_from_the_first_moment() {
    let status = AgentStatus::killed(Reason::Operator);
    let agent = RestoredAgent { desired: Some(killed()), status, ..known("a") };
    let mut world = World::restored(vec![agent]);
    assert_eq!(world.status("a"), "killed operator");
    world.hear(beat("a").unconfirmed());
    let ack = world.acks()[0].ack;
    assert_eq!((ack.generation, ack.killed), (4, true), "even who is not proven fresh is told");
}

#[test]
fn a_kill_that_was_stored_and_not_yet_shown_is_shown() {
    let mut world = World::restored(vec![RestoredAgent { desired: Some(killed()), ..known("a") }]);
    assert_eq!(world.transitions(), ["0 unknown → killed operator"]);
}

#[test]
fn obedience_is_noted_across_the_restart() {
    let mut world = World::restored(vec![RestoredAgent { desired: Some(killed()), ..known("a") }]);
    world.pass_ms(500);
    world.hear(beat("a").applied(4));
    let view = world.view("a");
    let desired = view.desired().expect("it was killed");
    assert_eq!((desired.delivered_ms, desired.obeyed_ms), (Some(1_500), Some(1_500)));
}

#[test]
fn who_had_stopped_or_crashed_still_has() {
    for (end, status, shown) in [
        (SessionEnd::Shutdown, AgentStatus::killed(Reason::Shutdown), "killed shutdown"),
        (SessionEnd::Crashed, AgentStatus::unreachable(Reason::Crashed), "unreachable crashed"),
    ] {
        let sessions = vec![RestoredSession { session: 1, applied_segment: 5, ended: Some(end) }];
        let mut world = World::restored(vec![RestoredAgent { sessions, status, ..known("a") }]);
        world.pass_ms(900_000);
        assert_eq!((world.transitions(), world.status("a")), (vec![], shown.to_owned()));
    }
}

#[test]
fn what_was_stored_is_confirmed_and_not_counted_again() {
    let mut world = World::restored(vec![known("a")]);
    world.hear(beat("a").segment(5, 10));
    assert_eq!(world.view("a").totals().ok, 50);
    assert_eq!(world.acks()[0].ack.durable_segment, 5);
    world.hear(beat("a").segment(6, 1));
    assert_eq!(world.view("a").totals().ok, 51);
}

#[test]
fn superseded_sessions_are_remembered() {
    let session = |session| RestoredSession { session, applied_segment: session, ended: None };
    let sessions = vec![session(3), session(2)];
    let mut world = World::restored(vec![RestoredAgent { sessions, starts: 2, ..known("a") }]);
    world.hear(beat("a").session(3));
    world.hear(beat("a").session(2).segment(2, 10));
    assert_eq!((world.view("a").session(), world.status("a").as_str()), (3, "degraded conflict"));
    assert_eq!(world.view("a").totals().ok, 50);
}

#[test]
fn a_wall_clock_that_was_put_back_makes_no_future() {
    let later = START.plus_millis(3_600_000);
    let desired = Box::new(DesiredState { at: later, killed: false, ..*killed() });
    let agent = RestoredAgent {
        since: later,
        first_seen: later,
        last_live: Some(later),
        desired: Some(desired),
        ..known("a")
    };
    let mut world = World::restored(vec![agent]);
    world.pass_ms(1_000);
    world.hear(beat("a"));
    world.pass_ms(90_000);
    assert_eq!(world.transitions(), ["91000 healthy → degraded late"]);
}

#[test]
fn an_id_is_never_given_twice() {
    let mut world = World::restored(vec![known("a")]);
    world.hear(beat("b"));
    assert_eq!(world.view("b").id().0, 8);
}

#[test]
fn the_end_says_when_everybody_was_last_heard() {
    let mut world = World::with(beat("a"));
    world.pass_ms(700);
    world.hear(beat("a"));
    world.forget_outputs();
    world.pass_ms(50);
    world.tell(Input::End);
    let rows = world.history();
    let [HistoryDbRow::LastBeat { session: 1, at, .. }] = rows[..] else { panic!("{rows:?}") };
    assert_eq!(ms(at, START), 700);
}
