//! CPU time of the receiving thread, measured while it drains bursts of beats.

use std::ops::AddAssign;
use std::time::Duration;

use anyhow::Result;

use super::burst_sender::{BURST_LEN, BeatRound, BurstSender};
use crate::clock;

/// CPU time, and the packets that it was spent on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CpuMeasurement {
    pub(super) cpu: Duration,
    pub(super) packets: u64,
    pub(super) lost: u64,
}

impl CpuMeasurement {
    pub(super) fn ns_per_packet(&self) -> f64 {
        self.cpu.as_nanos() as f64 / self.packets.max(1) as f64
    }

    /// Returns the measurement with less CPU time a packet, and the losses of both.
    pub(super) fn quicker(self, other: Self) -> Self {
        let lost = self.lost + other.lost;
        let quicker = if other.ns_per_packet() < self.ns_per_packet() { other } else { self };
        Self { lost, ..quicker }
    }
}

impl AddAssign for CpuMeasurement {
    fn add_assign(&mut self, more: Self) {
        self.cpu += more.cpu;
        self.packets += more.packets;
        self.lost += more.lost;
    }
}

/// Sends one beat of every agent, burst by burst, and measures `drain`, which empties the socket and
/// returns how many packets it received.
pub(super) fn measure_bursts(
    sender: &BurstSender,
    round: BeatRound,
    mut drain: impl FnMut() -> Result<u64>,
) -> Result<CpuMeasurement> {
    let mut measurement = CpuMeasurement::default();
    for first in (0..sender.agents()).step_by(BURST_LEN) {
        let count = BURST_LEN.min(sender.agents() - first);
        sender.send_burst(first, count, round)?;
        let begin = clock::thread_cpu();
        let packets = drain()?;
        let cpu = clock::thread_cpu().saturating_sub(begin);
        measurement += CpuMeasurement { cpu, packets, lost: count as u64 - packets };
    }
    Ok(measurement)
}
