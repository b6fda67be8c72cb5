//! A collector for one agent: verifies, challenges, counts, acknowledges, commands.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use heartline_protocol::challenge::ChallengeKey;
use heartline_protocol::limits::DATAGRAM_MAX;
use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{
    Ack, Body, BudgetLeft, BudgetUnit, ControlId, Datagram, DatagramWriter, DesiredState,
    Direction, Header, KeyEpoch, MasterKey, MessageType, Phase, Push, SegmentView, Token,
    TokenScope,
};
use heartline_vocabulary::WorkTotals;

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Waits for a condition.
#[allow(clippy::disallowed_methods, reason = "a test waits in real time")]
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < DEADLINE, "never: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Contents of the live messages received, and their sums.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReceivedTotals {
    pub(crate) beats: u64,
    pub(crate) host: Option<String>,
    pub(crate) phase: Option<Phase>,
    pub(crate) step: Option<String>,
    pub(crate) queue: Option<u32>,
    pub(crate) in_flight: u32,
    pub(crate) generation: u64,
    pub(crate) blocked_by: Option<ControlId>,
    pub(crate) stall_after_ms: Option<u32>,
    pub(crate) goodbye: bool,
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    pub(crate) cost_nano_usd: u64,
    pub(crate) tokens_in: u64,
    pub(crate) tokens_out: u64,
    pub(crate) latencies: u64,
    session: u64,
    segment: u64,
    peer: Option<(SocketAddr, String)>,
    scope_len: u8,
    desired: DesiredState,
    /// What is left of a budget beyond what was received.
    budget: Option<(BudgetUnit, u64)>,
}

pub(crate) struct TestCollector {
    address: SocketAddr,
    received: Arc<Mutex<ReceivedTotals>>,
    running: Option<(UdpSocket, JoinHandle<()>)>,
    runs: u8,
}

impl TestCollector {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut collector = Self {
            address: socket.local_addr().unwrap(),
            received: Arc::default(),
            running: None,
            runs: 0,
        };
        let control = ControlId::new(collector.address.port().into());
        collector.received.lock().unwrap().desired.control = control;
        collector.run(socket);
        collector
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn token(&self, scope: &str) -> String {
        let key = master().scope_key(KeyEpoch(1), scope);
        Token { epoch: KeyEpoch(1), scope: TokenScope::new(scope).unwrap(), key }.encode()
    }

    pub(crate) fn received(&self) -> ReceivedTotals {
        self.received.lock().unwrap().clone()
    }

    /// Waits for `count` more beats.
    pub(crate) fn beats(&self, count: u64) {
        let before = self.received().beats;
        until("more beats", || self.received().beats >= before + count);
    }

    /// Sets the desired state and pushes it.
    pub(crate) fn command(&self, generation: u64, killed: bool) {
        let mut received = self.received.lock().unwrap();
        received.desired = DesiredState { generation, killed, ..received.desired };
        let (peer, agent) = received.peer.clone().expect("it was live before");
        let header = Header {
            kind: MessageType::Push,
            epoch: KeyEpoch(1),
            scope_len: received.scope_len,
            agent: &agent,
            session: received.session,
            sequence: 1,
            challenge: [0; 16],
        };
        let push = Push { desired: received.desired, lifts: received.lifts() };
        let push = seal(&header, |out| push.write(out));
        self.running.as_ref().unwrap().0.send_to(&push, peer).unwrap();
    }

    /// Sets what the next acks say is left.
    #[allow(dead_code, reason = "the test of the log has no budgets")]
    pub(crate) fn set_left(&self, budget: Option<(BudgetUnit, u64)>) {
        self.received.lock().unwrap().budget = budget;
    }

    /// Stops receiving: what is sent from now on is refused.
    pub(crate) fn stop(&mut self) {
        self.end();
    }

    /// Restarts on the same port, with a new challenge key; durable segments stay durable.
    pub(crate) fn restart(&mut self) {
        self.end();
        self.run(UdpSocket::bind(self.address).unwrap());
    }

