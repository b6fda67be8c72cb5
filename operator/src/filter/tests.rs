use proptest::prelude::*;

use super::*;
use crate::sample::{self, NOW_MS};
use heartline_vocabulary::{Phase, State};

fn filter(text: &str) -> Filter {
    Filter::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// Which of the samples match: `o`rder-processor (busy, unreachable, no beat for 5m12s), `m`ail.7
/// (killed), `i`dle.
fn hits(text: &str) -> String {
    let mut idle = sample::idle_agent(3, "idle");
    std::sync::Arc::make_mut(&mut idle.identity.shared).host = None;
    idle.vitals.phase = Some(Phase::Waiting);
    let filter = filter(text);
    [('o', sample::busy_agent()), ('m', sample::draining_agent()), ('i', idle)]
        .into_iter()
        .filter(|(_, entry)| filter.matches(entry, NOW_MS))
        .map(|(letter, _)| letter)
        .collect()
}

#[test]
fn filters_pick_agents() {
    let table = [
        ("", "omi"),
        ("state:unreachable", "o"),
        ("state!=healthy", "om"),
        ("state=healthy", "i"),
        ("state:un*", "o"),
        ("STATE:Killed", "m"),
        ("reason:silent or reason=operator", "om"),
        ("mail", "m"),
        ("*l*", "mi"),
        ("or*", "o"),
        ("\"or\"", "o"),
        ("name:mail.?", "m"),
        ("host:machine*", "om"),
        ("host=machine", ""),
        ("host:MACHINE", "om"),
        ("host!=machine-3", "i"),
        ("!host:machine", "i"),
        ("not not host:machine", "om"),
        ("group:mail", "m"),
        ("tag:prod", "o"),
        ("tag:env", "o"),
        ("label.env:prod", "o"),
        ("label.env!=prod", "mi"),
        ("label.area:prod", ""),
        ("!tag:dev mail", "m"),
        ("session:5BE1", "omi"),
        ("doing:fet*", "o"),
        ("phase:waiting", "i"),
        ("p95>2s", "o"),
        ("p95>=12.4s p95<=12.4s p95=12400ms p95:12.4s", "o"),
        ("p95<2s", ""),
        ("p95!=2s", "omi"),
        ("beat>5m", "o"),
        ("beat > 5m12s", ""),
        ("beat<4s", "mi"),
        ("step>5m", "o"),
        ("progress>5m", "o"),
        ("oldest>5m", "o"),
        ("since>=1h", "mi"),
        ("interval=30s", "omi"),
        ("in_flight>0", "o"),
        ("queue<5", ""),
        ("ok<95", "o"),
        ("ok%<95%", "o"),
        ("cpu>50%", "o"),
        ("cpu<=70.3 cpu>=70.3%", "o"),
        ("cpu<50%", ""),
        ("memory>1GiB", "o"),
        ("memory<2gb memory>1.2GB", "o"),
        ("memory>2GiB", ""),
        ("emitter_silent>1m", "o"),
        ("emitter_silent>95s", ""),
        ("failed>=78", "o"),
        ("tasks=0", "omi"),
        ("cost>$9", "o"),
        ("cost_hour>3.5 cost_hour<4", "o"),
        ("starts>1", "o"),
        ("killed_by:ops@*", "m"),
        ("cause:inc-482", "m"),
        ("cause:silent", "o"),
        ("cause:\"cost loop\"", "m"),
        ("state:killed or state:healthy host:machine", "m"),
        ("(state:killed or state:healthy) !host:machine", "i"),
        ("state:killed OR (order and p95>2s)", "om"),
        ("kind:kill", ""),
    ];
    for (text, expected) in table {
        assert_eq!(hits(text), expected, "{text}");
    }
}

#[test]
fn filters_pick_events() {
    let events = sample::events_of_every_kind();
    let kinds = |text: &str| {
        let filter = filter(text);
        let entry = sample::draining_agent();
        let hits = events.iter().filter(|event| {
            let entry = event.agent.is_some().then_some(&entry);
            filter.matches_event(event, entry, NOW_MS)
        });
        hits.map(|event| event.kind.name()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(kinds("state:degraded"), "transition");
    assert_eq!(kinds("reason:late cause:missed"), "transition");
    assert_eq!(kinds("kind:kill or kind:gap"), "kill gap");
    assert_eq!(kinds("cause:INC-482"), "kill resume");
    assert_eq!(kinds("by:root* !kind:forgotten"), "kill resume");
    assert_eq!(kinds("!agent:mail"), "gap clock_step");
    assert_eq!(kinds("host:machine-3 kind:session"), "session");
    let gone = filter("host:machine-3").matches_event(&events[0], None, NOW_MS);
    assert!(!gone, "an agent that is not known has no host");
}

#[test]
fn errors_point_at_their_column() {
    let table = [
        ("stat:degraded", 1, "unknown field \"stat\": did you mean state?"),
        ("mail state:degarded", 12, "unknown state \"degarded\": did you mean degraded?"),
        ("state:stalled", 7, "unknown state \"stalled\": did you mean reason:stalled?"),
        ("reason:x", 8, "unknown reason \"x\": expected one of late, stalled"),
        ("p95>2", 5, "p95 (95th percentile of latency) is compared with a duration"),
        ("step:fetch", 6, "for the name use doing:"),
        ("cost>NaN", 6, "is compared with dollars"),
        ("host>m3", 5, "host is text: expected host:m3, = or !=, not >"),
        ("host.x:m3", 1, "host has no parts"),
        ("host:", 6, "expected a value after host:"),
        ("(state:killed", 1, "never closed"),
        ("state:killed)", 13, "closes nothing"),
        ("state:killed and", 17, "expected a test"),
        ("or mail", 1, "expected a test"),
        ("!", 2, "expected a test"),
        ("()", 2, "expected a test"),
        ("agent:\"x", 7, "this quote is never closed"),
        ("=x", 1, "expected the name of a field before ="),
        ("é !=x", 1, "unknown field \"é\""),
        ("é é >1", 3, "unknown field"),
    ];
    for (text, column, message) in table {
        let error = Filter::parse(text).expect_err(text);
        assert!(error.message().contains(message), "{text}: {}", error.message());
        assert_eq!(error.column(), column, "{error}");
    }
}

#[test]
fn an_error_shows_the_text_and_the_place() {
    let error = Filter::parse("mail state:degarded").unwrap_err();
    assert_eq!(
        error.to_string(),
        "mail state:degarded\n           ^ unknown state \"degarded\": did you mean degraded?"
    );
}

#[test]
fn length_and_nesting_have_limits() {
    let nested = |depth| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&nested(MAX_NESTING)).is_ok());
    assert!(Filter::parse(&nested(MAX_NESTING + 1)).is_err());
    assert!(Filter::parse(&format!("{}a", "!".repeat(MAX_LEN - 1))).is_err());
    assert!(Filter::parse(&"a ".repeat(MAX_LEN / 2)).is_ok());
    assert!(Filter::parse(&"a".repeat(MAX_LEN + 1)).is_err());
}

#[test]
fn every_field_can_be_asked_for_by_every_name() {
    for FilterFieldHelp { name, aliases, takes, .. } in fields() {
        for name in std::iter::once(&name).chain(aliases) {
            let value = match (*name, takes) {
                ("state", _) => State::Killed.name(),
                ("reason", _) => "late",
                ("phase", _) => "running",
                ("kind", _) => "gap",
                (_, takes) if takes.starts_with("a duration") => "5m",
                (_, takes) if takes.starts_with("a size") => "1GiB",
                _ => "1",
            };
            filter(&format!("{name}:{value}"));
        }
    }
}

#[test]
fn names_of_fields_are_unique() {
    let mut names: Vec<_> = field::names().collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

/// Text that is nearly a filter reaches further than noise does.
fn nearly() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("state"),
        Just("host"),
        Just("label.x"),
        Just("p95"),
        Just(":"),
        Just("!="),
        Just(">"),
        Just("("),
        Just(")"),
        Just("!"),
        Just(" and "),
        Just(" or "),
        Just("\""),
        Just("*"),
        Just("é"),
        Just(" "),
        Just("2s"),
        Just("killed"),
    ];
    proptest::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_text_is_a_filter_or_an_error(text in prop_oneof![".{0,80}".boxed(), nearly().boxed()]) {
        match Filter::parse(&text) {
            Ok(filter) => {
                let _ = filter.matches(&sample::busy_agent(), NOW_MS);
                for event in sample::events_of_every_kind() {
                    let _ = filter.matches_event(&event, None, NOW_MS);
                }
            }
            Err(error) => {
                prop_assert!(error.column() <= text.chars().count() + 1);
                prop_assert_eq!(error.to_string().lines().count(), 2);
            }
        }
    }
}

#[test]
fn fields_that_change_from_moment_to_moment_are_named() {
    for (text, expected) in [
        ("", None),
        ("mail host:m3* or !(label.env:prod version=2 framework:x)", None),
        ("host:m3 state:degraded", Some("state")),
        ("(mail or not p95>2s)", Some("p95")),
        ("name:a tag:b", None),
    ] {
        let filter = Filter::parse(text).expect("it is a filter");
        assert_eq!(filter.find_changing_field(), expected, "{text}");
    }
    for name in super::field::IDENTITY_FIELDS {
        assert!(fields().any(|field| field.name == name), "{name}");
    }
}
