//! Times as operators write them: in the flags of the command line, and in the terminal app.
//!
//! ```text
//! 14:05   14:05:30        in HISTORY on the day in view, else the latest past one
//! -2h   2h ago   +10m     from the instant in view in HISTORY, else from now
//! today   yesterday       the start of that day
//! mon                     the latest past one
//! 2026-11-20   11-20      the start of that day; without a year the latest past one
//! yesterday 14:05         every day may have a time, and every time an offset: 14:05Z, 14:05+02:00
//! @1761955200             seconds since 1970
//! first   now   #7        the first record, live, outage 7
//! 14:05..14:20   -2h/30m  spans, see parse_span
//! ```
//! A day and a time without an offset are in the zone of the [`TimeContext`]; days named by a word or
//! without a year are counted from now, also in HISTORY. A distance has 24 hours a day and 7 days a
//! week, whatever clocks did. No clock and no zone is read here.

mod clock_time;
mod day;
mod digits;
mod distance;
mod error;
mod expression;
mod local_time;
mod moment;
mod resolve;
mod span;

pub use error::TimeError;
pub use expression::TimeExpression;
pub use moment::{Moment, describe};
pub use span::{TimeSpan, parse_span};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What the meaning of a time depends on.
#[derive(Clone, Debug)]
pub struct TimeContext {
    pub now_ms: i64,
    /// The zone of times without an offset, and of times in messages.
    pub zone: TimeZone,
    /// The instant in view in HISTORY; `None` when live and on the command line.
    pub viewed_ms: Option<i64>,
    /// `None` where it is not known: then no time is too early.
    pub first_record_ms: Option<i64>,
    /// Outages that were looked up, each with its begin.
    pub outages: Vec<(u64, i64)>,
}

/// The meaning of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolvedTime {
    /// An instant, not after now and not before the first record. Milliseconds since 1970.
    At(i64),
    /// Now, and on with it: live.
    Now,
    /// The first record.
    First,
    /// The outage with this id, which the context does not have: the caller looks it up.
    Outage(u64),
}

impl TimeContext {
    /// Returns the context of the command line: UTC, with no instant in view and no first record.
    pub fn utc(now_ms: i64) -> Self {
        let zone = TimeZone::UTC;
        Self { now_ms, zone, viewed_ms: None, first_record_ms: None, outages: Vec::new() }
    }

    /// Returns an instant that is neither in the future nor before the first record.
    fn in_range(&self, at_ms: i64) -> Result<i64, TimeError> {
        let moment = |ms| Moment::new(ms, self.zone.clone());
        match self.first_record_ms {
            _ if Timestamp::from_millisecond(at_ms).is_err() => Err(TimeError::OutOfYears),
            _ if at_ms > self.now_ms => {
                Err(TimeError::InFuture { at: moment(at_ms), now: moment(self.now_ms) })
            }
            Some(first_ms) if at_ms < first_ms => {
                Err(TimeError::BeforeFirst { at: moment(at_ms), first: moment(first_ms) })
            }
            _ => Ok(at_ms),
        }
    }
}

/// Parses a time and says what it means.
///
/// # Errors
/// [`TimeError`] says what is wrong with the text, or why it is no time of this context.
pub fn parse_time(text: &str, context: &TimeContext) -> Result<ResolvedTime, TimeError> {
    TimeExpression::parse(text)?.resolve(context)
}

#[cfg(test)]
mod tests;
