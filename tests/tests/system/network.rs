//! What a connection that fails looks like from the collector.

use heartline_tests::world::{Deeds, Operator, Proxy, Weather, World, rolled_up, wait_until};
use heartline_vocabulary::{Reason, State};

const AGENT: &str = "distant";

fn wait_until_it_is(operator: &Operator, state: State, reason: Option<Reason>) {
    wait_until(&format!("it is {state:?}, {reason:?}"), || {
        operator
            .agent(AGENT)
            .is_some_and(|it| (it.vitals.state, it.vitals.reason) == (state, reason))
    });
}

#[test]
fn an_agent_that_is_cut_off_is_silent_and_what_it_did_meanwhile_is_counted() {
    let world = World::new();
    let collector = world.start_collector();
    let proxy = Proxy::start(collector.address(), 1);
    let mut worker = world.start_worker(AGENT, proxy.address(), 1);
    let operator = world.operator();
    wait_until_it_is(&operator, State::Healthy, None);

    proxy.set_weather(Weather::CUT);
    wait_until_it_is(&operator, State::Unreachable, Some(Reason::Silent));
    let deeds = worker.finish();
    proxy.set_weather(Weather::FINE);
    wait_until_it_is(&operator, State::Healthy, None);
    let total = || Deeds(operator.agent(AGENT).unwrap().total);
    wait_until("all of it is counted", || total().tasks() >= deeds.tasks());
    assert_eq!(total(), deeds);
    assert_eq!(operator.agent(AGENT).unwrap().vitals.starts, 1, "it is the same session");
}

/// A kill would not arrive there, so it must not look healthy.
#[test]
fn an_agent_that_never_hears_us_is_one_way() {
    let world = World::new();
    let mut collector = world.start_collector();
    let proxy = Proxy::start(collector.address(), 2);
    let _worker = world.start_worker(AGENT, proxy.address(), 2);
    let operator = world.operator();
    wait_until("it works, and that is stored", || rolled_up(&world.data_dir(), AGENT).tasks() > 0);
    proxy.set_weather(Weather::ONE_WAY);
    // The next collector has challenges of its own, of which no answer tells the agent.
    collector.kill_9();
    let collector = world.start_collector();
    proxy.set_collector(collector.address());
    wait_until_it_is(&operator, State::Unreachable, Some(Reason::OneWay));
    assert!(operator.collector().datagrams.unconfirmed > 5);
    proxy.set_weather(Weather::FINE);
    wait_until_it_is(&operator, State::Healthy, None);
}
