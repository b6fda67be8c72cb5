//! What a run is like: drawn once from its seed, so that seeds differ in kind and not only in luck.

use std::time::Duration;

use fastrand::Rng;

use crate::random::RngExt as _;

/// What a run is like.
#[derive(Debug)]
pub(super) struct Plan {
    /// How many agents there are.
    pub(super) agents: usize,
    /// The interval of most agents, in ms.
    pub(super) interval_ms: u32,
    /// For how long faults are injected.
    pub(super) busy_for: Duration,
    /// Chance of a datagram to get lost, per mille.
    pub(super) loss: u64,
    /// Chance of a datagram to arrive twice, per mille.
    pub(super) duplicates: u64,
    /// Chance of a datagram to be held up, per mille, and for how long at most.
    pub(super) held_up: u64,
    /// See `held_up`.
    pub(super) held_up_ms: u64,
    /// How many datagrams fit the socket's receive buffer.
    pub(super) kernel_buffer: usize,
    /// How many superseded sessions a restart restores: with few of them, processes come back whose
    /// work only the store remembers.
    pub(super) restored_sessions: usize,
    /// Longest wait for a commit while the disk is well, in ms.
    pub(super) commit_ms: u64,
    /// Chance of a command not to be stored, per mille.
    pub(super) disk_refuses: u64,
    /// Time without progress until an agent counts as stalled.
    pub(super) stall_after: Duration,
    /// Time between faults, on average, in ms.
    pub(super) fault_every_ms: u64,
    /// Bit `n`: faults of kind `n` happen in this run.
    pub(super) faults: u64,
}

impl Plan {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let interval_ms = rng.pick(&[100, 300, 1_000, 1_000, 5_000, 30_000]);
        let intervals = rng.u64(60..=160);
        let busy_ms = u64::from(interval_ms) * intervals;
        let is_calm = rng.chance(150);
        // At most as long as what the replay window still tells apart.
        let held_up_ms = rng.pick(&[30, 300, 3_000]).min(u64::from(interval_ms) * 50);
        Self {
            agents: rng.u64(1..=4) as usize,
            interval_ms,
            busy_for: Duration::from_millis(busy_ms),
            loss: if is_calm { 0 } else { rng.pick(&[0, 10, 100, 300]) },
            duplicates: if is_calm { 0 } else { rng.pick(&[0, 20, 150]) },
            held_up: rng.pick(&[0, 50, 300]),
            held_up_ms,
            kernel_buffer: rng.pick(&[2, 8, 64]),
            restored_sessions: rng.pick(&[0, 1, 8]),
            commit_ms: rng.pick(&[1, 50, 250, 400]),
            disk_refuses: rng.pick(&[0, 0, 100]),
            stall_after: Duration::from_millis(u64::from(interval_ms) * rng.u64(4..=20)),
            fault_every_ms: busy_ms / rng.u64(8..=40),
            faults: rng.u64(..) | rng.u64(..),
        }
    }

    /// The interval that a process starts with, in ms.
    pub(super) fn interval_ms(&self, rng: &mut Rng) -> u32 {
        if rng.chance(100) { self.interval_ms * 2 } else { self.interval_ms }
    }
}
