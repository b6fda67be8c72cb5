//! A network that loses, doubles, delays, reorders and parts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use fastrand::Rng;
use heartline_fleet::MonoTime;

use super::plan::Plan;
use crate::random::RngExt as _;

/// A datagram under way.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    /// Its bytes.
    pub(super) bytes: Rc<[u8]>,
    /// The agent's end of the way: where it comes from, or where it goes to.
    pub(super) peer: SocketAddr,
    /// Which way it goes.
    pub(super) way: Way,
    /// Somebody without a key made it, or changed it.
    pub(super) forged: bool,
}

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From an agent to the collector.
    Up,
    /// From the collector to an agent.
    Down,
}

/// Where nobody's answers go: the attacker listens here.
pub(super) const ATTACKER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 6, 6, 6)), 6);

/// The address of an agent's process.
pub(super) fn address(agent: usize, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, agent as u8)), port)
}

/// The agent at an address.
pub(super) fn agent_at(address: SocketAddr) -> Option<usize> {
    match address.ip() {
        IpAddr::V4(ip) if address != ATTACKER => Some(usize::from(ip.octets()[3])),
        _ => None,
    }
}

/// Until when each agent's way is cut.
#[derive(Debug)]
pub(super) struct Network {
    cut_up: Vec<MonoTime>,
    cut_down: Vec<MonoTime>,
    healed: bool,
}

impl Network {
    pub(super) fn new(agents: usize) -> Self {
        let whole = vec![MonoTime::NEVER_YET; agents];
        Self { cut_up: whole.clone(), cut_down: whole, healed: false }
    }

    /// Cuts one way of an agent.
    pub(super) fn cut(&mut self, agent: usize, way: Way, until: MonoTime) {
        match way {
            Way::Up => self.cut_up[agent] = until,
            Way::Down => self.cut_down[agent] = until,
        }
    }

    /// From now on everything arrives, once and soon.
    pub(super) fn heal(&mut self) {
        let agents = self.cut_up.len();
        *self = Self { healed: true, ..Self::new(agents) };
    }

    /// When a datagram arrives that is sent now: never, once or twice.
    pub(super) fn arrivals(
        &self,
        packet: &Packet,
        plan: &Plan,
        rng: &mut Rng,
        now: MonoTime,
    ) -> Vec<MonoTime> {
        if self.healed {
            return vec![now.plus_millis(1)];
        }
        let cut = match (agent_at(packet.peer), packet.way) {
            (Some(agent), Way::Up) => self.cut_up[agent],
            (Some(agent), Way::Down) => self.cut_down[agent],
            (None, _) => MonoTime::NEVER_YET,
        };
        if now < cut || rng.chance(plan.loss) {
            return Vec::new();
        }
        let copies = if rng.chance(plan.duplicates) { 2 } else { 1 };
        (0..copies)
            .map(|_| {
                let slow = rng.chance(plan.held_up);
                let most_ms = if slow { plan.held_up_ms } else { 20 };
                MonoTime::from_nanos(
                    now.nanos() + 200_000 + rng.u64(0..=most_ms * 1_000_000) as i64,
                )
            })
            .collect()
    }
}
