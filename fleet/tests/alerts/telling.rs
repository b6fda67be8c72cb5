//! Who is told of one agent's trouble, and when.

use std::time::Duration;

use heartline_fleet::{AlertInput, AlertRoute, AlertRules, Escalation, SinkTraits};
use heartline_vocabulary::{Reason, State};

use crate::world::{TestAgent, World, only, pager_traits, route};

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

#[test]
fn an_agent_that_dies_is_told_once_and_again_when_it_has_been_well_for_a_minute() {
    let mut world = World::new();
    world.add(&["a"], &TestAgent::every_s(30));
    world.lose(&["a"]);
    world.run_s(1_000);
    world.heal(&["a"]);
    world.run_s(200);
    // Its last beat was at 30 s.
    let expected = [
        "330 opened agent a: unreachable silent, 1 of 1 → chat",
        "1091 resolved agent a: unreachable silent, 0 of 1 → chat",
    ];
    assert_eq!(world.notices(), expected);
    let incident = world.incidents.values().next().unwrap();
    let lasted = incident.ended.unwrap().since(incident.opened);
    assert_eq!(lasted.as_secs(), 701, "until it was well, and not until that was told");
}

#[test]
fn what_is_over_within_the_recovery_hold_is_no_recovery() {
    let mut world = World::new();
    world.add(&["a"], &TestAgent::every_s(10));
    world.lose(&["a"]);
    world.run_s(120);
    world.heal(&["a"]);
    world.run_s(20);
    world.lose(&["a"]);
    world.run_s(300);
    assert_eq!(world.notices(), ["110 opened agent a: unreachable silent, 1 of 1 → chat"]);
}

#[test]
fn late_and_unreachable_go_to_different_places() {
    let late = AlertRoute { states: only(&[], &[Reason::Late]), ..route("*", &["chat"]) };
    let dead = AlertRoute { states: only(&[State::Unreachable], &[]), ..route("*", &["pager"]) };
    let mut world = World::with(AlertRules { routes: vec![late, dead], ..AlertRules::default() });
    world.add(&["a"], &TestAgent::every_s(30));
    world.lose(&["a"]);
    world.run_s(400);
    world.heal(&["a"]);
    world.run_s(100);
    let expected = [
        "120 opened agent a: degraded late, 1 of 1 → chat",
        "330 opened agent a: unreachable silent, 1 of 1 → pager",
        "330 updated agent a: unreachable silent, 1 of 1 → chat",
        "491 resolved agent a: unreachable silent, 0 of 1 → chat, pager",
    ];
    assert_eq!(world.notices(), expected);
}

#[test]
fn a_route_waits_for_its_hold_and_says_nothing_of_what_is_over_before() {
    let held = AlertRoute { hold: minutes(5), ..route("*", &["pager"]) };
    let routes = vec![route("*", &["chat"]), held];
    let mut world = World::with(AlertRules { routes, ..AlertRules::default() });
    world.add(&["a"], &TestAgent::every_s(10));
    world.lose(&["a"]);
    world.run_s(300);
    world.heal(&["a"]);
    world.run_s(100);
    world.lose(&["a"]);
    world.run_s(500);
    let expected = [
        "110 opened agent a: unreachable silent, 1 of 1 → chat",
        "371 resolved agent a: unreachable silent, 0 of 1 → chat",
        "510 opened agent a: unreachable silent, 1 of 1 → chat",
        "810 opened agent a: unreachable silent, 1 of 1 → pager",
    ];
    assert_eq!(world.notices(), expected);
}

#[test]
fn the_last_route_that_an_agent_takes_ends_its_way() {
    let first = AlertRoute { is_last: true, ..route("mail.*", &["mail-team"]) };
    let routes = vec![first, route("*", &["ops"])];
    let mut world = World::with(AlertRules { routes, ..AlertRules::default() });
    world.add(&["mail.1", "web"], &TestAgent::every_s(10));
    world.lose(&["mail.1"]);
    world.run_s(150);
    assert_eq!(
        world.notices(),
        ["110 opened agent mail.1: unreachable silent, 1 of 1 → mail-team"]
    );
}

#[test]
fn a_stop_a_kill_and_a_new_agent_are_told_to_nobody() {
    let mut world = World::new();
    world.add(&["stopped", "killed"], &TestAgent::every_s(10));
    world.stop("stopped");
    world.kill("killed");
    world.lose(&["killed"]);
    world.add(&["new"], &TestAgent::every_s(10));
    world.run_s(3_600);
    assert!(world.notices().is_empty());
    assert!(world.incidents.is_empty());
}

#[test]
fn a_kill_ends_an_incident_at_once() {
    let mut world = World::new();
    world.add(&["a"], &TestAgent::every_s(10));
    world.lose(&["a"]);
    world.run_s(200);
    world.kill("a");
    world.run_s(10);
    let expected = [
        "110 opened agent a: unreachable silent, 1 of 1 → chat",
        "211 resolved agent a: unreachable silent, 0 of 1 → chat",
    ];
    assert_eq!(world.notices(), expected);
}

