//! The fields of filters: one table for the parser, the help and the documents.

use std::borrow::Cow;

use super::input::FilterInput;
use crate::figures::session_text;
use crate::message::LatencyQuantiles;
use heartline_vocabulary::{Phase, ProcessUsage, Reason, State};

/// A field of the filter language.
pub(super) struct FilterField {
    pub(super) name: &'static str,
    pub(super) aliases: &'static [&'static str],
    pub(super) help: &'static str,
    pub(super) read: FieldAccessor,
}

/// Reads the value of a field; `None` when it is absent.
pub(super) enum FieldAccessor {
    Text(TextAccessor),
    /// A word of a fixed set.
    OneOf(TextAccessor, &'static [&'static str]),
    Labels,
    /// Durations in microseconds, shares in percent, sizes in bytes, money in dollars.
    Number(NumberUnit, NumberAccessor),
}

pub(super) type TextAccessor = for<'a> fn(&FilterInput<'a>) -> Option<Cow<'a, str>>;
pub(super) type NumberAccessor = fn(&FilterInput<'_>) -> Option<f64>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberUnit {
    Count,
    Duration,
    Percent,
    Dollars,
    /// Of memory, in bytes.
    Size,
}

impl NumberUnit {
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Count => "a number",
            Self::Duration => "a duration such as 500ms, 2s, 5m, 1h or 2d",
            Self::Percent => "percent such as 95 or 99.5",
            Self::Size => "a size such as 512MiB or 2GB",
            Self::Dollars => "dollars such as 2.50",
        }
    }
}

/// A field, for help texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterFieldHelp {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub help: &'static str,
    /// The kind of value that it is compared with, in words.
    pub takes: &'static str,
    pub kind: FilterFieldKind,
}

/// The kind of value that a field is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterFieldKind {
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    Labels,
    Number,
}

/// Returns all fields of the filter language, in the order of the help.
pub fn fields() -> impl Iterator<Item = FilterFieldHelp> {
    FIELDS.iter().map(|field| FilterFieldHelp {
        name: field.name,
        aliases: field.aliases,
        help: field.help,
        takes: match field.read {
            FieldAccessor::Text(_) => "text, or a glob with * and ?",
            FieldAccessor::OneOf(..) => "a word",
            FieldAccessor::Labels => "a key or value; label.KEY: a value of this key",
            FieldAccessor::Number(unit, _) => unit.expected(),
        },
        kind: match field.read {
            FieldAccessor::Text(_) => FilterFieldKind::Text,
            FieldAccessor::OneOf(_, words) => FilterFieldKind::Word(words),
            FieldAccessor::Labels => FilterFieldKind::Labels,
            FieldAccessor::Number(..) => FilterFieldKind::Number,
        },
    })
}

/// Finds a field by its name or alias.
pub(super) fn find(name: &str) -> Option<&'static FilterField> {
    let is = |other: &&'static str| other.eq_ignore_ascii_case(name);
    FIELDS.iter().find(|field| is(&field.name) || field.aliases.iter().any(is))
}

/// Finds the field that has this word in its fixed set.
pub(super) fn field_of_word(word: &str) -> Option<&'static str> {
    let has = |words: &[&str]| words.iter().any(|one| one.eq_ignore_ascii_case(word));
    let mut found = FIELDS.iter().filter(|field| match field.read {
        FieldAccessor::OneOf(_, words) => has(words),
        FieldAccessor::Text(_) | FieldAccessor::Labels | FieldAccessor::Number(..) => false,
    });
    found.next().map(|field| field.name)
}

/// Returns every name of every field.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().flat_map(|field| std::iter::once(field.name).chain(field.aliases.iter().copied()))
}

const fn text(name: &'static str, help: &'static str, read: TextAccessor) -> FilterField {
    FilterField { name, aliases: &[], help, read: FieldAccessor::Text(read) }
}

const fn number(
    name: &'static str,
    unit: NumberUnit,
    help: &'static str,
    read: NumberAccessor,
) -> FilterField {
    FilterField { name, aliases: &[], help, read: FieldAccessor::Number(unit, read) }
}

const fn one_of(
    name: &'static str,
    help: &'static str,
    words: &'static [&'static str],
    read: TextAccessor,
) -> FilterField {
    FilterField { name, aliases: &[], help, read: FieldAccessor::OneOf(read, words) }
}

impl FilterField {
    const fn or(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }
}

/// The fields that are read from an agent's name and identity.
pub(super) const IDENTITY_FIELDS: [&str; 6] =
    ["agent", "host", "group", "version", "framework", "label"];

