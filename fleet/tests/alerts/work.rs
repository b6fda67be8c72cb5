//! Work that fails for one cause.

use crate::world::{TestAgent, World};

const MAIL: [&str; 20] = [
    "m.01", "m.02", "m.03", "m.04", "m.05", "m.06", "m.07", "m.08", "m.09", "m.10", "m.11", "m.12",
    "m.13", "m.14", "m.15", "m.16", "m.17", "m.18", "m.19", "m.20",
];
const OTHERS: [&str; 8] = ["o.1", "o.2", "o.3", "o.4", "o.5", "o.6", "o.7", "o.8"];

fn fleet_with_group() -> World {
    let mut world = World::new();
    world.add(&OTHERS, &TestAgent::every_s(30).group("other"));
    world.add(&MAIL, &TestAgent::every_s(30).group("mail"));
    world.work(&MAIL, 20, 1);
    world.work(&OTHERS, 20, 1);
    world.run_s(300);
    world
}

fn told(world: &mut World) -> Vec<String> {
    let notices = world.raw_notices();
    let text = notices.iter().map(|it| {
        let incident = &it.incident.incident;
        format!("{} {} {}", it.kind.name(), incident.scope.name, incident.in_trouble)
    });
    text.collect()
}

#[test]
fn a_group_whose_upstream_is_out_is_one_incident() {
    let mut world = fleet_with_group();
    world.work(&MAIL, 0, 20);
    world.run_s(1_800);
    world.work(&MAIL, 20, 1);
    world.run_s(600);
    // The first is well a minute before the last.
    assert_eq!(told(&mut world), ["opened mail 20", "resolved mail 0"]);
    assert_eq!(world.incidents.len(), 1);
}

#[test]
fn a_few_that_fail_one_after_the_other_are_told_at_once_and_alone() {
    let mut world = fleet_with_group();
    world.work(&MAIL[..1], 0, 20);
    world.run_s(600);
    world.work(&MAIL[7..8], 0, 20);
    world.run_s(600);
    assert_eq!(told(&mut world), ["opened m.01 1", "opened m.08 1"]);
}
