//! Texts of agents reach terminals and logs scrubbed.

use heartline_operator::message::AgentEntry;

use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{Beat, IdentityView};
use heartline_tests::harness::{
    ScriptedAgent, TestEnvironment, TestOperator, TestedProgram, wait_until,
};
use heartline_vocabulary::State;
use heartline_vocabulary::text::is_hostile;
use rmp::encode as put;

/// Control sequences (clear the screen, set the title, bell, carriage return), and characters that
/// reverse text or are invisible.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31mERROR\u{202e}lanretxe\u{2066}\u{200b}\u{ad}\u{2028}\u{e0041}";

#[track_caller]
fn assert_scrubbed(what: &str, text: &str) {
    let raw = text.chars().find(|&c| is_hostile(c) && c != '\n');
    assert_eq!(raw, None, "{what} is not scrubbed: {text:?}");
}

/// Returns a beat with this identity, encoded by hand: the protocol crate would scrub it.
fn beat_with(identity: impl FnOnce(&mut Vec<u8>)) -> impl FnOnce(&mut Vec<u8>) {
    move |out| {
        put::write_array_len(out, 15).unwrap();
        for interval_uptime_phase_in_flight in [60_000, 1, 1, 0] {
            put::write_uint(out, interval_uptime_phase_in_flight).unwrap();
        }
        for _oldest_progress_queue in 0..3 {
            put::write_nil(out).unwrap();
        }
        put::write_str(out, HOSTILE).unwrap();
        for _generation_killed_control_blocked_lost in 0..5 {
            put::write_uint(out, 0).unwrap();
        }
        put::write_nil(out).unwrap();
        identity(out);
    }
}

fn hostile_identity(out: &mut Vec<u8>) {
    put::write_map_len(out, 4).unwrap();
    for key in ["host", "group", "version"] {
        put::write_str(out, key).unwrap();
        put::write_str(out, HOSTILE).unwrap();
    }
    put::write_str(out, "labels").unwrap();
    put::write_map_len(out, 1).unwrap();
    put::write_str(out, "k\u{1b}[7m").unwrap();
    put::write_str(out, HOSTILE).unwrap();
}

#[test]
fn texts_of_agents_are_scrubbed_on_every_output() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let mut agent = ScriptedAgent::new(collector.address(), env.token(), "nasty", 1);
    agent.beat_until_live(&ScriptedAgent::minimal_beat());
    let hostile = agent.seal(beat_with(hostile_identity));
    agent.send(&hostile);
    let entry = || operator.agent("nasty").unwrap();
    wait_until("its identity is known", || entry().identity.shared.host.is_some());
    assert_eq!(entry().vitals.state, State::Healthy);
    let AgentEntry { identity, vitals, .. } = entry();
    assert_scrubbed("the message to operators", identity.shared.host.as_deref().unwrap());
    assert_scrubbed(
        "a label",
        &format!("{}={}", identity.shared.labels[0].0, identity.shared.labels[0].1),
    );
    assert_scrubbed("the step", &vitals.step.unwrap());

    let kill = ["kill", "nasty", "--yes", "--reason", HOSTILE];
    let mut command = env.command(TestedProgram::Heartline.path());
    let killed = command.args(kill).output().unwrap();
    assert!(killed.status.success(), "{}", String::from_utf8_lossy(&killed.stderr));
    // History is committed in groups, up to 250 ms later.
    wait_until("its history is stored", || !env.heartline("events").stdout.is_empty());
    for args in [
        "status",
        "status --json",
        "agent nasty",
        "agent nasty --json",
        "events",
        "events --json",
        "snapshot --size 200x50",
        "kill nasty\u{1b}[2J --reason x --yes",
        "agent nasty\u{202e}",
        "status --filter host:\u{1b}[2J~(",
    ] {
        let output = env.heartline(args);
        let printed = [output.stdout, output.stderr].concat();
        assert!(!printed.is_empty(), "{args} prints nothing");
        assert_scrubbed(args, &String::from_utf8(printed).unwrap());
    }
    assert_scrubbed("the log", &collector.log());
    assert!(!collector.log().contains("owned\n"), "{}", collector.log());
}

#[test]
fn texts_over_their_limits_are_refused_and_counted() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let mut agent = ScriptedAgent::new(collector.address(), env.token(), "wordy", 1);
    agent.beat_until_live(&ScriptedAgent::minimal_beat());
    let datagrams_of = |operator: &TestOperator| operator.collector().datagrams;
    let before = datagrams_of(&operator);
    let long = "x".repeat(129);
    let host = |out: &mut Vec<u8>| {
        put::write_map_len(out, 1).unwrap();
        put::write_str(out, "host").unwrap();
        put::write_str(out, &long).unwrap();
    };
    let label = |out: &mut Vec<u8>| {
        put::write_map_len(out, 1).unwrap();
        put::write_str(out, "labels").unwrap();
        put::write_map_len(out, 1).unwrap();
        put::write_str(out, &"k".repeat(33)).unwrap();
        put::write_str(out, "v").unwrap();
    };
    let twice = |out: &mut Vec<u8>| {
        put::write_map_len(out, 2).unwrap();
        for _ in 0..2 {
            put::write_str(out, "host").unwrap();
            put::write_str(out, "m3").unwrap();
        }
    };
    let datagrams =
        [agent.seal(beat_with(host)), agent.seal(beat_with(label)), agent.seal(beat_with(twice))];
    for datagram in &datagrams {
        agent.send(datagram);
    }
    // Longer than any valid datagram: refused by its length.
    agent.send(&[&datagrams[0][..], &[b'x'; 10_000]].concat());
    wait_until("all four are counted", || {
        let (now, refused) = (datagrams_of(&operator), before.bad_body + 3);
        (now.bad_body, now.bad_length) == (refused, before.bad_length + 1)
    });
    assert_eq!(datagrams_of(&operator).live, before.live);
    assert_eq!(operator.agent("wordy").unwrap().identity.shared.host, None);

    // The protocol crate truncates texts that are too long.
    let identity =
        IdentityView { host: Some(UntrustedText::new(&long)), ..IdentityView::default() };
    agent.beat(&Beat { identity: Some(Box::new(identity)), ..ScriptedAgent::minimal_beat() });
    wait_until("its host is known", || {
        operator.agent("wordy").unwrap().identity.shared.host.is_some()
    });
    assert_eq!(
        operator.agent("wordy").unwrap().identity.shared.host.as_deref().unwrap().len(),
        128
    );
}
