//! Datagrams without a valid tag are counted, not answered, and change nothing.

use fastrand::Rng;
use heartline_operator::message::{EventKind, TokenReply, TokenRequest};
use heartline_protocol::{ScopeKey, Token};
use heartline_tests::harness::{
    CollectorProcess, RawUdpClient, ScriptedAgent, TestEnvironment, TestOperator, wait_until,
};
use heartline_vocabulary::{DATAGRAM_COUNTERS, DatagramCounters, State};

const LIVE_AGENT: &str = "shop.1";

/// Offsets in the header.
const TYPE: usize = 4;
const EPOCH: usize = 5;
const SCOPE_LEN: usize = 8;
const ID: usize = 10;
const SESSION: usize = ID + LIVE_AGENT.len();
const SEQUENCE: usize = SESSION + 8;
/// Length of the shortest message.
const SHORTEST: usize = 75;

/// A collector with one live agent.
struct ForgeryTest {
    env: TestEnvironment,
    collector: CollectorProcess,
    operator: TestOperator,
}

impl ForgeryTest {
    /// Starts both. The agent sends nothing by itself, so that counters are exact.
    fn new() -> (Self, ScriptedAgent) {
        let env = TestEnvironment::new();
        let collector = env.start_collector();
        let mut living = ScriptedAgent::new(collector.address(), env.token(), LIVE_AGENT, 1);
        living.beat_until_live(&ScriptedAgent::minimal_beat());
        let operator = env.operator();
        (Self { env, collector, operator }, living)
    }

    fn make_token(&self, scope: &str) -> Token {
        match self.operator.token(TokenRequest::Make { scope: scope.to_owned() }) {
            TokenReply::Made { token } => Token::decode(&token).expect("a token"),
            other => panic!("{other:?}"),
        }
    }

    /// Returns a beat of `agent`, signed with this token.
    fn sealed_beat(&self, token: Token, agent: &str) -> Vec<u8> {
        let mut agent = ScriptedAgent::new(self.collector.address(), token, agent, 2);
        agent.seal(|out| ScriptedAgent::minimal_beat().write(out))
    }

    /// Checks that the datagrams are not answered, and counted by `count` alone.
    #[track_caller]
    fn assert_refused(
        &self,
        what: &str,
        datagrams: &[Vec<u8>],
        count: fn(&mut DatagramCounters) -> &mut u64,
    ) {
        let before = (self.operator.collector().datagrams, self.operator.agent(LIVE_AGENT));
        let mut expected = before.0;
        *count(&mut expected) += datagrams.len() as u64;
        let client = RawUdpClient::new(self.collector.address());
        for datagram in datagrams {
            client.send(datagram);
        }
        wait_until(&format!("{what}: counted"), || {
            let mut seen = self.operator.collector().datagrams;
            *count(&mut seen) >= *count(&mut expected)
        });
        assert_eq!(self.operator.collector().datagrams, expected, "{what}");
        assert_eq!(client.receive(), None, "{what}: answered");
        assert_eq!(self.operator.agent(LIVE_AGENT), before.1, "{what}: changed something");
        assert_eq!(self.operator.fleet().len(), 1, "{what}: made an agent");
    }
}

fn with_byte(datagram: &[u8], at: usize, to: u8) -> Vec<u8> {
    let mut changed = datagram.to_vec();
    changed[at] = to;
    changed
}

#[test]
fn forged_datagrams_are_counted_and_not_answered() {
    let (test, mut living) = ForgeryTest::new();
    let good = living.seal(|out| ScriptedAgent::minimal_beat().write(out));
    let bits = |at: usize| with_byte(&good, at, good[at] ^ 1);
    let last = good.len() - 1;
    test.assert_refused("a flipped bit", &[bits(last), bits(last - 40)], |it| &mut it.bad_tag);
    test.assert_refused("another session", &[bits(SESSION)], |it| &mut it.bad_tag);
    test.assert_refused("an unknown epoch", &[with_byte(&good, EPOCH, 9)], |it| {
        &mut it.unknown_epoch
    });

    let forged = Token { key: ScopeKey::new([7; 32]), ..test.env.token() };
    test.assert_refused("a made-up key", &[test.sealed_beat(forged, LIVE_AGENT)], |it| {
        &mut it.bad_tag
    });
    let mail = test.make_token("mail.");
    let outside = test.sealed_beat(mail.clone(), LIVE_AGENT);
    test.assert_refused("outside of its scope", &[outside], |it| &mut it.bad_tag);

    let cut = (0..good.len()).map(|len| good[..len].to_vec()).collect::<Vec<_>>();
    test.assert_refused("cut short", &cut[1..SHORTEST], |it| &mut it.bad_length);
    test.assert_refused("cut in its body", &cut[SHORTEST..], |it| &mut it.bad_body_length);
    let mut long = good.clone();
    long.resize(1_201, 0);
    test.assert_refused("too long", &[long], |it| &mut it.bad_length);
    let padded = [&good[..], &[0]].concat();
    test.assert_refused("padded", &[padded], |it| &mut it.bad_body_length);
    test.assert_refused("of another type", &[with_byte(&good, TYPE, 0x81)], |it| &mut it.bad_kind);
    let http = b"GET / HTTP/1.1\r\n\r\n".repeat(8);
    test.assert_refused("not ours at all", &[http], |it| &mut it.bad_magic);
    test.assert_refused("a flag as its id", &[with_byte(&good, ID, b'-')], |it| &mut it.bad_agent);
    test.assert_refused("another agent's scope", &[with_byte(&good, SCOPE_LEN, 1)], |it| {
        &mut it.bad_scope
    });
    let mut unnumbered = good.clone();
    unnumbered[SEQUENCE..SEQUENCE + 8].fill(0);
    test.assert_refused("without a number", &[unnumbered], |it| &mut it.bad_sequence);
    let bad_body = living.seal(|out| out.extend_from_slice(&[0x92, 0xc0, 0xff]));
    test.assert_refused("signed nonsense", &[bad_body], |it| &mut it.bad_body);

    let revoked = test.sealed_beat(mail, "mail.1");
    let (scope, reason) = ("mail.".to_owned(), "stolen".to_owned());
    test.operator.token(TokenRequest::Revoke { scope, reason });
    test.assert_refused("revoked", &[revoked], |it| &mut it.revoked);
    // None of this used up the sequence of the valid datagram.
    living.send(&good);
    wait_until("the good one still counts", || {
        test.operator.agent(LIVE_AGENT).is_some_and(|entry| entry.vitals.beats >= 2)
    });
}