static FIELDS: &[FilterField] = &[
    one_of("state", "its state", State::NAMES, |s| Some(s.state()?.name().into())),
    one_of("reason", "why it is in its state", Reason::NAMES, |s| Some(s.reason()?.name().into())),
    number("since", NumberUnit::Duration, "age of its state", |s| {
        Some(duration(s.entry?.vitals.state_age_ms(s.now_ms)))
    }),
    text("agent", "its id", |s| s.name().map(Into::into)).or(&["name"]),
    text("host", "host it runs on", |s| s.entry?.identity.shared.host.as_deref().map(Into::into)),
    text("group", "its group", |s| s.entry?.identity.shared.group.as_deref().map(Into::into)),
    text("version", "version of its program", |s| {
        s.entry?.identity.shared.version.as_deref().map(Into::into)
    }),
    text("framework", "its framework", |s| {
        s.entry?.identity.shared.framework.as_deref().map(Into::into)
    }),
    text("session", "its session, in hexadecimal", |s| {
        Some(session_text(s.entry?.vitals.session).into())
    }),
    FilterField {
        name: "label",
        aliases: &["tag"],
        help: "its labels",
        read: FieldAccessor::Labels,
    },
    text("doing", "name of its current step", |s| s.entry?.vitals.step.as_deref().map(Into::into)),
    one_of("phase", "what it says it is doing", Phase::NAMES, |s| {
        Some(s.entry?.vitals.phase?.name().into())
    }),
    number("beat", NumberUnit::Duration, "age of its last beat", |s| {
        s.entry?.vitals.beat_age_ms(s.now_ms).map(duration)
    }),
    number(
        "step",
        NumberUnit::Duration,
        "age of its last progress; for the name use doing:",
        |s| s.entry?.vitals.progress_age_ms(s.now_ms).map(duration),
    )
    .or(&["progress"]),
    number("oldest", NumberUnit::Duration, "age of its oldest task in flight", |s| {
        s.entry?.vitals.oldest_task_age_ms(s.now_ms).map(duration)
    }),
    number("interval", NumberUnit::Duration, "time between its beats", |s| {
        Some(duration(s.entry?.vitals.interval_ms.into()))
    }),
    number("in_flight", NumberUnit::Count, "tasks in flight", |s| {
        Some(s.entry?.vitals.in_flight.into())
    }),
    number("queue", NumberUnit::Count, "length of its backlog", |s| {
        s.entry?.vitals.queue.map(Into::into)
    }),
    number("lost_observations", NumberUnit::Count, "what its emitter could not count", |s| {
        Some(s.entry?.vitals.lost_observations? as f64)
    }),
    number("cpu", NumberUnit::Percent, "share of one core that its process takes", |s| {
        Some(f64::from(process(s)?.cpu_permille) / 10.0)
    }),
    number("memory", NumberUnit::Size, "memory of its process", |s| {
        Some(process(s)?.memory_bytes as f64)
    }),
    number(
        "emitter_silent",
        NumberUnit::Duration,
        "how long the emitter of its process has been silent, while the process runs",
        |s| process(s)?.emitter_silent_ms.map(duration),
    ),
    number("starts", NumberUnit::Count, "how often it has started", |s| {
        Some(s.entry?.vitals.starts.into())
    }),
    number("ok", NumberUnit::Percent, "share of its tasks that succeeded", |s| {
        Some(s.entry?.work.success_rate()? * 100.0)
    })
    .or(&["ok%"]),
    number("failed", NumberUnit::Count, "tasks that failed in the last hour", |s| {
        Some(s.entry?.work.failed as f64)
    }),
    number("tasks", NumberUnit::Count, "tasks a minute", |s| s.entry?.tasks_per_minute(s.now_ms)),
    number("p50", NumberUnit::Duration, "median latency", |s| latency(s, |l| l.p50)),
    number("p90", NumberUnit::Duration, "90th percentile of latency", |s| latency(s, |l| l.p90)),
    number("p95", NumberUnit::Duration, "95th percentile of latency", |s| latency(s, |l| l.p95)),
    number("p99", NumberUnit::Duration, "99th percentile of latency", |s| latency(s, |l| l.p99)),
    number("max", NumberUnit::Duration, "largest latency", |s| latency(s, |l| l.max)),
    number("cost", NumberUnit::Dollars, "cost today", |s| Some(s.entry?.work.cost_today_usd())),
    number("cost_hour", NumberUnit::Dollars, "cost an hour", |s| {
        Some(s.entry?.work.cost_per_hour_usd())
    }),
    text("killed_by", "who killed it; of an event, who caused it", |s| s.by().map(Into::into))
        .or(&["by"]),
    text("cause", "why it was killed or changed its state, in words", |s| s.cause()),
    one_of("kind", "what an event is", &KINDS, |s| Some(s.event?.kind.name().into())),
];

static KINDS: [&str; 10] = [
    "transition",
    "kill",
    "resume",
    "obeyed",
    "disobeyed",
    "session",
    "gap",
    "clock_step",
    "registered",
    "forgotten",
];

/// Returns what a supervisor sees of the process, if there is one.
fn process<'a>(input: &FilterInput<'a>) -> Option<&'a ProcessUsage> {
    input.entry?.vitals.process.as_deref()
}

fn duration(ms: u64) -> f64 {
    ms as f64 * 1_000.0
}

fn latency(input: &FilterInput<'_>, read: fn(&LatencyQuantiles) -> u64) -> Option<f64> {
    input.entry?.work.latency.as_ref().map(|latency| read(latency) as f64)
}
