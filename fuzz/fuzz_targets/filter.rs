//! The filter language: an accepted filter is accepted again and matches the same agents; an error
//! has a column of the text.
#![no_main]

use std::sync::LazyLock;

use heartline_operator::Filter;
use heartline_operator::message::{AgentEntry, AgentVitals, RecentWork};
use heartline_vocabulary::{Phase, SharedIdentity, State, WorkTotals};
use libfuzzer_sys::fuzz_target;

const NOW_MS: i64 = 1_775_053_802_120;

static AGENT: LazyLock<AgentEntry> = LazyLock::new(|| AgentEntry {
    key: 1,
    agent: "a".repeat(63),
    identity: SharedIdentity { host: Some("machine-3".into()), ..SharedIdentity::default() }.into(),
    vitals: AgentVitals {
        state: State::Healthy,
        reason: None,
        since_ms: NOW_MS - 3_600_000,
        last_beat_ms: Some(NOW_MS - 3_000),
        progress_ms: None,
        oldest_task_ms: None,
        in_flight: 0,
        queue: None,
        step: Some("fetch".into()),
        phase: Phase::Running,
        interval_ms: 30_000,
        session: 1,
        starts: 1,
        beats: 120,
        lost: 0,
        command: None,
    },
    work: RecentWork::default(),
    total: WorkTotals::default(),
});

fuzz_target!(|text: &str| {
    match Filter::parse(text) {
        Ok(filter) => {
            let again = Filter::parse(filter.as_str()).expect("it was accepted before");
            assert_eq!(again.matches(&AGENT, NOW_MS), filter.matches(&AGENT, NOW_MS));
        }
        Err(error) => {
            assert!((1..=text.chars().count() + 1).contains(&error.column()));
            let shown = error.to_string();
            assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
        }
    }
});
