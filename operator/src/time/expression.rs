//! A time as it was written, before it is known what it is relative to.

use jiff::Timestamp;

use super::TimeError;
use super::clock_time::ClockTime;
use super::day::Day;
use super::digits::{is_number, parse_millis};
use super::distance::parse_distance;
use super::error::quotable;

/// Longest text of a time or span, in bytes.
pub(super) const MAX_LEN: usize = 100;

/// A time as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeExpression(pub(super) TimeForm);

/// The forms of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeForm {
    Now,
    First,
    Outage(u64),
    /// Milliseconds since 1970.
    Instant(i64),
    /// Milliseconds from the instant in view, or from now.
    Distance(i64),
    Clock(ClockTime),
    Day(Day, Option<ClockTime>),
}

/// What a duration without a sign is.
#[derive(Clone, Copy)]
enum BareDuration {
    Refused,
    Past,
}

impl TimeExpression {
    /// Parses a time.
    ///
    /// # Errors
    /// [`TimeError`] says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        parse_form(text, BareDuration::Refused).map(Self)
    }

    /// Parses a time where only the past is meant, so that a duration without a sign is counted back:
    /// `2h` is `-2h`.
    ///
    /// # Errors
    /// As [`TimeExpression::parse`].
    pub fn parse_past(text: &str) -> Result<Self, TimeError> {
        parse_form(text, BareDuration::Past).map(Self)
    }

    /// Returns the number of the outage that it names.
    pub fn outage(&self) -> Option<u64> {
        match self.0 {
            TimeForm::Outage(number) => Some(number),
            _ => None,
        }
    }
}

fn parse_form(text: &str, bare: BareDuration) -> Result<TimeForm, TimeError> {
    let text = checked(text)?.to_ascii_lowercase();
    let signed = |distance, sign: i64| Ok(TimeForm::Distance(sign * parse_distance(distance)?));
    match text.as_bytes() {
        b"now" => return Ok(TimeForm::Now),
        b"first" => return Ok(TimeForm::First),
        [b'#', ..] => return parse_outage(&text),
        [b'@', ..] => return parse_unix_seconds(&text),
        // A flag that stands where its value is missing.
        [b'-', b'-', ..] => return Err(TimeError::Unknown(quotable(&text))),
        [b'+', ..] => return signed(&text[1..], 1),
        [b'-', ..] => return signed(&text[1..], -1),
        _ => {}
    }
    if let Some(distance) = text.strip_suffix("ago") {
        return signed(distance, -1);
    }
    // In RFC 3339 a T stands between day and time.
    let spaced = with_space_for_t(&text);
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (day, time) = Day::parse(&words)?;
    match (day, time) {
        (Some(day), []) => Ok(TimeForm::Day(day, None)),
        (Some(day), time) => Ok(TimeForm::Day(day, Some(ClockTime::parse(time)?))),
        (None, [first, ..]) if first.contains(':') => Ok(TimeForm::Clock(ClockTime::parse(time)?)),
        (None, _) => parse_bare_duration(&text, bare),
    }
}

/// Parses what is no form of a time, unless it is a duration.
fn parse_bare_duration(text: &str, bare: BareDuration) -> Result<TimeForm, TimeError> {
    match (parse_distance(text), bare) {
        (Ok(_), BareDuration::Refused) => Err(TimeError::Unsigned(quotable(text))),
        (Ok(distance_ms), BareDuration::Past) => Ok(TimeForm::Distance(-distance_ms)),
        // A word, or a number: it may have been meant as anything.
        (Err(TimeError::Distance(_)), _) => Err(TimeError::Unknown(quotable(text))),
        (Err(error), _) => Err(error),
    }
}

/// Returns a text without spaces around it, if it can be a time or a span at all.
pub(super) fn checked(text: &str) -> Result<&str, TimeError> {
    let text = text.trim();
    match text {
        "" => Err(TimeError::Empty),
        _ if text.len() > MAX_LEN => Err(TimeError::TooLong),
        _ if text.chars().any(|c| c.is_numeric() && !c.is_ascii()) => {
            Err(TimeError::ForeignDigits(quotable(text)))
        }
        _ => Ok(text),
    }
}

fn parse_outage(text: &str) -> Result<TimeForm, TimeError> {
    let id = if is_number(&text[1..]) { text[1..].parse().ok() } else { None };
    id.map(TimeForm::Outage).ok_or_else(|| TimeError::Outage(quotable(text)))
}

/// Parses `@1761955200` and `@1761955200.120`. What is behind the milliseconds is dropped.
fn parse_unix_seconds(text: &str) -> Result<TimeForm, TimeError> {
    let (whole, fraction) = text[1..].split_once('.').unwrap_or((&text[1..], "0"));
    let Some(millis) = parse_millis(fraction).filter(|_| is_number(whole)) else {
        return Err(TimeError::UnixSeconds(quotable(text)));
    };
    let seconds: Option<i64> = whole.parse().ok();
    let at_ms = seconds.and_then(|it| it.checked_mul(1_000)?.checked_add(millis.into()));
    // Milliseconds, which are often pasted, are beyond the years, too.
    let at_ms = at_ms.filter(|ms| Timestamp::from_millisecond(*ms).is_ok());
    at_ms.map(TimeForm::Instant).ok_or_else(|| TimeError::UnixSeconds(quotable(text)))
}

/// Returns the text with a space for each `t` between two digits.
fn with_space_for_t(text: &str) -> String {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let is_separator =
        |at: usize| bytes[at] == b't' && at > 0 && is_digit(at - 1) && is_digit(at + 1);
    text.char_indices().map(|(at, c)| if is_separator(at) { ' ' } else { c }).collect()
}
