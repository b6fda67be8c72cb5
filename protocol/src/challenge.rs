//! Freshness without clocks (`SPEC.md`, "Freshness").
//!
//! A challenge is a keyed hash of the agent, its session and a coarse count of steps since the
//! collector started. Nothing is stored for it, no clock is shared, and because the key is new at
//! every start, a recording of an earlier run proves nothing. All challenges of one agent are voided
//! by raising a number that enters the hash.

use ring::hmac;

use crate::limits::CHALLENGE_LEN;

/// Secret of one run of the collector: drawn at its start, never stored.
#[derive(Debug)]
pub struct ChallengeKey(hmac::Key);

/// Shortest length of a step, in milliseconds.
pub const STEP_MIN_MS: u64 = 3_000;
/// Shortest length of a step, in intervals of the agent.
pub const STEP_INTERVALS: u64 = 3;

/// Returns the length of a step for an agent of this interval, in milliseconds.
pub fn step_ms(interval_ms: u32) -> u64 {
    STEP_MIN_MS.max(STEP_INTERVALS * u64::from(interval_ms))
}

impl ChallengeKey {
    /// Creates a key of 32 random bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// Returns the challenge of one step, for an agent whose challenges were never voided.
    pub fn challenge(
        &self,
        agent: &str,
        session: u64,
        step: u64,
        step_ms: u64,
    ) -> [u8; CHALLENGE_LEN] {
        self.challenge_after_voiding(0, agent, session, step, step_ms)
    }

    /// Returns the challenge of one step, for an agent whose challenges were voided `voided` times:
    /// the first 16 bytes of `HMAC-SHA256(challenge key, step (8) ‖ voided (4) ‖ step length in ms (4)
    /// ‖ session (8) ‖ agent id)`.
    pub fn challenge_after_voiding(
        &self,
        voided: u32,
        agent: &str,
        session: u64,
        step: u64,
        step_ms: u64,
    ) -> [u8; CHALLENGE_LEN] {
        // A step is three hours long at most.
        let step_ms = u32::try_from(step_ms).unwrap_or(u32::MAX);
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&step.to_be_bytes());
        context.update(&voided.to_be_bytes());
        context.update(&step_ms.to_be_bytes());
        context.update(&session.to_be_bytes());
        context.update(agent.as_bytes());
        context.sign().as_ref()[..CHALLENGE_LEN].try_into().expect("a tag has 32 bytes")
    }
}
