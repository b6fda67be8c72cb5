//! Agents that are expected.

use std::time::Duration;

use heartline_fleet::{AlertInput, AlertRoute, AlertRules};
use heartline_vocabulary::{Severity, State};

use crate::world::{TestAgent, World, chat_rules, only, route};

fn rules(agents: &[&str]) -> AlertRules {
    let within = Duration::from_secs(300);
    let expected = agents.iter().map(|&agent| (agent.into(), within)).collect();
    AlertRules { expected, ..chat_rules() }
}

fn waited_for(world: &World) -> Vec<&str> {
    world.fleet.expected_agents().map(|it| it.agent).collect()
}

#[test]
fn one_that_never_came_is_told_after_its_time_until_it_comes() {
    let mut world = World::with(rules(&["a", "b"]));
    world.add(&["a"], &TestAgent::every_s(10));
    world.run_s(1_000);
    assert_eq!(waited_for(&world), ["b"]);
    let incident = world.fleet.incidents().next().unwrap();
    assert_eq!(incident.severity, Severity::Critical);
    world.add_now(&["b"], &TestAgent::every_s(10));
    let expected =
        ["300 opened never seen since 0: b → chat", "1011 resolved never seen since 0:  → chat"];
    assert_eq!(world.notices(), expected);
    assert_eq!(waited_for(&world), Vec::<&str>::new());
    world.lose(&["b"]);
    world.run_s(200);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "from now on it is as any other: {notices:?}");
    assert!(notices[0].contains("opened agent b: unreachable silent"), "{notices:?}");
}

#[test]
fn one_that_comes_in_time_is_told_to_nobody() {
    let mut world = World::with(rules(&["a"]));
    world.run_s(290);
    world.add_now(&["a"], &TestAgent::every_s(10));
    world.run_s(600);
    assert_eq!(world.notices(), Vec::<String>::new());
}

#[test]
fn three_that_are_missing_at_once_are_one_incident() {
    let mut world = World::with(rules(&["a", "b", "c", "d"]));
    world.add(&["a"], &TestAgent::every_s(10));
    world.run_s(400);
    world.add_now(&["c"], &TestAgent::every_s(10));
    world.run_s(400);
    world.add_now(&["b", "d"], &TestAgent::every_s(10));
    let expected = [
        "300 opened never seen since 0: b, c, d → chat",
        "600 updated never seen since 0: b, d → chat",
        "811 resolved never seen since 0:  → chat",
    ];
    assert_eq!(world.notices(), expected);
}

#[test]
fn an_agent_that_is_forgotten_is_expected_again() {
    let mut world = World::with(rules(&["a"]));
    world.add(&["a"], &TestAgent::every_s(10));
    world.lose(&["a"]);
    world.run_s(400);
    assert_eq!(world.notices().len(), 1);
    world.forget("a");
    assert_eq!(waited_for(&world), ["a"]);
    world.run_s(400);
    let expected = [
        "411 resolved agent a: unreachable silent, 0 of 1 → chat",
        "711 opened never seen since 411: a → chat",
    ];
    assert_eq!(world.notices(), expected);
}

#[test]
fn a_new_collector_gives_everybody_time_again_and_goes_on_with_what_was_told() {
    let mut world = World::with(rules(&["a", "b"]));
    world.add(&["a"], &TestAgent::every_s(10));
    world.run_s(100);
    world.restart(rules(&["a", "b"]), 10);
    world.run_s(299);
    assert_eq!(world.notices(), Vec::<String>::new());
    world.run_s(100);
    assert_eq!(world.notices(), ["421 opened never seen since 121: b → chat"]);
    world.restart(rules(&["a", "b"]), 10);
    world.run_s(1_000);
    assert_eq!(world.notices(), Vec::<String>::new(), "it is told already");
    world.restart(rules(&["a"]), 10);
    world.run_s(1);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "nobody expects it any more: {notices:?}");
    assert!(notices[0].contains("resolved never seen since 121"), "{notices:?}");
}

#[test]
fn a_reload_that_expects_another_one_waits_for_it_from_then_on() {
    let mut world = World::with(rules(&["a"]));
    world.run_s(400);
    assert_eq!(world.notices(), ["300 opened never seen since 0: a → chat"]);
    world.alert(AlertInput::Rules(rules(&["b"])));
    world.run_s(400);
    let expected =
        ["400 resolved never seen since 0:  → chat", "700 opened never seen since 400: b → chat"];
    assert_eq!(world.notices(), expected);
}

#[test]
fn time_in_which_the_collector_was_frozen_accuses_nobody() {
    let mut world = World::with(rules(&["a"]));
    world.run_s(100);
    world.freeze_s(3_600);
    world.run_s(150);
    assert_eq!(world.notices(), Vec::<String>::new());
    world.run_s(100);
    assert_eq!(world.notices().len(), 1);
}

#[test]
fn a_silence_and_a_route_of_their_own_know_them_by_name_and_as_unknown() {
    let unknown =
        AlertRoute { states: only(&[State::Unknown], &[]), is_last: true, ..route("b*", &["day"]) };
    let late = AlertRoute { states: only(&[State::Degraded], &[]), ..route("*", &["late"]) };
    let routes = vec![late, unknown, route("*", &["chat"])];
    let mut world = World::with(AlertRules { routes, ..rules(&["a", "b"]) });
    world.silence("a", 1_000);
    world.run_s(400);
    assert_eq!(world.notices(), ["300 opened never seen since 0: b → day"]);
    world.run_s(700);
    assert_eq!(world.notices(), ["1000 opened never seen since 0: a → chat"]);
}
