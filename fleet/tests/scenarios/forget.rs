//! Agents that an operator removes.

use heartline_fleet::{ForgetRequest, Input, Output};

use heartline_vocabulary::{Action, ForgetRefusal};

use crate::test_fleet::TestFleet;
use crate::test_message::{beat, goodbye};

/// Asks the fleet to forget an agent; returns the agents that were forgotten, or why none was.
fn forget(fleet: &mut TestFleet, agent: &str) -> Result<Vec<String>, ForgetRefusal> {
    let agents = vec![agent.to_owned()];
    fleet.handle(Input::Forget(ForgetRequest { request_id: 7, agents, by: "root@desk".into() }));
    let result = fleet.outputs().into_iter().find_map(|output| match output {
        Output::ForgetDone { request_id: 7, result } => Some(result),
        _ => None,
    });
    result.expect("every request is answered")
}

#[test]
fn a_forgotten_agent_is_removed() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    assert_eq!(forget(&mut fleet, "a"), Ok(vec!["a".to_owned()]));
    assert_eq!((fleet.core.find("a"), fleet.core.state_counts().total), (None, 0));
    fleet.advance_ms(900_000);
    assert_eq!(fleet.transitions(), [""; 0]);
}

#[test]
fn a_forgotten_agent_that_lives_is_registered_again_by_its_next_beat() {
    let mut fleet = TestFleet::with_agent(beat("a").segment(1, 10));
    fleet.confirm_work(1);
    let before = fleet.agent("a").id();
    assert_eq!(forget(&mut fleet, "a"), Ok(vec!["a".to_owned()]));
    fleet.receive(beat("a"));
    let view = fleet.agent("a");
    assert_eq!((fleet.status("a").as_str(), view.session(), view.starts()), ("healthy", 1, 1));
    assert!(view.id() > before);
    assert_eq!(view.totals().ok, 0, "earlier work stays with the forgotten row id");
}

#[test]
fn a_replay_does_not_register_a_forgotten_agent_again() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a"));
    assert_eq!(forget(&mut fleet, "a"), Ok(vec!["a".to_owned()]));
    for sequence in [1, 2] {
        fleet.receive(beat("a").sequence(sequence));
    }
    assert_eq!((fleet.core.find("a"), fleet.core.counters().replayed), (None, 2));
    fleet.receive(beat("a").session(2));
    fleet.receive(beat("a").sequence(2));
    assert_eq!(fleet.agent("a").session(), 2);
    assert_eq!(fleet.status("a"), "healthy");
}

#[test]
fn an_agent_whose_work_is_not_on_disk_is_not_forgotten() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("a").segment(1, 10));
    assert_eq!(forget(&mut fleet, "a"), Err(ForgetRefusal::WorkPending("a".into())));
    fleet.receive(beat("a").session(2));
    assert_eq!(
        forget(&mut fleet, "a"),
        Err(ForgetRefusal::WorkPending("a".into())),
        "nor in a later session"
    );
    fleet.confirm_work(1);
    assert_eq!(forget(&mut fleet, "a"), Ok(vec!["a".to_owned()]));
}

#[test]
fn a_killed_agent_is_not_forgotten() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command_durably(Action::Kill, "a");
    assert_eq!(forget(&mut fleet, "a"), Err(ForgetRefusal::Killed("a".into())));
    assert_eq!(fleet.status("a"), "killed operator");
    fleet.command_durably(Action::Resume, "a");
    assert_eq!(forget(&mut fleet, "a"), Ok(vec!["a".to_owned()]));
}

#[test]
fn an_agent_with_a_pending_command_is_not_forgotten() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command(Action::Kill, "a");
    let request = ForgetRequest { request_id: 8, agents: vec!["a".into()], by: "".into() };
    fleet.handle(Input::Forget(request));
    let refused = Err(ForgetRefusal::CommandPending("a".into()));
    let is_refused =
        |it: &Output| *it == Output::ForgetDone { request_id: 8, result: refused.clone() };
    assert!(fleet.outputs_so_far().iter().any(is_refused));
    fleet.confirm_commands();
    assert_eq!(forget(&mut fleet, "a"), Err(ForgetRefusal::Killed("a".into())));
}

#[test]
fn a_refusal_for_one_agent_refuses_the_whole_request() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.receive(beat("b"));
    fleet.command_durably(Action::Kill, "b");
    let agents = vec!["a".to_owned(), "nobody".to_owned(), "b".to_owned()];
    fleet.discard_outputs();
    fleet.handle(Input::Forget(ForgetRequest { request_id: 9, agents, by: "root@desk".into() }));
    let result = Err(ForgetRefusal::Killed("b".into()));
    assert_eq!(fleet.outputs(), [Output::ForgetDone { request_id: 9, result }]);
    assert!(fleet.core.find("a").is_some());
}

#[test]
fn pushes_of_a_forgotten_agent_do_not_reach_its_successor() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command_durably(Action::Kill, "a");
    fleet.command_durably(Action::Resume, "a");
    assert_eq!(forget(&mut fleet, "a"), Ok(vec!["a".to_owned()]));
    fleet.receive(beat("b"));
    assert_eq!(
        fleet.core.agent(heartline_fleet::AgentIndex(0)).map(heartline_fleet::Agent::name),
        Some("b")
    );
    fleet.advance_ms(50);
    fleet.command_durably(Action::Kill, "b");
    fleet.discard_outputs();
    fleet.advance_ms(99);
    assert_eq!(fleet.pushes(), []);
    fleet.advance_ms(3_000);
    assert_eq!(fleet.pushes().len(), 4);
}

#[test]
fn a_command_after_forgetting_outranks_what_the_agent_has_applied() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    fleet.command_durably(Action::Kill, "a");
    fleet.command_durably(Action::Resume, "a");
    assert_eq!(forget(&mut fleet, "a"), Ok(vec!["a".to_owned()]));
    fleet.receive(beat("a").applied(2).sequence(2));
    fleet.command_durably(Action::Kill, "a");
    assert_eq!(fleet.agent("a").desired().map(|desired| desired.generation), Some(3));
}

#[test]
fn a_goodbye_after_forgetting_registers_a_stopped_agent() {
    let mut fleet = TestFleet::with_agent(beat("a"));
    assert_eq!(forget(&mut fleet, "a"), Ok(vec!["a".to_owned()]));
    fleet.receive(goodbye("a"));
    assert_eq!(fleet.status("a"), "killed shutdown");
}
