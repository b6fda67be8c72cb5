//! `challenge.json`: a collector's challenges.

use heartline_protocol::challenge::{self, ChallengeKey};
use serde_json::{Value, json};

use crate::fixture::{AGENT, SESSION, hex, key32, list, number, str, to_u64};

pub(crate) fn generate() -> Value {
    let other_boot: [u8; 32] = std::array::from_fn(|n| 255 - n as u8);
    let cases = [
        ([0x42; 32], AGENT, SESSION, 30_000, 0),
        ([0x42; 32], AGENT, SESSION, 30_000, 89_999),
        ([0x42; 32], AGENT, SESSION, 30_000, 90_000),
        ([0x42; 32], AGENT, SESSION, 30_000, 180_000),
        ([0x42; 32], AGENT, SESSION, 1_000, 29_999),
        ([0x42; 32], AGENT, SESSION, 1_000, 30_000),
        ([0x42; 32], AGENT, SESSION, 10_001, 30_003),
        ([0x42; 32], AGENT, SESSION + 1, 30_000, 0),
        ([0x42; 32], "mail.3", SESSION, 30_000, 0),
        (other_boot, AGENT, SESSION, 30_000, 0),
        (other_boot, AGENT, 0, 100, 0),
        (other_boot, AGENT, u64::MAX, 3_600_000, u64::MAX),
    ];
    let never_voided = cases.map(|case| (0, case));
    let voided = [1, 2, u32::MAX].map(|voided| (voided, cases[0]));
    let cases = never_voided.into_iter().chain(voided);
    let challenges = cases.map(|(voided, (boot, agent, session, interval_ms, elapsed_ms))| {
        let step_ms = challenge::step_ms(interval_ms);
        let step = elapsed_ms / step_ms;
        let key = ChallengeKey::new(&boot);
        let challenge = key.challenge_after_voiding(voided, agent, session, step, step_ms);
        json!({
            "boot_key": hex(&boot),
            "voided": voided,
            "agent": agent,
            "session": format!("{session:016x}"),
            "interval_ms": interval_ms,
            "elapsed_ms": number(elapsed_ms),
            "step_ms": step_ms,
            "step": number(step),
            "challenge": hex(&challenge),
        })
    });
    json!({
        "about": "SPEC.md section 5, for collectors. elapsed_ms: since the collector's start; voided: how \
                  often the agent's challenges were voided; numbers above 2^53 are decimal text.",
        "challenges": challenges.collect::<Vec<_>>(),
    })
}

pub(crate) fn check(file: &Value) -> usize {
    let cases = list(&file["challenges"]);
    for case in cases {
        let step_ms = challenge::step_ms(to_u64(&case["interval_ms"]) as u32);
        assert_eq!(to_u64(&case["step_ms"]), step_ms);
        assert_eq!(to_u64(&case["step"]), to_u64(&case["elapsed_ms"]) / step_ms);
        let session = u64::from_str_radix(str(&case["session"]), 16).unwrap();
        let boot = ChallengeKey::new(&key32(&case["boot_key"]));
        let (voided, step) = (to_u64(&case["voided"]) as u32, to_u64(&case["step"]));
        let challenge =
            boot.challenge_after_voiding(voided, str(&case["agent"]), session, step, step_ms);
        assert_eq!(case["challenge"], hex(&challenge));
    }
    cases.len()
}
