//! A collector that is killed and started again tells everything once.

use crate::world::{TestAgent, World, chat_rules};

const M3: [&str; 4] = ["m3.1", "m3.2", "m3.3", "m3.4"];
const OTHERS: [&str; 6] = ["o1", "o2", "o3", "o4", "o5", "o6"];

#[test]
fn an_incident_goes_on_and_its_end_is_told() {
    let mut world = World::new();
    world.add(&["a", "b"], &TestAgent::every_s(10));
    world.lose(&["a"]);
    world.run_s(200);
    assert_eq!(world.notices().len(), 1);
    world.restart(chat_rules(), 60);
    world.run_s(600);
    assert!(world.notices().is_empty(), "nothing is new");
    world.heal(&["a"]);
    world.run_s(100);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("resolved agent a: unreachable silent, 0 of 1"), "{notices:?}");
}

#[test]
fn what_ended_while_it_was_down_is_told_as_ended() {
    let mut world = World::new();
    world.add(&["a", "b"], &TestAgent::every_s(10));
    world.lose(&["a"]);
    world.run_s(200);
    world.notices();
    world.restart(chat_rules(), 600);
    world.heal(&["a"]);
    world.run_s(100);
    assert_eq!(world.notices().len(), 1);
    assert_eq!(world.fleet.incidents().count(), 0);
}

#[test]
fn a_host_that_was_lost_while_it_was_down_is_one_incident() {
    let mut world = World::new();
    world.add(&OTHERS, &TestAgent::every_s(10));
    world.add(&M3, &TestAgent::every_s(10).host("m3"));
    // So that something is stored.
    world.lose(&["o1"]);
    world.run_s(200);
    world.notices();
    world.lose(&M3);
    world.restart(chat_rules(), 60);
    world.run_s(600);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("opened host m3: unreachable silent, 4 of 4"), "{notices:?}");
}

#[test]
fn trouble_that_no_incident_knows_is_taken_in() {
    let mut world = World::new();
    world.add(&["a", "b"], &TestAgent::every_s(10));
    world.lose(&["a", "b"]);
    world.run_s(200);
    world.notices();
    // The record of one is lost, with its notice.
    let lost = world.incidents.keys().next().copied().unwrap();
    world.incidents.remove(&lost);
    world.restart(chat_rules(), 10);
    world.run_s(600);
    let notices = world.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("opened agent"), "{notices:?}");
}
