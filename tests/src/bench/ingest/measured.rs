//! What was measured of one path.

use std::ops::AddAssign;
use std::time::Duration;

/// CPU time and what it was spent on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measured {
    pub(super) cpu: Duration,
    pub(super) packets: u64,
    pub(super) lost: u64,
}

impl Measured {
    /// CPU time of the receiving thread, in ns for each packet.
    pub(super) fn ns(&self) -> f64 {
        self.cpu.as_nanos() as f64 / self.packets.max(1) as f64
    }
}

impl Measured {
    /// The one with less CPU time a packet; what either of them lost is lost.
    pub(super) fn quicker(self, other: Self) -> Self {
        let lost = self.lost + other.lost;
        let quicker = if other.ns() < self.ns() { other } else { self };
        Self { lost, ..quicker }
    }
}

impl AddAssign for Measured {
    fn add_assign(&mut self, more: Self) {
        self.cpu += more.cpu;
        self.packets += more.packets;
        self.lost += more.lost;
    }
}