#[test]
fn a_stolen_token_is_valid_in_its_scope_until_it_is_revoked() {
    let (test, _living) = ForgeryTest::new();
    let mut intruder =
        ScriptedAgent::new(test.collector.address(), test.make_token("mail."), "mail.1", 3);
    intruder.beat_until_live(&ScriptedAgent::minimal_beat());
    assert_eq!(test.operator.agent("mail.1").unwrap().vitals.state, State::Healthy);
    assert_eq!(test.operator.detail("mail.1").key.unwrap().scope, "mail.");
    let (scope, reason) = ("mail.".to_owned(), "stolen".to_owned());
    test.operator.token(TokenRequest::Revoke { scope, reason });
    let before = test.operator.collector().datagrams;
    for _ in 0..3 {
        intruder.beat(&ScriptedAgent::minimal_beat());
    }
    wait_until("it is refused from now on", || {
        test.operator.collector().datagrams.revoked == before.revoked + 3
    });
    assert_eq!(test.operator.collector().datagrams.live, before.live);
    assert_eq!(test.operator.agent(LIVE_AGENT).unwrap().vitals.starts, 1);
}

#[test]
fn a_session_that_was_never_confirmed_changes_nothing() {
    let (test, living) = ForgeryTest::new();
    let before = test.operator.agent(LIVE_AGENT);
    let mut other = ScriptedAgent::new(test.collector.address(), test.env.token(), LIVE_AGENT, 4);
    for _ in 0..5 {
        // With the right key, but without ever echoing the challenge that it is sent.
        other.beat(&ScriptedAgent::minimal_beat());
    }
    wait_until("they are handled", || test.operator.collector().datagrams.unconfirmed >= 6);
    assert_eq!(test.operator.agent(LIVE_AGENT), before);
    assert_ne!(living.session, other.session);
}

#[test]
fn a_flood_of_garbage_makes_no_agent_late() {
    const FLOOD: u64 = 200_000;
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let operator = env.operator();
    let agents: Vec<_> = (0..5)
        .map(|n| env.emitter(&format!("calm-{n}"), collector.address(), 500).start())
        .collect();
    wait_until("all are healthy", || operator.collector().summary.healthy == 5);

    let (client, mut rng) = (RawUdpClient::new(collector.address()), Rng::with_seed(5));
    let mut garbage = [0; 1_300];
    for n in 0..FLOOD {
        let len = usize::try_from(rng.u64(1..=1_300)).unwrap();
        rng.fill(&mut garbage[..64.min(len)]);
        if n % 3 == 0 && len > 16 {
            garbage[..5].copy_from_slice(b"HLN1\x01");
        }
        client.send(&garbage[..len]);
    }
    wait_until("every datagram is in a count", || {
        let counters = operator.collector().datagrams;
        let losses = DATAGRAM_COUNTERS.iter().filter(|counter| counter.loss.is_some());
        losses.map(|counter| counter.read(&counters)).sum::<u64>() >= FLOOD
    });
    assert_eq!(client.receive(), None, "garbage was answered");
    assert!(!collector.process().has_ended(), "the collector died:\n{}", collector.log());
    let flood_ended_ms = operator.collector().at_ms;
    wait_until("every agent was received after it", || {
        let is_after = |at: Option<i64>| at.is_some_and(|at| at > flood_ended_ms);
        operator.fleet().iter().all(|it| is_after(it.vitals.last_beat_ms))
    });
    assert_eq!(operator.collector().summary.healthy, 5);
    let is_bad = |kind: &EventKind| {
        let states = [State::Degraded, State::Unreachable];
        matches!(kind, EventKind::Transition { to, .. } if states.contains(to))
    };
    let events = operator.events_until_kill_of("calm-0", 1);
    assert!(!events.iter().any(|it| is_bad(&it.kind)), "{events:#?}");
    let is_shown = events.iter().any(|it| matches!(it.kind, EventKind::Gap { .. }));
    // Drops become a gap two seconds after their end.
    if operator.collector().datagrams.kernel_dropped > 0 && !is_shown {
        wait_until("the drops are shown as a gap", || {
            operator.events().iter().any(|it| matches!(it.kind, EventKind::Gap { .. }))
        });
    }
    drop(agents);
}
