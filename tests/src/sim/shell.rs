//! The collector around the core, as the real one is: keys, challenges, datagrams.

use std::collections::BTreeMap;

use heartline_fleet::{
    Fleet, FleetConfig, HealthRules, HealthThresholds, Input, Message, MonoTime, OutgoingAck,
    OutgoingPush, Output, ReturnAddress,
};
use heartline_protocol::challenge::{ChallengeKey, step_ms};
use heartline_protocol::{
    AgentKey, Body, Datagram, DatagramError, DatagramWriter, Direction, Header, KeyEpoch,
    MasterKey, MessageType, Push, ScopeKey, VerifiedDatagram,
};

use super::network::Packet;
use super::plan::Plan;

/// The master key of every run.
pub(super) fn master() -> MasterKey {
    MasterKey::new([7; 32])
}

/// The epoch of every key.
pub(super) const EPOCH: KeyEpoch = KeyEpoch(1);

/// One start of the collector.
pub(super) struct Shell {
    /// The core.
    pub(super) fleet: Fleet,
    /// Which start it is, from 1.
    pub(super) boot: u64,
    /// When it last had anything to do.
    pub(super) looked: MonoTime,
    began: MonoTime,
    boot_key: ChallengeKey,
    scope_key: ScopeKey,
    keys: BTreeMap<String, Keys>,
}

struct Keys {
    up: AgentKey,
    down: AgentKey,
}

impl Shell {
    pub(super) fn new(plan: &Plan, boot: u64, secret: [u8; 32], now: MonoTime) -> Self {
        let limits =
            HealthThresholds { stall_after: plan.stall_after, ..HealthThresholds::default() };
        let rules = HealthRules { fleet: limits, agents: Vec::new() };
        Self {
            fleet: Fleet::new(FleetConfig { rules, ..FleetConfig::default() }, now),
            boot,
            looked: now,
            began: now,
            boot_key: ChallengeKey::new(&secret),
            scope_key: master().scope_key(EPOCH, ""),
            keys: BTreeMap::new(),
        }
    }

    /// Gives the core one input and collects all that it wants done.
    pub(super) fn feed(&mut self, input: Input<'_>, now: MonoTime) -> Vec<Output> {
        self.looked = now;
        self.fleet.handle(input, now);
        std::iter::from_fn(|| self.fleet.poll_output()).collect()
    }

    /// Verifies and decodes a datagram.
    pub(super) fn accept<'a>(
        &mut self,
        packet: &'a Packet,
        now: MonoTime,
    ) -> Result<Message<'a>, DatagramError> {
        let datagram = Datagram::parse(&packet.bytes)?.check_direction(Direction::Up)?;
        let agent = datagram.claimed().agent;
        let verified: VerifiedDatagram<'a> = datagram.verify(&self.keys_of(agent).up)?;
        let body = verified.decode()?;
        let header = verified.header;
        let index = self.fleet.find(agent);
        let known_ms = index.and_then(|index| self.fleet.view(index)).map(|it| it.interval_ms());
        let interval_ms = match &body {
            Body::Beat(beat) => beat.interval_ms,
            _ => known_ms.unwrap_or(heartline_protocol::limits::INTERVAL_DEFAULT_MS),
        };
        Ok(Message {
            index,
            agent,
            session: header.session,
            sequence: header.sequence,
            fresh: self.is_fresh(&header, interval_ms, now),
            from: ReturnAddress { peer: packet.peer, via: 0 },
            len: packet.bytes.len() as u16,
            body,
        })
    }

    /// The datagram of an answer.
    pub(super) fn answer(&mut self, answer: &OutgoingAck, now: MonoTime) -> Option<Vec<u8>> {
        let agent = self.fleet.view(answer.index)?.name().to_owned();
        let step = self.step(answer.interval_ms, now);
        let step_ms = step_ms(answer.interval_ms);
        let challenge = self.boot_key.challenge(&agent, answer.session, step, step_ms);
        let header = Header {
            challenge,
            ..header(MessageType::Ack, &agent, answer.session, answer.sequence)
        };
        Some(self.seal(&header, |out| answer.ack.write(out)))
    }

    /// The datagram of a push.
    pub(super) fn push(&mut self, order: &OutgoingPush) -> Option<Vec<u8>> {
        let agent = self.fleet.view(order.index)?.name().to_owned();
        let push = Push { generation: order.generation, killed: order.killed };
        Some(self.seal(&header(MessageType::Push, &agent, order.session, 1), |out| push.write(out)))
    }

    fn seal(&mut self, header: &Header<'_>, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut sealer = DatagramWriter::new(&mut bytes, header);
        body(sealer.body());
        sealer.seal(&self.keys_of(header.agent).down).expect("no answer is long");
        bytes
    }

    fn is_fresh(&self, header: &Header<'_>, interval_ms: u32, now: MonoTime) -> bool {
        let step = self.step(interval_ms, now);
        [Some(step), step.checked_sub(1)].into_iter().flatten().any(|step| {
            let step_ms = step_ms(interval_ms);
            header.challenge == self.boot_key.challenge(header.agent, header.session, step, step_ms)
        })
    }

    fn step(&self, interval_ms: u32, now: MonoTime) -> u64 {
        now.millis_since(self.began) / step_ms(interval_ms)
    }

    fn keys_of(&mut self, agent: &str) -> &Keys {
        if !self.keys.contains_key(agent) {
            let keys = Keys {
                up: self.scope_key.agent_key(Direction::Up, agent),
                down: self.scope_key.agent_key(Direction::Down, agent),
            };
            self.keys.insert(agent.to_owned(), keys);
        }
        &self.keys[agent]
    }
}

fn header(kind: MessageType, agent: &str, session: u64, sequence: u64) -> Header<'_> {
    Header { kind, epoch: EPOCH, scope_len: 0, agent, session, sequence, challenge: [0; 16] }
}
