//! Freshness without clocks (`SPEC.md`, "Freshness").
//!
//! The collector's challenge to an agent is a keyed hash of the agent, its session and a coarse
//! count of steps since the collector started. Nothing is stored for it, no clock is shared, and
//! since the boot key is drawn anew at every start, nothing recorded before is worth anything after.

use ring::hmac;

use crate::limits::CHALLENGE_LEN;

/// The collector's secret of one run: drawn at its start, never stored.
pub struct ChallengeKey(hmac::Key);

/// A step's shortest length, in milliseconds.
pub const STEP_MIN_MS: u64 = 30_000;
/// A step's shortest length, in the agent's intervals.
pub const STEP_INTERVALS: u64 = 3;

/// Length of one step for an agent of this interval, in milliseconds.
#[must_use]
pub fn step_ms(interval_ms: u32) -> u64 {
    STEP_MIN_MS.max(STEP_INTERVALS * u64::from(interval_ms))
}

impl ChallengeKey {
    /// Wraps 32 bytes of fresh randomness.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The challenge of one step: the first 16 bytes of
    /// `HMAC-SHA256(boot key, step (8) ‖ step length in ms (8) ‖ session (8) ‖ agent id)`.
    #[must_use]
    pub fn challenge(
        &self,
        agent: &str,
        session: u64,
        step: u64,
        step_ms: u64,
    ) -> [u8; CHALLENGE_LEN] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&step.to_be_bytes());
        context.update(&step_ms.to_be_bytes());
        context.update(&session.to_be_bytes());
        context.update(agent.as_bytes());
        context.sign().as_ref()[..CHALLENGE_LEN].try_into().expect("a tag has 32 bytes")
    }
}

impl std::fmt::Debug for ChallengeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChallengeKey(secret)")
    }
}
