//! A thief who has the key of one agent, and sends in its name as fast as it can.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use fastrand::Rng;
use heartline_fleet::MonoTime;
use heartline_protocol::limits::CHALLENGE_LEN;
use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{
    AgentKey, Beat, Datagram, DatagramWriter, Direction, Header, IdentityView, MessageType,
};

use heartline_vocabulary::ProcessUsage;

use super::collector_instance::{EPOCH, master};
use super::network::SimPacket;
use super::plan::RunPlan;
use super::world::{SimEvent, SimWorld};
use crate::random::RngExt as _;

/// The agent whose key was stolen.
pub(super) const STOLEN: usize = 0;
const NAME: &str = "agent-0";
const SILENT: ProcessUsage =
    ProcessUsage { cpu_permille: 0, memory_bytes: 0, emitter_silent_ms: Some(1) };
/// Where the thief sends from.
pub(super) const THIEF: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 7, 7, 7)), 7);

pub(super) struct SimThief {
    up: AgentKey,
    down: AgentKey,
    session: u64,
    sequence: u64,
    challenge: [u8; CHALLENGE_LEN],
}

impl Default for SimThief {
    fn default() -> Self {
        let scope_key = master().scope_key(EPOCH, "");
        Self {
            up: scope_key.agent_key(Direction::Up, NAME),
            down: scope_key.agent_key(Direction::Down, NAME),
            session: 0,
            sequence: 0,
            challenge: [0; CHALLENGE_LEN],
        }
    }
}

impl SimThief {
    /// Begins a session.
    fn start(&mut self, rng: &mut Rng) {
        (self.session, self.sequence) = (rng.u64(1..), 0);
        self.challenge = [0; CHALLENGE_LEN];
    }

    /// Adopts the challenge of an ack.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        let Ok(datagram) = Datagram::parse(bytes) else { return };
        let Ok(verified) = datagram.verify(&self.down) else { return };
        let header = verified.header;
        if header.session == self.session && header.kind == MessageType::Ack {
            self.challenge = header.challenge;
        }
    }

    /// Returns the next beat: its interval, progress and identity are others each time.
    fn beat(&mut self, plan: &RunPlan, rng: &mut Rng) -> Rc<[u8]> {
        self.sequence += 1;
        let host = rng.u64(..).to_string();
        let identity =
            IdentityView { host: Some(UntrustedText::new(&host)), ..IdentityView::default() };
        let stalled_ms = plan.rules.stall_after.as_millis() as u64 + 1;
        let beat = Beat {
            interval_ms: plan.interval_ms * rng.pick(&[1, 2]),
            uptime_ms: 1,
            in_flight: 1,
            progress_age_ms: Some(rng.pick(&[0, stalled_ms])),
            process: rng.pick(&[None, Some(ProcessUsage::default()), Some(SILENT)]),
            stall_after_ms: rng.pick(&[None, Some(1)]),
            identity: rng.chance(500).then(|| Box::new(identity)),
            ..Beat::default()
        };
        let header = Header {
            kind: MessageType::Beat,
            epoch: EPOCH,
            scope_len: 0,
            agent: NAME,
            session: self.session,
            sequence: self.sequence,
            challenge: self.challenge,
        };
        let mut bytes = Vec::new();
        let mut writer = DatagramWriter::new(&mut bytes, &header);
        beat.write(writer.body());
        writer.seal(&self.up).expect("a beat is short");
        Rc::from(bytes)
    }
}

impl SimWorld {
    /// Begins a session of the thief, with so many beats.
    pub(super) fn start_thief(&mut self, beats: u32) {
        self.thief.start(&mut self.rng);
        self.agents[STOLEN].sessions.push(self.thief.session);
        self.send_of_thief(beats);
    }

    /// Sends a beat of the thief, and `more` of them later.
    pub(super) fn send_of_thief(&mut self, more: u32) {
        if self.faults_ended {
            return;
        }
        let bytes = self.thief.beat(&self.plan, &mut self.rng);
        let packet = SimPacket { bytes, peer: THIEF, direction: Direction::Up, forged: false };
        let at = MonoTime::from_nanos(self.now.nanos() + 200_000);
        self.at(at, SimEvent::PacketArrives(packet));
        if more > 0 {
            let wait_ms = self.rng.u64(1..=4);
            self.after_ms(wait_ms, SimEvent::ThiefSends(more - 1));
        }
    }

    /// Sends one of several recordings, and goes on with the next until the run ends.
    pub(super) fn rotate_recordings(&mut self, mut recordings: Vec<SimPacket>) {
        let Some(packet) = recordings.first().cloned() else { return };
        recordings.rotate_left(1);
        self.at(self.now, SimEvent::PacketArrives(packet));
        let wait_ms = self.rng.u64(5..=40);
        self.after_ms(wait_ms, SimEvent::RecordingsRotate(recordings));
    }
}
