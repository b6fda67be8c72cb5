//! What an agent needs is the incident, and the agent is affected.

use crate::world::{TestAgent, World};

const WORKERS: [&str; 4] = ["w1", "w2", "w3", "w4"];
const OTHERS: [&str; 12] =
    ["o01", "o02", "o03", "o04", "o05", "o06", "o07", "o08", "o09", "o10", "o11", "o12"];

fn fleet_with_database() -> World {
    let mut world = World::new();
    world.add(&OTHERS, &TestAgent::every_s(10));
    world.add(&["db"], &TestAgent::every_s(10));
    world.add(&WORKERS, &TestAgent::every_s(10).depends(&["db"]));
    world
}

#[test]
fn dependants_that_stall_after_it_are_members_of_its_incident() {
    let mut world = fleet_with_database();
    world.lose(&["db"]);
    world.run_s(30);
    world.stall(&WORKERS);
    world.run_s(1_200);
    let incident = world.fleet.incidents().next().expect("one goes on");
    assert_eq!((&*incident.scope.name, incident.in_trouble), ("db", 5));
    let notices = world.raw_notices();
    let kinds: Vec<_> =
        notices.iter().map(|it| (it.kind.name(), it.incident.incident.in_trouble)).collect();
    assert_eq!(kinds[0], ("opened", 1));
    let last = &notices.last().unwrap().incident;
    assert_eq!((last.affected, &*last.members[0].agent), (4, "db"), "the root is told first");
    assert_eq!(world.incidents.len(), 1, "{kinds:?}");
}

#[test]
fn dependants_that_were_judged_before_it_become_members() {
    let mut world = fleet_with_database();
    // The workers hang as soon as the database does, and are found before it.
    world.add(&["db2"], &TestAgent::every_s(60));
    world.add(&["v1", "v2"], &TestAgent::every_s(10).depends(&["db2"]));
    world.lose(&["db2"]);
    world.run_s(60);
    world.stall(&["v1"]);
    world.run_s(1_000);
    let open: Vec<_> =
        world.fleet.incidents().map(|it| (it.scope.name.to_string(), it.in_trouble)).collect();
    assert_eq!(open, [("v1".to_owned(), 1)].map(|_| ("db2".to_owned(), 2)), "{open:?}");
    let notices = world.notices();
    assert!(notices.iter().any(|it| it.contains("merged agent v1")), "{notices:?}");
}

#[test]
fn agents_that_need_each_other_are_one_incident() {
    let mut world = World::new();
    world.add(&OTHERS, &TestAgent::every_s(10));
    world.add(&["a"], &TestAgent::every_s(10).depends(&["b"]));
    world.add(&["b"], &TestAgent::every_s(10).depends(&["a"]));
    world.lose(&["a", "b"]);
    world.run_s(600);
    assert_eq!(world.fleet.incidents().count(), 1);
    world.heal(&["a", "b"]);
    world.run_s(100);
    assert_eq!(world.fleet.incidents().count(), 0);
}

#[test]
fn an_incident_of_the_dependency_ends_with_the_last_that_it_affected() {
    let mut world = fleet_with_database();
    world.lose(&["db"]);
    world.run_s(30);
    world.stall(&["w1"]);
    world.run_s(600);
    world.heal(&["db"]);
    world.run_s(200);
    assert_eq!(world.fleet.incidents().next().map(|it| it.in_trouble), Some(1));
    world.heal(&["w1"]);
    world.run_s(100);
    assert_eq!(world.fleet.incidents().count(), 0);
    let notices = world.notices();
    assert!(notices.last().unwrap().contains("resolved agent db"), "{notices:?}");
}
