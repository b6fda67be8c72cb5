//! A network that loses, duplicates, delays, reorders and partitions.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use fastrand::Rng;
use heartline_fleet::MonoTime;
use heartline_protocol::Direction;

use super::plan::RunPlan;
use super::thief::THIEF;
use crate::random::RngExt as _;

/// A datagram in flight.
#[derive(Clone, Debug)]
pub(super) struct SimPacket {
    pub(super) bytes: Rc<[u8]>,
    /// The agent's address: source or destination.
    pub(super) peer: SocketAddr,
    pub(super) direction: Direction,
    /// Made or modified without a key.
    pub(super) forged: bool,
}

/// Source address of some replays; acks to it reach no agent.
pub(super) const ATTACKER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 6, 6, 6)), 6);

/// Returns the address of an agent's process.
pub(super) fn address(agent: usize, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, agent as u8)), port)
}

/// Returns the agent at an address.
pub(super) fn agent_of_address(address: SocketAddr) -> Option<usize> {
    match address.ip() {
        IpAddr::V4(ip) if address != ATTACKER && address != THIEF => {
            Some(usize::from(ip.octets()[3]))
        }
        _ => None,
    }
}

/// Ends of each agent's partitions, by direction.
#[derive(Debug)]
pub(super) struct SimNetwork {
    up_until: Vec<MonoTime>,
    down_until: Vec<MonoTime>,
    faults_ended: bool,
}

impl SimNetwork {
    pub(super) fn new(agents: usize) -> Self {
        let never = vec![MonoTime::NEVER_YET; agents];
        Self { up_until: never.clone(), down_until: never, faults_ended: false }
    }

    /// Drops what is sent in one direction until then.
    pub(super) fn partition(&mut self, agent: usize, direction: Direction, until: MonoTime) {
        match direction {
            Direction::Up => self.up_until[agent] = until,
            Direction::Down => self.down_until[agent] = until,
        }
    }

    /// Ends all faults: every datagram arrives once, and soon.
    pub(super) fn repair(&mut self) {
        let agents = self.up_until.len();
        *self = Self { faults_ended: true, ..Self::new(agents) };
    }

    /// Returns when a datagram that is sent now arrives: never, once or twice.
    pub(super) fn arrivals(
        &self,
        packet: &SimPacket,
        plan: &RunPlan,
        rng: &mut Rng,
        now: MonoTime,
    ) -> Vec<MonoTime> {
        if self.faults_ended {
            return vec![now.plus_millis(1)];
        }
        let cut_until = match (agent_of_address(packet.peer), packet.direction) {
            (Some(agent), Direction::Up) => self.up_until[agent],
            (Some(agent), Direction::Down) => self.down_until[agent],
            (None, _) => MonoTime::NEVER_YET,
        };
        if now < cut_until || rng.chance(plan.loss) {
            return Vec::new();
        }
        let copies = if rng.chance(plan.duplicates) { 2 } else { 1 };
        (0..copies)
            .map(|_| {
                let slow = rng.chance(plan.delayed);
                let most_ms = if slow { plan.delay_max_ms } else { 20 };
                MonoTime::from_nanos(
                    now.nanos() + 200_000 + rng.u64(0..=most_ms * 1_000_000) as i64,
                )
            })
            .collect()
    }
}
