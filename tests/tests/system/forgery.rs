//! What nobody vouches for meets silence, is counted, and changes nothing.

use fastrand::Rng;
use heartline_operator::message::{EventKind, TokenReply, TokenRequest};
use heartline_protocol::{ScopeKey, Token};
use heartline_tests::world::{Collector, Operator, Puppet, Stranger, World, wait_until};
use heartline_vocabulary::DatagramCounters;
use heartline_vocabulary::State;

const LIVING: &str = "shop.1";

/// Bytes of the header, by what they mean.
const TYPE: usize = 4;
const EPOCH: usize = 5;
const SESSION: usize = 10 + LIVING.len();

struct Scene {
    world: World,
    collector: Collector,
    operator: Operator,
}

impl Scene {
    /// A collector with one living agent, which beats rarely enough not to mix with what is counted.
    fn new() -> (Self, Puppet) {
        let world = World::new();
        let collector = world.start_collector();
        let mut living = Puppet::new(collector.address(), world.token(), LIVING, 1);
        living.go_live(&Puppet::plain_beat());
        let operator = world.operator();
        (Self { world, collector, operator }, living)
    }

    fn made(&self, scope: &str) -> Token {
        match self.operator.token(TokenRequest::Make { scope: scope.to_owned() }) {
            TokenReply::Made { token } => Token::decode(&token).expect("a token"),
            other => panic!("{other:?}"),
        }
    }

    /// A beat of `agent`, signed with this token.
    fn beat(&self, token: Token, agent: &str) -> Vec<u8> {
        let mut puppet = Puppet::new(self.collector.address(), token, agent, 2);
        puppet.seal(|out| Puppet::plain_beat().write(out))
    }

    /// Sends these; all must be met with silence and counted by `count`, and by nothing else.
    #[track_caller]
    fn refuses(
        &self,
        what: &str,
        datagrams: &[Vec<u8>],
        count: fn(&mut DatagramCounters) -> &mut u64,
    ) {
        let before = (self.operator.collector().datagrams, self.operator.agent(LIVING));
        let mut expected = before.0;
        *count(&mut expected) += datagrams.len() as u64;
        let stranger = Stranger::new(self.collector.address());
        for datagram in datagrams {
            stranger.send(datagram);
        }
        wait_until(&format!("{what}: counted"), || {
            let mut seen = self.operator.collector().datagrams;
            *count(&mut seen) >= *count(&mut expected)
        });
        assert_eq!(self.operator.collector().datagrams, expected, "{what}");
        assert_eq!(stranger.hear(), None, "{what}: answered");
        assert_eq!(self.operator.agent(LIVING), before.1, "{what}: changed something");
        assert_eq!(self.operator.fleet().len(), 1, "{what}: made an agent");
    }
}

fn changed(datagram: &[u8], at: usize, to: u8) -> Vec<u8> {
    let mut changed = datagram.to_vec();
    changed[at] = to;
    changed
}

#[test]
fn forged_datagrams_are_counted_and_not_answered() {
    let (scene, mut living) = Scene::new();
    let good = living.seal(|out| Puppet::plain_beat().write(out));
    let bits = |at: usize| changed(&good, at, good[at] ^ 1);
    let last = good.len() - 1;
    scene.refuses("a flipped bit", &[bits(last), bits(last - 40)], |it| &mut it.bad_tag);
    scene.refuses("another session", &[bits(SESSION)], |it| &mut it.bad_tag);
    scene.refuses("an unknown epoch", &[changed(&good, EPOCH, 9)], |it| &mut it.bad_tag);

    let stolen = Token { key: ScopeKey::new([7; 32]), ..scene.world.token() };
    scene.refuses("a made-up key", &[scene.beat(stolen, LIVING)], |it| &mut it.bad_tag);
    let mail = scene.made("mail.");
    let outside = scene.beat(mail.clone(), LIVING);
    scene.refuses("outside of its scope", &[outside], |it| &mut it.bad_tag);

    let cut = (0..good.len()).map(|len| good[..len].to_vec()).collect::<Vec<_>>();
    scene.refuses("cut short", &cut[1..], |it| &mut it.malformed);
    let mut long = good.clone();
    long.resize(1_201, 0);
    scene.refuses("too long", &[long, [&good[..], &[0]].concat()], |it| &mut it.malformed);
    scene.refuses("of another type", &[changed(&good, TYPE, 0x81)], |it| &mut it.malformed);
    scene.refuses("not ours at all", &[b"GET / HTTP/1.1\r\n\r\n".to_vec()], |it| &mut it.malformed);
    let bad_body = living.seal(|out| out.extend_from_slice(&[0x92, 0xc0, 0xff]));
    scene.refuses("signed nonsense", &[bad_body], |it| &mut it.malformed);

    let revoked = scene.beat(mail, "mail.1");
    let (scope, reason) = ("mail.".to_owned(), "stolen".to_owned());
    scene.operator.token(TokenRequest::Revoke { scope, reason });
    scene.refuses("revoked", &[revoked], |it| &mut it.revoked);
    // What was never sent as it is was not used up by all of this.
    living.send(&good);
    wait_until("the good one still counts", || {
        scene.operator.agent(LIVING).is_some_and(|entry| entry.vitals.beats >= 2)
    });
}

