//! Spans of time: `14:05..14:20`, `-2h/30m`.

use super::distance::parse_distance;
use super::error::{TimeError, quotable};
use super::expression::checked;
use super::{Moment, ResolvedTime, TimeContext, parse_time};

/// A span of time, which is not empty. Milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpan {
    pub from_ms: i64,
    /// The first instant behind it.
    pub to_ms: i64,
}

impl TimeSpan {
    /// Returns the span between two instants.
    ///
    /// # Errors
    /// [`TimeError::EmptySpan`], or [`TimeError::Reversed`] where it would end before it starts.
    pub fn between(from_ms: i64, to_ms: i64, context: &TimeContext) -> Result<Self, TimeError> {
        let moment = |ms| Moment::new(ms, context.zone.clone());
        match from_ms.cmp(&to_ms) {
            std::cmp::Ordering::Less => Ok(Self { from_ms, to_ms }),
            std::cmp::Ordering::Equal => Err(TimeError::EmptySpan(moment(from_ms))),
            std::cmp::Ordering::Greater => {
                Err(TimeError::Reversed { from: moment(from_ms), to: moment(to_ms) })
            }
        }
    }
}

/// Parses a span: `A..B` from A to B, each of them as [`parse_time`] reads it alone, or `A/2h` from A on
/// for two hours. Both ends must be there and in range, and A before B.
///
/// # Errors
/// [`TimeError`] says what is wrong with the text, or why it is no span of this context.
pub fn parse_span(text: &str, context: &TimeContext) -> Result<TimeSpan, TimeError> {
    let text = checked(text)?;
    if let Some((from, to)) = text.split_once("..") {
        let (from, to) = (from.trim(), to.trim());
        return match (from, to) {
            ("", _) => Err(TimeError::NoStart),
            (_, "") => Err(TimeError::NoEnd),
            _ => TimeSpan::between(end_of_span(from, context)?, end_of_span(to, context)?, context),
        };
    }
    let Some((from, length)) = text.split_once('/') else {
        return Err(TimeError::NoSpan(quotable(text)));
    };
    if from.trim().is_empty() {
        return Err(TimeError::NoStart);
    }
    let from_ms = end_of_span(from, context)?;
    let to_ms = from_ms.checked_add(parse_length(length)?).ok_or(TimeError::OutOfYears)?;
    TimeSpan::between(from_ms, context.in_range(to_ms)?, context)
}

fn parse_length(text: &str) -> Result<i64, TimeError> {
    let text = text.trim().to_ascii_lowercase();
    match parse_distance(&text) {
        Err(TimeError::Distance(_)) => Err(TimeError::Length(quotable(&text))),
        length => length,
    }
}

fn end_of_span(text: &str, context: &TimeContext) -> Result<i64, TimeError> {
    match parse_time(text, context)? {
        ResolvedTime::At(at_ms) => Ok(at_ms),
        ResolvedTime::Now => Ok(context.now_ms),
        ResolvedTime::First => context.first_record_ms.ok_or(TimeError::FirstUnknown),
        ResolvedTime::Outage(id) => Err(TimeError::OutageUnknown(id)),
    }
}
