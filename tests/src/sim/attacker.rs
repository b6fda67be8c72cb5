//! Somebody who hears all that is on the wire and has no key.

use std::rc::Rc;

use fastrand::Rng;

use super::network::{ATTACKER, Packet, Way};
use crate::random::RngExt as _;

/// The recordings.
#[derive(Debug, Default)]
pub(super) struct Attacker {
    recorded: Vec<Packet>,
}

/// Most recordings kept; from then on a random older one goes.
const RECORDED_MAX: usize = 96;
/// Session and sequence follow a header of ten bytes and the agent's id.
const AGENT_LEN_AT: usize = 9;

impl Attacker {
    /// Hears a datagram.
    pub(super) fn record(&mut self, packet: &Packet, rng: &mut Rng) {
        if self.recorded.len() < RECORDED_MAX {
            self.recorded.push(packet.clone());
        } else {
            let at = rng.usize(..RECORDED_MAX);
            self.recorded[at] = packet.clone();
        }
    }

    /// Sends something that was recorded, as it was or changed.
    pub(super) fn send(&self, rng: &mut Rng) -> Option<Packet> {
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
                // The same words under another session.
                let session_at = AGENT_LEN_AT + 1 + usize::from(bytes[AGENT_LEN_AT]);
                bytes[session_at] ^= 0x55;
            }
            packet.bytes = Rc::from(bytes);
            packet.forged = true;
        }
        if packet.way == Way::Up && rng.chance(500) {
            packet.peer = ATTACKER;
        }
        Some(packet)
    }
}
