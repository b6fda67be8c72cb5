//! Errors of times.

use heartline_vocabulary::text::scrub;

use super::Moment;
use super::expression::MAX_LEN;

/// A text that is no time, or none of its context. Texts in it are scrubbed; its message is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    #[error("expected a time, such as 14:05, -2h or 2026-11-20 14:05")]
    Empty,
    #[error("a time has at most {MAX_LEN} bytes, as in 2026-11-20 14:05")]
    TooLong,
    #[error("{0:?} has digits that are not 0 to 9: write it as in 14:05")]
    ForeignDigits(String),
    #[error(
        "{0:?} is no time: write it as 14:05, -2h, yesterday 14:05, mon 09:00, 2026-11-20 14:05, \
         2026-11-20T14:05:00Z, @1761955200, first or now"
    )]
    Unknown(String),
    /// A duration where only times are expected.
    #[error("{0:?} has no sign: write -{0} for the time before, or +{0} for the time after")]
    Unsigned(String),
    #[error("{0:?} is no distance: write numbers with ms, s, m, h, d or w, as in 2h or 1d12h")]
    Distance(String),
    /// Months and years, whose length depends on where they start.
    #[error(
        "{0:?} has no fixed length: write days or weeks, as in 30d or 4w, or a date, as in 2026-11-20"
    )]
    CalendarUnit(String),
    #[error("{text:?} is no time of day: {problem}")]
    ClockTime { text: String, problem: &'static str },
    #[error("{0:?} is no offset: write the time of day as 14:05, 14:05Z or 14:05+02:00")]
    Offset(String),
    #[error("{text:?} is no date: {problem}")]
    Date { text: String, problem: String },
    #[error("{0:?} is no outage: write its number, as in #7")]
    Outage(String),
    #[error("{0:?} is no time in seconds since 1970: write it as in @1761955200")]
    UnixSeconds(String),
    #[error(
        "that is outside of the years that can be written: write a time as in 2026-11-20 14:05"
    )]
    OutOfYears,
    #[error("{at} is in the future: now it is {now}")]
    InFuture { at: Moment, now: Moment },
    #[error("{at} is before the first record, which is of {first}")]
    BeforeFirst { at: Moment, first: Moment },
    /// Clocks were set back over it.
    #[error("that time came twice: {earlier} and {later}; write it with one of these offsets")]
    Ambiguous { earlier: Moment, later: Moment },
    /// Clocks were set forward over it: `before` is the last second before, `after` the first after.
    #[error("that time did not exist: clocks went from {before} to {after}; write one of these")]
    Skipped { before: Moment, after: Moment },
    #[error(
        "{0:?} is no span: write its start and its end or length, as in 14:05..14:20 or -2h/30m"
    )]
    NoSpan(String),
    #[error("the span has no start: write one before the .., or first..")]
    NoStart,
    #[error("the span has no end: write one behind the .., or ..now")]
    NoEnd,
    #[error("the length of a span is a duration without a sign, as in 14:05/2h, not {0:?}")]
    Length(String),
    #[error("an outage is no end of a span: write its time instead of #{0}")]
    OutageUnknown(u64),
    #[error("the first record is not known here: write a time instead of first")]
    FirstUnknown,
    #[error("the span is empty: it starts and ends at {0}")]
    EmptySpan(Moment),
    #[error("the span ends before it starts: from {from} to {to}")]
    Reversed { from: Moment, to: Moment },
}

/// Returns a text as it can be repeated in an error.
pub(super) fn quotable(text: &str) -> String {
    scrub(text).collect()
}
