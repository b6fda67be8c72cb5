//! One notice for one cause.

use heartline_vocabulary::ScopeKind;

use crate::world::{TestAgent, World};

const M3: [&str; 9] = ["m3.1", "m3.2", "m3.3", "m3.4", "m3.5", "m3.6", "m3.7", "m3.8", "m3.9"];
const OTHERS: [&str; 20] = [
    "o.01", "o.02", "o.03", "o.04", "o.05", "o.06", "o.07", "o.08", "o.09", "o.10", "o.11", "o.12",
    "o.13", "o.14", "o.15", "o.16", "o.17", "o.18", "o.19", "o.20",
];

/// A fleet of which nine agents run on host m3, by threes with three intervals.
fn fleet_with_host() -> World {
    let mut world = World::new();
    world.add(&OTHERS, &TestAgent::every_s(30));
    for (agents, interval_s) in M3.chunks(3).zip([5, 30, 300]) {
        world.add(agents, &TestAgent::every_s(interval_s).host("m3"));
    }
    world
}

#[test]
fn a_lost_host_is_one_incident_whenever_its_agents_were_judged() {
    let mut world = fleet_with_host();
    world.lose(&M3);
    world.run_s(2 * 3_600);
    world.heal(&M3);
    world.run_s(100);
    let notices = world.raw_notices();
    let scopes: Vec<_> =
        notices.iter().map(|it| (it.kind.name(), &*it.incident.incident.scope.name)).collect();
    // The agents of 30 s join five minutes after those of 5 s, those of 300 s after 50 minutes.
    let kinds = ["opened", "updated", "updated", "updated", "resolved"];
    assert_eq!(scopes, kinds.map(|kind| (kind, "m3")));
    let in_trouble: Vec<_> = notices.iter().map(|it| it.incident.incident.in_trouble).collect();
    assert_eq!(in_trouble, [3, 6, 7, 9, 0]);
    assert_eq!((notices[4].incident.total, notices[4].incident.of), (9, 9));
    let interval = notices[4].incident.incident.interval;
    assert!(interval.to.since(interval.from).as_secs() <= 6, "as the most frequent beats tell it");
    assert_eq!(world.incidents.len(), 1);
}

#[test]
fn two_of_many_on_a_host_are_two_incidents_and_the_third_makes_them_one() {
    let mut world = fleet_with_host();
    world.lose(&["m3.4", "m3.5"]);
    world.run_s(1_000);
    let singles = world.raw_notices();
    assert!(singles.iter().all(|it| it.incident.incident.scope.kind == ScopeKind::Agent));
    assert_eq!(singles.len(), 2);
    // Of the same cause, and found out much later.
    let mut world = fleet_with_host();
    world.lose(&["m3.4", "m3.5", "m3.7"]);
    world.run_s(2 * 3_600);
    let texts: Vec<_> = world
        .raw_notices()
        .iter()
        .map(|it| format!("{} {}", it.kind.name(), it.incident.incident.scope.name))
        .collect();
    assert_eq!(texts, ["opened m3.4", "opened m3.5", "updated m3", "merged m3.5"]);
    assert_eq!(world.fleet.incidents().count(), 1);
}

#[test]
fn both_agents_of_a_small_host_are_one_incident() {
    let mut world = World::new();
    world.add(&OTHERS, &TestAgent::every_s(30));
    world.add(&["a", "b"], &TestAgent::every_s(30).host("m7"));
    world.lose(&["a", "b"]);
    world.run_s(600);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("opened host m7: unreachable silent, 2 of 2"), "{notices:?}");
}

#[test]
fn failures_of_different_times_are_different_incidents() {
    let mut world = fleet_with_host();
    for agent in ["m3.1", "m3.2", "m3.3"] {
        world.lose(&[agent]);
        world.run_s(300);
    }
    let notices = world.raw_notices();
    assert!(notices.iter().all(|it| it.incident.incident.scope.kind == ScopeKind::Agent));
    assert_eq!(notices.len(), 3);
}

#[test]
fn a_group_is_the_scope_where_its_hosts_explain_too_little() {
    let mut world = World::new();
    world.add(&OTHERS, &TestAgent::every_s(30));
    for (agents, host) in M3.chunks(3).zip(["h1", "h2", "h3"]) {
        world.add(agents, &TestAgent::every_s(30).host(host).group("mail"));
    }
    world.lose(&M3);
    world.run_s(600);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("opened group mail: unreachable silent, 9 of 9"), "{notices:?}");
}

#[test]
fn most_of_the_fleet_at_once_is_a_doubt_about_the_collector() {
    let mut world = World::new();
    world.add(&OTHERS, &TestAgent::every_s(30));
    world.lose(&OTHERS);
    world.run_s(3_600);
    world.heal(&OTHERS);
    world.run_s(100);
    let notices = world.notices();
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(notices[0].contains("opened collector: unreachable silent, 20 of 20"), "{notices:?}");
    assert!(notices[1].contains("resolved collector"), "{notices:?}");
}

#[test]
fn one_stranger_does_not_take_the_host_from_the_others() {
    let mut world = fleet_with_host();
    world.lose(&M3);
    world.lose(&["o.07"]);
    world.run_s(600);
    let scopes: Vec<String> = world.fleet.incidents().map(|it| it.scope.name.to_string()).collect();
    assert_eq!(scopes.len(), 2, "{scopes:?}");
    assert!(scopes.contains(&"m3".to_owned()) && scopes.contains(&"o.07".to_owned()));
}

#[test]
fn agents_of_one_process_that_ends_are_one_incident_of_that_process() {
    let mut world = World::new();
    world.add(&["a", "b"], &TestAgent::every_s(10).host("m3").pid(4007));
    world.add(&["c", "d"], &TestAgent::every_s(10).host("m3").pid(4008));
    world.add(&OTHERS, &TestAgent::every_s(10));
    world.lose(&["a", "b"]);
    world.run_s(300);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("opened process 4007 on m3: unreachable silent, 2 of 2"));
    // The process lives where one of its agents does.
    world.heal(&["a", "b"]);
    world.run_s(300);
    world.notices();
    world.lose(&["c"]);
    world.run_s(300);
    assert!(world.notices()[0].contains("opened agent c"));
}

#[test]
fn a_lost_host_with_several_processes_is_not_one_of_these() {
    let mut world = World::new();
    world.add(&["a", "b"], &TestAgent::every_s(10).host("m3").pid(4007));
    world.add(&["c", "d"], &TestAgent::every_s(10).host("m3").pid(4008));
    world.add(&OTHERS, &TestAgent::every_s(10));
    world.lose(&["a", "b", "c", "d"]);
    world.run_s(300);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("opened host m3: unreachable silent, 4 of 4"), "{notices:?}");
}
