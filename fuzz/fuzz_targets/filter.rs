//! The filter language: an accepted filter is accepted again and matches the same agents; an error
//! has a column of the text.
#![no_main]

use std::sync::LazyLock;

use heartline_operator::message::AgentEntry;
use heartline_operator::{Filter, sample};
use libfuzzer_sys::fuzz_target;

static AGENT: LazyLock<AgentEntry> = LazyLock::new(|| sample::healthy_agent(1, &"a".repeat(63)));

fuzz_target!(|text: &str| {
    match Filter::parse(text) {
        Ok(filter) => {
            let again = Filter::parse(filter.as_str()).expect("it was accepted before");
            assert_eq!(again.matches(&AGENT, sample::NOW_MS), filter.matches(&AGENT, sample::NOW_MS));
        }
        Err(error) => {
            assert!((1..=text.chars().count() + 1).contains(&error.column()));
            let shown = error.to_string();
            assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
        }
    }
});