#[test]
fn a_thief_of_one_token_is_heard_as_its_scope_alone() {
    let (scene, _living) = Scene::new();
    let mut thief = Puppet::new(scene.collector.address(), scene.made("mail."), "mail.1", 3);
    thief.go_live(&Puppet::plain_beat());
    assert_eq!(scene.operator.agent("mail.1").unwrap().vitals.state, State::Healthy);
    assert_eq!(scene.operator.detail("mail.1").scope, "mail.");
    let (scope, reason) = ("mail.".to_owned(), "stolen".to_owned());
    scene.operator.token(TokenRequest::Revoke { scope, reason });
    let heard = scene.operator.collector().datagrams;
    for _ in 0..3 {
        thief.beat(&Puppet::plain_beat());
    }
    wait_until("it is refused from now on", || {
        scene.operator.collector().datagrams.revoked == heard.revoked + 3
    });
    assert_eq!(scene.operator.collector().datagrams.live, heard.live);
    assert_eq!(scene.operator.agent(LIVING).unwrap().vitals.starts, 1);
}

#[test]
fn a_session_that_was_never_confirmed_changes_nothing() {
    let (scene, living) = Scene::new();
    let before = scene.operator.agent(LIVING);
    let mut other = Puppet::new(scene.collector.address(), scene.world.token(), LIVING, 4);
    for _ in 0..5 {
        // With the right key, but without ever echoing the challenge that it is sent.
        other.beat(&Puppet::plain_beat());
    }
    wait_until("they are looked at", || scene.operator.collector().datagrams.unconfirmed >= 6);
    assert_eq!(scene.operator.agent(LIVING), before);
    assert_ne!(living.session, other.session);
}

#[test]
fn a_flood_of_garbage_accuses_nobody() {
    const FLOOD: u64 = 200_000;
    let world = World::new();
    let mut collector = world.start_collector();
    let operator = world.operator();
    let agents: Vec<_> = (0..5)
        .map(|n| world.emitter(&format!("calm-{n}"), collector.address(), 500).start())
        .collect();
    wait_until("all are healthy", || operator.collector().summary.healthy == 5);

    let (stranger, mut rng) = (Stranger::new(collector.address()), Rng::with_seed(5));
    let mut garbage = [0; 1_300];
    for n in 0..FLOOD {
        let len = usize::try_from(rng.u64(1..=1_300)).unwrap();
        rng.fill(&mut garbage[..64.min(len)]);
        if n % 3 == 0 && len > 16 {
            garbage[..5].copy_from_slice(b"HLN1\x01");
        }
        stranger.send(&garbage[..len]);
    }
    wait_until("every datagram is in a count", || {
        let it = operator.collector().datagrams;
        it.malformed + it.bad_tag + it.kernel_dropped >= FLOOD
    });
    assert_eq!(stranger.hear(), None, "garbage was answered");
    assert!(!collector.process().has_ended(), "the collector died:\n{}", collector.log());
    let flood_ended_ms = operator.collector().at_ms;
    wait_until("everybody was heard after it", || {
        let is_heard = |at: Option<i64>| at.is_some_and(|at| at > flood_ended_ms);
        operator.fleet().iter().all(|it| is_heard(it.vitals.last_beat_ms))
    });
    assert_eq!(operator.collector().summary.healthy, 5);
    let accused = |kind: &EventKind| {
        let bad = [State::Degraded, State::Unreachable];
        matches!(kind, EventKind::Transition { to, .. } if bad.contains(to))
    };
    let events = operator.events_up_to_a_kill_of("calm-0", 1);
    assert!(!events.iter().any(|it| accused(&it.kind)), "{events:#?}");
    let is_shown = events.iter().any(|it| matches!(it.kind, EventKind::Gap { .. }));
    // Drops that come to an end become a gap two seconds later.
    if operator.collector().datagrams.kernel_dropped > 0 && !is_shown {
        wait_until("what was not heard is shown as a gap", || {
            operator.events().iter().any(|it| matches!(it.kind, EventKind::Gap { .. }))
        });
    }
    drop(agents);
}
