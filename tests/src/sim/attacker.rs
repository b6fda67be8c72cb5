//! An attacker who records all datagrams and has no key.

use std::rc::Rc;

use fastrand::Rng;
use heartline_protocol::Direction;

use super::network::{ATTACKER, SimPacket};
use crate::random::RngExt as _;

#[derive(Debug, Default)]
pub(super) struct SimAttacker {
    recorded: Vec<SimPacket>,
}

/// Largest number of recordings; later ones replace random earlier ones.
const RECORDED_MAX: usize = 96;
/// Offset of the agent id's length, which session and sequence follow.
const AGENT_LEN_OFFSET: usize = 9;

impl SimAttacker {
    pub(super) fn record(&mut self, packet: &SimPacket, rng: &mut Rng) {
        if self.recorded.len() < RECORDED_MAX {
            self.recorded.push(packet.clone());
        } else {
            let at = rng.usize(..RECORDED_MAX);
            self.recorded[at] = packet.clone();
        }
    }

    /// Picks at most `count` recorded datagrams of agents, unchanged, to be sent by the attacker.
    pub(super) fn pick_recordings(&self, count: usize, rng: &mut Rng) -> Vec<SimPacket> {
        let of_agents = |it: &&SimPacket| it.direction == Direction::Up;
        let mut recorded: Vec<&SimPacket> = self.recorded.iter().filter(of_agents).collect();
        rng.shuffle(&mut recorded);
        let packet = |it: &SimPacket| SimPacket { peer: ATTACKER, ..it.clone() };
        recorded.into_iter().take(count).map(packet).collect()
    }

    /// Picks a recorded datagram, unchanged or modified.
    pub(super) fn pick_recording(&self, rng: &mut Rng) -> Option<SimPacket> {
        if self.recorded.is_empty() {
            return None;
        }
        let mut packet = self.recorded[rng.usize(..self.recorded.len())].clone();
        let verbatim = rng.chance(700);
        if !verbatim {
            let mut bytes = packet.bytes.to_vec();
            if rng.chance(500) {
                let at = rng.usize(..bytes.len());
                bytes[at] ^= 1 << rng.u64(0..=7);
            } else {
                // The same body under another session.
                let session_at = AGENT_LEN_OFFSET + 1 + usize::from(bytes[AGENT_LEN_OFFSET]);
                bytes[session_at] ^= 0x55;
            }
            packet.bytes = Rc::from(bytes);
            packet.forged = true;
        }
        if packet.direction == Direction::Up && rng.chance(500) {
            packet.peer = ATTACKER;
        }
        Some(packet)
    }
}
