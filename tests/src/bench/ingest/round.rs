//! One beat of everybody, burst by burst: the buffer is filled, then draining it is measured.

use anyhow::Result;

use super::measured::Measured;
use super::sender::{BURST, Round, Sender};
use crate::clock;

/// Sends one round and measures `drain`, which says how many packets it received.
pub(super) fn each_burst(
    sender: &Sender,
    round: Round,
    mut drain: impl FnMut() -> Result<u64>,
) -> Result<Measured> {
    let mut measured = Measured::default();
    for first in (0..sender.agents()).step_by(BURST) {
        let count = BURST.min(sender.agents() - first);
        sender.burst(first, count, round)?;
        let begin = clock::thread_cpu();
        let packets = drain()?;
        let cpu = clock::thread_cpu().saturating_sub(begin);
        measured += Measured { cpu, packets, lost: count as u64 - packets };
    }
    Ok(measured)
}