#[test]
fn reminders_come_until_somebody_acknowledges_and_not_to_a_pager() {
    let repeated = AlertRoute { repeat: Some(minutes(60)), ..route("*", &["chat", "pager"]) };
    let sinks = [pager_traits()].into();
    let mut world =
        World::with(AlertRules { routes: vec![repeated], sinks, ..AlertRules::default() });
    world.add(&["a"], &TestAgent::every_s(10));
    world.lose(&["a"]);
    world.run_s(3 * 3_600);
    world.acknowledge();
    world.run_s(24 * 3_600);
    let expected = [
        "110 opened agent a: unreachable silent, 1 of 1 → chat, pager",
        "3710 reminder agent a: unreachable silent, 1 of 1 → chat",
        "7310 reminder agent a: unreachable silent, 1 of 1 → chat",
    ];
    assert_eq!(world.notices(), expected);
}

#[test]
fn what_nobody_acknowledges_in_time_is_told_to_others_once() {
    let escalation = Escalation { after: minutes(15), sinks: vec!["lead".into()] };
    let escalated = AlertRoute { escalation: Some(escalation), ..route("*", &["chat"]) };
    let rules = AlertRules { routes: vec![escalated], ..AlertRules::default() };
    let mut world = World::with(rules);
    world.add(&["a"], &TestAgent::every_s(10));
    world.lose(&["a"]);
    world.run_s(7_200);
    world.heal(&["a"]);
    world.run_s(100);
    let expected = [
        "110 opened agent a: unreachable silent, 1 of 1 → chat",
        "1010 escalated agent a: unreachable silent, 1 of 1 → lead",
        "7271 resolved agent a: unreachable silent, 0 of 1 → chat, lead",
    ];
    assert_eq!(world.notices(), expected);
    world.lose(&["a"]);
    world.run_s(300);
    world.acknowledge();
    world.run_s(7_200);
    let opened = ["7410 opened agent a: unreachable silent, 1 of 1 → chat"];
    assert_eq!(world.notices(), opened, "it was acknowledged");
}

#[test]
fn a_sink_that_takes_nothing_is_told_to_the_others() {
    let routes = vec![route("*", &["chat", "pager"])];
    let mut world = World::with(AlertRules { routes, ..AlertRules::default() });
    world.run_s(10);
    let health = |why: Option<&str>| AlertInput::SinkHealth {
        sink: "pager".into(),
        why: why.map(Into::into),
    };
    world.alert(health(Some("401 Unauthorized")));
    world.alert(health(Some("401 Unauthorized")));
    world.run_s(600);
    world.alert(health(None));
    world.run_s(10);
    let expected = [
        "10 opened sink pager: unknown, 0 of 0 → chat",
        "610 resolved sink pager: unknown, 0 of 0 → chat",
    ];
    assert_eq!(world.notices(), expected);
}

#[test]
fn without_routes_incidents_are_kept_and_nobody_is_told() {
    let mut world = World::with(AlertRules::default());
    world.add(&["a"], &TestAgent::every_s(10));
    world.lose(&["a"]);
    world.run_s(200);
    assert!(world.notices().is_empty());
    assert_eq!(world.fleet.incidents().count(), 1);
    world.alert(AlertInput::Rules(crate::world::chat_rules()));
    world.run_s(1);
    let opened = ["211 opened agent a: unreachable silent, 1 of 1 → chat"];
    assert_eq!(world.notices(), opened, "as soon as there is a route");
}

#[test]
fn a_forgotten_agent_ends_its_incident() {
    let mut world = World::new();
    world.add(&["a"], &TestAgent::every_s(10));
    world.lose(&["a"]);
    world.run_s(200);
    world.forget("a");
    let expected = [
        "110 opened agent a: unreachable silent, 1 of 1 → chat",
        "211 resolved agent a: unreachable silent, 0 of 1 → chat",
    ];
    assert_eq!(world.notices(), expected);
}

#[test]
fn the_incident_of_a_sink_ends_when_the_sink_is_removed() {
    let sinks = [("chat".into(), SinkTraits::default()), pager_traits()].into();
    let rules =
        AlertRules { sinks, routes: vec![route("*", &["chat", "pager"])], ..AlertRules::default() };
    let mut world = World::with(rules);
    world.run_s(10);
    world.alert(AlertInput::SinkHealth { sink: "pager".into(), why: Some("401".into()) });
    world.run_s(10);
    assert_eq!(world.fleet.incidents().count(), 1);
    let sinks = [("chat".into(), SinkTraits::default())].into();
    let rules = AlertRules { sinks, routes: vec![route("*", &["chat"])], ..AlertRules::default() };
    world.alert(AlertInput::Rules(rules));
    world.run_s(1);
    assert_eq!(world.fleet.incidents().count(), 0);
    assert!(world.notices().last().unwrap().contains("resolved sink pager"));
}
