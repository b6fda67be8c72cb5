//! Agents that an operator removes.

use heartline_fleet::{ForgetRequest, Input, Output};

use heartline_vocabulary::{Action, ForgetRefusal};

use crate::say::{beat, goodbye};
use crate::world::World;

/// Asks the fleet to forget an agent; returns the agents that were forgotten, or why none was.
fn forget(world: &mut World, agent: &str) -> Result<Vec<String>, ForgetRefusal> {
    let agents = vec![agent.to_owned()];
    world.tell(Input::Forget(ForgetRequest { request_id: 7, agents, by: "root@desk".into() }));
    let result = world.outputs().into_iter().find_map(|output| match output {
        Output::ForgetDone { request_id: 7, result } => Some(result),
        _ => None,
    });
    result.expect("every request is answered")
}

#[test]
fn who_is_forgotten_is_gone() {
    let mut world = World::with(beat("a"));
    assert_eq!(forget(&mut world, "a"), Ok(vec!["a".to_owned()]));
    assert_eq!((world.fleet.find("a"), world.fleet.state_counts().total), (None, 0));
    world.pass_ms(900_000);
    assert_eq!(world.transitions(), [""; 0]);
}

#[test]
fn who_still_lives_comes_back_by_its_next_beat() {
    let mut world = World::with(beat("a").segment(1, 10));
    world.store(1);
    let before = world.view("a").id();
    assert_eq!(forget(&mut world, "a"), Ok(vec!["a".to_owned()]));
    world.hear(beat("a"));
    let view = world.view("a");
    assert_eq!((world.status("a").as_str(), view.session(), view.starts()), ("healthy", 1, 1));
    assert!(view.id() > before);
    assert_eq!(view.totals().ok, 0, "its work of before stays with what was forgotten");
}

#[test]
fn a_recording_brings_nobody_back() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a"));
    assert_eq!(forget(&mut world, "a"), Ok(vec!["a".to_owned()]));
    for sequence in [1, 2] {
        world.hear(beat("a").sequence(sequence));
    }
    assert_eq!((world.fleet.find("a"), world.fleet.counters().replayed), (None, 2));
    world.hear(beat("a").session(2));
    world.hear(beat("a").sequence(2));
    assert_eq!(world.view("a").session(), 2);
    assert_eq!(world.status("a"), "healthy");
}

#[test]
fn an_agent_whose_work_is_not_on_disk_is_not_forgotten() {
    let mut world = World::with(beat("a"));
    world.hear(beat("a").segment(1, 10));
    assert_eq!(forget(&mut world, "a"), Err(ForgetRefusal::WorkPending("a".into())));
    world.hear(beat("a").session(2));
    assert_eq!(forget(&mut world, "a"), Err(ForgetRefusal::WorkPending("a".into())), "nor later");
    world.store(1);
    assert_eq!(forget(&mut world, "a"), Ok(vec!["a".to_owned()]));
}

#[test]
fn a_killed_agent_is_not_forgotten() {
    let mut world = World::with(beat("a"));
    world.order(Action::Kill, "a");
    assert_eq!(forget(&mut world, "a"), Err(ForgetRefusal::Killed("a".into())));
    assert_eq!(world.status("a"), "killed operator");
    world.order(Action::Resume, "a");
    assert_eq!(forget(&mut world, "a"), Ok(vec!["a".to_owned()]));
}

#[test]
fn an_agent_with_a_command_on_its_way_to_the_disk_is_not_forgotten() {
    let mut world = World::with(beat("a"));
    world.command(Action::Kill, "a");
    let request = ForgetRequest { request_id: 8, agents: vec!["a".into()], by: "".into() };
    world.tell(Input::Forget(request));
    let refused = Err(ForgetRefusal::CommandPending("a".into()));
    let is_refused =
        |it: &Output| *it == Output::ForgetDone { request_id: 8, result: refused.clone() };
    assert!(world.outputs_so_far().iter().any(is_refused));
    world.persist();
    assert_eq!(forget(&mut world, "a"), Err(ForgetRefusal::Killed("a".into())));
}

#[test]
fn one_agent_that_must_stay_keeps_all_of_a_request() {
    let mut world = World::with(beat("a"));
    world.hear(beat("b"));
    world.order(Action::Kill, "b");
    let agents = vec!["a".to_owned(), "nobody".to_owned(), "b".to_owned()];
    world.forget_outputs();
    world.tell(Input::Forget(ForgetRequest { request_id: 9, agents, by: "root@desk".into() }));
    let result = Err(ForgetRefusal::Killed("b".into()));
    assert_eq!(world.outputs(), [Output::ForgetDone { request_id: 9, result }]);
    assert!(world.fleet.find("a").is_some());
}

#[test]
fn pushes_of_a_forgotten_agent_do_not_reach_its_successor() {
    let mut world = World::with(beat("a"));
    world.order(Action::Kill, "a");
    world.order(Action::Resume, "a");
    assert_eq!(forget(&mut world, "a"), Ok(vec!["a".to_owned()]));
    world.hear(beat("b"));
    assert_eq!(world.fleet.view(heartline_fleet::AgentIndex(0)).map(|it| it.name()), Some("b"));
    world.pass_ms(50);
    world.order(Action::Kill, "b");
    world.forget_outputs();
    world.pass_ms(99);
    assert_eq!(world.pushes(), []);
    world.pass_ms(3_000);
    assert_eq!(world.pushes().len(), 4);
}

#[test]
fn a_generation_does_not_fall_by_forgetting() {
    let mut world = World::with(beat("a"));
    world.order(Action::Kill, "a");
    world.order(Action::Resume, "a");
    assert_eq!(forget(&mut world, "a"), Ok(vec!["a".to_owned()]));
    world.hear(beat("a").applied(2).unconfirmed());
    world.order(Action::Kill, "a");
    assert_eq!(world.view("a").desired().map(|desired| desired.generation), Some(3));
}

#[test]
fn a_goodbye_of_the_forgotten_says_that_it_has_stopped() {
    let mut world = World::with(beat("a"));
    assert_eq!(forget(&mut world, "a"), Ok(vec!["a".to_owned()]));
    world.hear(goodbye("a"));
    assert_eq!(world.status("a"), "killed shutdown");
}
