//! The collector around the core: keys, challenges, datagrams.

use std::collections::BTreeMap;

use heartline_fleet::{
    AgentMessage, AlertRules, Fleet, FleetConfig, Input, MonoTime, OutgoingAck, OutgoingPush,
    Output, ReturnAddress,
};
use heartline_protocol::challenge::{ChallengeKey, step_ms};
use heartline_protocol::{
    AgentKey, Body, ControlId, Datagram, DatagramError, DatagramWriter, Direction, Header,
    KeyEpoch, MasterKey, MessageType, Push, ScopeKey, VerifiedDatagram,
};

use heartline_vocabulary::IncidentId;

use super::network::SimPacket;
use super::plan::RunPlan;
use crate::alert_rules::tell_everything;

pub(super) fn master() -> MasterKey {
    MasterKey::new([7; 32])
}

pub(super) const EPOCH: KeyEpoch = KeyEpoch(1);

/// One start of the collector.
pub(super) struct CollectorInstance {
    pub(super) fleet: Fleet,
    /// Number of the start, from 1.
    pub(super) number: u64,
    /// When the core last had an input.
    pub(super) last_input: MonoTime,
    began: MonoTime,
    challenge_key: ChallengeKey,
    scope_key: ScopeKey,
    keys: BTreeMap<String, AgentKeyPair>,
}

struct AgentKeyPair {
    up: AgentKey,
    down: AgentKey,
}

impl CollectorInstance {
    pub(super) fn new(
        plan: &RunPlan,
        control: ControlId,
        number: u64,
        secret: [u8; 32],
        next_incident: IncidentId,
        now: MonoTime,
    ) -> Self {
        let alerts = AlertRules {
            groups: plan.policy.replicas.clone(),
            expected: plan.policy.expected.clone(),
            ..tell_everything()
        };
        let rules = plan.health_rules();
        let config =
            FleetConfig { rules, control, alerts, next_incident, ..FleetConfig::default() };
        Self {
            fleet: Fleet::new(config, now),
            number,
            last_input: now,
            began: now,
            challenge_key: ChallengeKey::new(&secret),
            scope_key: master().scope_key(EPOCH, ""),
            keys: BTreeMap::new(),
        }
    }

    /// Gives the core one input and returns its outputs.
    pub(super) fn handle(&mut self, input: Input<'_>, now: MonoTime) -> Vec<Output> {
        self.last_input = now;
        self.fleet.handle(input, now);
        std::iter::from_fn(|| self.fleet.poll_output()).collect()
    }

    pub(super) fn verify_and_decode<'a>(
        &mut self,
        packet: &'a SimPacket,
        now: MonoTime,
    ) -> Result<AgentMessage<'a>, DatagramError> {
        let datagram = Datagram::parse(&packet.bytes)?.check_direction(Direction::Up)?;
        let agent = datagram.claimed().agent;
        let verified: VerifiedDatagram<'a> = datagram.verify(&self.keys_of(agent).up)?;
        let body = verified.decode()?;
        let header = verified.header;
        let index = self.fleet.find(agent);
        let known_ms = index
            .and_then(|index| self.fleet.agent(index))
            .map(heartline_fleet::Agent::interval_ms);
        let interval_ms = match &body {
            Body::Beat(beat) => beat.interval_ms,
            _ => known_ms.unwrap_or(heartline_protocol::limits::INTERVAL_DEFAULT_MS),
        };
        Ok(AgentMessage {
            index,
            agent,
            scope: "",
            session: header.session,
            sequence: header.sequence,
            tag_prefix: verified.tag_prefix(),
            fresh: self.is_fresh(&header, interval_ms, now),
            from: ReturnAddress { peer: packet.peer, via: 0 },
            len: packet.bytes.len() as u16,
            body,
        })
    }

    /// Encodes an ack.
    pub(super) fn ack_datagram(&mut self, ack: &OutgoingAck, now: MonoTime) -> Option<Vec<u8>> {
        let agent = self.fleet.agent(ack.index)?.name().to_owned();
        let step = self.step(ack.interval_ms, now);
        let step_ms = step_ms(ack.interval_ms);
        let voided = self.fleet.challenges_voided(Some(ack.index), &agent);
        let key = &self.challenge_key;
        let challenge = key.challenge_after_voiding(voided, &agent, ack.session, step, step_ms);
        let header =
            Header { challenge, ..header(MessageType::Ack, &agent, ack.session, ack.sequence) };
        Some(self.seal(&header, |out| ack.ack.write(out)))
    }

    /// Encodes a push.
    pub(super) fn push_datagram(&mut self, push: &OutgoingPush) -> Option<Vec<u8>> {
        let agent = self.fleet.agent(push.index)?.name().to_owned();
        let body = Push { desired: push.desired, lifts: push.lifts };
        Some(self.seal(&header(MessageType::Push, &agent, push.session, 1), |out| body.write(out)))
    }

    fn seal(&mut self, header: &Header<'_>, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut sealer = DatagramWriter::new(&mut bytes, header);
        body(sealer.body());
        sealer.seal(&self.keys_of(header.agent).down).expect("acks and pushes are short");
        bytes
    }

    fn is_fresh(&self, header: &Header<'_>, interval_ms: u32, now: MonoTime) -> bool {
        let step = self.step(interval_ms, now);
        let voided = self.fleet.challenges_voided(self.fleet.find(header.agent), header.agent);
        [Some(step), step.checked_sub(1)].into_iter().flatten().any(|step| {
            let (step_ms, key) = (step_ms(interval_ms), &self.challenge_key);
            header.challenge
                == key.challenge_after_voiding(voided, header.agent, header.session, step, step_ms)
        })
    }

    fn step(&self, interval_ms: u32, now: MonoTime) -> u64 {
        now.millis_since(self.began) / step_ms(interval_ms)
    }

    fn keys_of(&mut self, agent: &str) -> &AgentKeyPair {
        if !self.keys.contains_key(agent) {
            let keys = AgentKeyPair {
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
