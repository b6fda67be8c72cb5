//! Hostile texts never reach a terminal or a log raw.

use heartline_operator::message::AgentEntry;

use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{Beat, IdentityView};
use heartline_tests::world::{Operator, Program, Puppet, World, wait_until};
use heartline_vocabulary::State;
use heartline_vocabulary::text::is_hostile;
use rmp::encode as put;

/// What a terminal would obey: clear the screen, set the title, ring, overwrite the line; and what
/// would turn a line around or hide in it.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31mERROR\u{202e}lanretxe\u{2066}\u{200b}\u{ad}\u{2028}\u{e0041}";

#[track_caller]
fn assert_clean(what: &str, text: &str) {
    let raw = text.chars().find(|&c| is_hostile(c) && c != '\n');
    assert_eq!(raw, None, "{what} has it raw: {text:?}");
}

/// A beat with a map as its identity, written by hand: the protocol crate would scrub it.
fn beat_with(identity: impl FnOnce(&mut Vec<u8>)) -> impl FnOnce(&mut Vec<u8>) {
    move |out| {
        put::write_array_len(out, 12).unwrap();
        for interval_uptime_phase_in_flight in [60_000, 1, 1, 0] {
            put::write_uint(out, interval_uptime_phase_in_flight).unwrap();
        }
        for _oldest_progress_queue in 0..3 {
            put::write_nil(out).unwrap();
        }
        put::write_str(out, HOSTILE).unwrap();
        for _generation_lost in 0..2 {
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
fn what_an_agent_says_drives_no_terminal_and_forges_no_line() {
    let world = World::new();
    let collector = world.start_collector();
    let operator = world.operator();
    let mut puppet = Puppet::new(collector.address(), world.token(), "nasty", 1);
    puppet.go_live(&Puppet::plain_beat());
    let hostile = puppet.seal(beat_with(hostile_identity));
    puppet.send(&hostile);
    let entry = || operator.agent("nasty").unwrap();
    wait_until("its identity is known", || entry().identity.shared.host.is_some());
    assert_eq!(entry().vitals.state, State::Healthy);
    let AgentEntry { identity, vitals, .. } = entry();
    assert_clean("the message to operators", identity.shared.host.as_deref().unwrap());
    assert_clean(
        "a label",
        &format!("{}={}", identity.shared.labels[0].0, identity.shared.labels[0].1),
    );
    assert_clean("the step", &vitals.step.unwrap());

    let kill = ["kill", "nasty", "--yes", "--reason", HOSTILE];
    let mut command = world.command(Program::Heartline.path());
    let killed = command.args(kill).output().unwrap();
    assert!(killed.status.success(), "{}", String::from_utf8_lossy(&killed.stderr));
    for words in [
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
        let output = world.heartline(words);
        let said = [output.stdout, output.stderr].concat();
        assert!(!said.is_empty(), "{words} says nothing");
        assert_clean(words, &String::from_utf8(said).unwrap());
    }
    assert_clean("the log", &collector.log());
    assert!(!collector.log().contains("owned\n"), "{}", collector.log());
}

#[test]
fn texts_over_their_limits_are_refused_and_counted() {
    let world = World::new();
    let collector = world.start_collector();
    let operator = world.operator();
    let mut puppet = Puppet::new(collector.address(), world.token(), "wordy", 1);
    puppet.go_live(&Puppet::plain_beat());
    let heard = |operator: &Operator| operator.collector().datagrams;
    let before = heard(&operator);
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
    let datagrams = [
        puppet.seal(beat_with(host)),
        puppet.seal(beat_with(label)),
        puppet.seal(beat_with(twice)),
    ];
    for datagram in &datagrams {
        puppet.send(datagram);
    }
    // 10 kB fit no datagram: the kernel hands over what is longer, and it is refused by its length.
    puppet.send(&[&datagrams[0][..], &[b'x'; 10_000]].concat());
    wait_until("all four are counted", || heard(&operator).malformed == before.malformed + 4);
    assert_eq!(heard(&operator).live, before.live);
    assert_eq!(operator.agent("wordy").unwrap().identity.shared.host, None);

    // The protocol crate cuts what is too long: such an agent is heard, with what fits.
    let identity =
        IdentityView { host: Some(UntrustedText::new(&long)), ..IdentityView::default() };
    puppet.beat(&Beat { identity: Some(Box::new(identity)), ..Puppet::plain_beat() });
    wait_until("its host is known", || {
        operator.agent("wordy").unwrap().identity.shared.host.is_some()
    });
    assert_eq!(
        operator.agent("wordy").unwrap().identity.shared.host.as_deref().unwrap().len(),
        128
    );
}