    fn run(&mut self, socket: UdpSocket) {
        self.runs += 1;
        let (challenge_key, received) =
            (ChallengeKey::new(&[self.runs; 32]), Arc::clone(&self.received));
        let own = socket.try_clone().unwrap();
        let address = self.address;
        let thread = thread::spawn(move || {
            let mut buffer = [0; DATAGRAM_MAX + 1];
            loop {
                let (len, peer) = own.recv_from(&mut buffer).unwrap();
                if peer == address {
                    return;
                }
                let ack =
                    answer(&buffer[..len], peer, &challenge_key, &mut received.lock().unwrap());
                if let Some(ack) = ack {
                    assert!(ack.len() <= len, "an answer longer than its request");
                    own.send_to(&ack, peer).unwrap();
                }
            }
        });
        self.running = Some((socket, thread));
    }

    fn end(&mut self) {
        if let Some((socket, thread)) = self.running.take() {
            socket.send_to(&[0], self.address).unwrap();
            thread.join().unwrap();
        }
    }
}

impl Drop for TestCollector {
    fn drop(&mut self) {
        self.end();
    }
}

fn master() -> MasterKey {
    MasterKey::new([7; 32])
}

fn answer(
    bytes: &[u8],
    peer: SocketAddr,
    challenge_key: &ChallengeKey,
    received: &mut ReceivedTotals,
) -> Option<Vec<u8>> {
    let datagram = Datagram::parse(bytes).ok()?;
    let claimed = *datagram.claimed();
    let scope = master().scope_key(KeyEpoch(1), claimed.scope());
    let message = datagram.verify(&scope.agent_key(Direction::Up, claimed.agent)).ok()?;
    let challenge = challenge_key.challenge(claimed.agent, claimed.session, 0, 30_000);
    let is_live = claimed.challenge == challenge;
    if is_live {
        if received.session != claimed.session {
            (received.session, received.segment) = (claimed.session, 0);
        }
        received.peer = Some((peer, claimed.agent.to_owned()));
        received.scope_len = claimed.scope_len;
        received.record(&message.decode().unwrap());
    }
    let ack = Ack {
        durable_segment: received.segment,
        desired: received.desired,
        unconfirmed: !is_live,
        wants_identity: is_live && received.host.is_none(),
        lifts: received.lifts(),
        budget: received.budget.map(|(unit, amount)| BudgetLeft {
            unit,
            amount,
            counts_pending: false,
        }),
        ..Ack::default()
    };
    let header = Header { kind: MessageType::Ack, challenge, ..claimed };
    Some(seal(&header, |out| ack.write(out)))
}

fn seal(header: &Header<'_>, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let scope = master().scope_key(KeyEpoch(1), header.scope());
    let mut out = Vec::new();
    let mut writer = DatagramWriter::new(&mut out, header);
    body(writer.body());
    writer.seal(&scope.agent_key(Direction::Down, header.agent)).unwrap();
    out
}

impl ReceivedTotals {
    /// Returns the control id whose kill a resume lifts.
    fn lifts(&self) -> Option<ControlId> {
        self.blocked_by.filter(|_| !self.desired.killed)
    }

    fn record(&mut self, body: &Body<'_>) {
        match body {
            Body::Beat(beat) => {
                self.beats += 1;
                self.phase = Some(beat.phase);
                self.step = beat.step.map(UntrustedText::scrubbed);
                self.queue = beat.queue;
                self.in_flight = beat.in_flight;
                self.generation = beat.applied.generation;
                self.blocked_by = beat.blocked_by;
                self.stall_after_ms = beat.stall_after_ms;
                if let Some(identity) = &beat.identity {
                    self.host = identity.host.map(UntrustedText::scrubbed);
                }
                self.add(beat.segment);
            }
            Body::Goodbye(goodbye) => {
                self.goodbye = true;
                self.add(goodbye.segment);
            }
            other => panic!("an emitter sent {other:?}"),
        }
    }

    fn add(&mut self, segment: Option<SegmentView<'_>>) {
        let Some(segment) = segment.filter(|segment| segment.number > self.segment) else { return };
        self.segment = segment.number;
        if let Some((unit, left)) = &mut self.budget {
            let work = WorkTotals {
                ok: segment.ok,
                failed: segment.failed,
                cost_nano_usd: segment.cost_nano_usd,
                tokens_in: segment.tokens_in,
                tokens_out: segment.tokens_out,
            };
            *left = left.saturating_sub(unit.of(&work));
        }
        self.ok += segment.ok;
        self.failed += segment.failed;
        self.cost_nano_usd += segment.cost_nano_usd;
        self.tokens_in += segment.tokens_in;
        self.tokens_out += segment.tokens_out;
        self.latencies += segment.latency.pairs().map(|(_, count)| count).sum::<u64>();
    }
}
