//! Times of day: `14:05`, `14:05:30.120`, `14:05Z`, `14:05+02:00`.

use jiff::civil::Time;
use jiff::tz::{Offset, TimeZone};

use super::digits::{is_number, parse_millis};
use super::error::{TimeError, quotable};

/// A time of day, to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClockTime {
    pub(super) time: Time,
    /// `None`: in the zone of the context.
    offset: Option<Offset>,
}

impl ClockTime {
    /// Parses one word, or two of which the second one is the offset.
    ///
    /// # Errors
    /// [`TimeError::ClockTime`], [`TimeError::Offset`], or [`TimeError::Unknown`] for more words.
    pub(super) fn parse(words: &[&str]) -> Result<Self, TimeError> {
        let (time, offset) = match words {
            [word] => {
                let is_time = |c: char| c.is_ascii_digit() || c == ':' || c == '.';
                word.split_at(word.find(|c| !is_time(c)).unwrap_or(word.len()))
            }
            [time, offset] => (*time, *offset),
            _ => return Err(TimeError::Unknown(quotable(&words.join(" ")))),
        };
        let time = parse_time_of_day(time).map_err(|problem| TimeError::ClockTime {
            text: quotable(&words.join(" ")),
            problem,
        })?;
        let offset = match offset {
            "" => None,
            "z" | "utc" => Some(Offset::UTC),
            _ => Some(parse_offset(offset).ok_or_else(|| TimeError::Offset(quotable(offset)))?),
        };
        Ok(Self { time, offset })
    }

    /// Returns the zone in which it is a time of day.
    pub(super) fn zone(self, of_context: &TimeZone) -> TimeZone {
        self.offset.map_or_else(|| of_context.clone(), TimeZone::fixed)
    }
}

fn parse_time_of_day(text: &str) -> Result<Time, &'static str> {
    const FORM: &str = "write it as 14:05 or 14:05:30";
    let mut parts = text.split(':');
    let mut next = || parts.next();
    let (Some(hour), Some(minute), seconds, None) = (next(), next(), next(), next()) else {
        return Err(FORM);
    };
    let (second, fraction) = match seconds {
        Some(seconds) => seconds.split_once('.').unwrap_or((seconds, "0")),
        None => ("00", "0"),
    };
    if hour.len() > 2 || minute.len() != 2 || second.len() != 2 {
        return Err(FORM);
    }
    let number = |digits: &str| match is_number(digits) {
        true => digits.parse::<i8>().map_err(|_| FORM),
        false => Err(FORM),
    };
    let (hour, minute, second) = (number(hour)?, number(minute)?, number(second)?);
    let nanos = i32::from(parse_millis(fraction).ok_or(FORM)?) * 1_000_000;
    match (hour, minute, second) {
        (24, 0, 0) => Err("the end of a day is 00:00 of the day after it"),
        (24.., _, _) => Err("hours go from 00 to 23, as in 14:05"),
        (_, 60.., _) => Err("minutes go from 00 to 59, as in 14:05"),
        (_, _, 60..) => Err("seconds go from 00 to 59, as in 14:05:30"),
        _ => Time::new(hour, minute, second, nanos).map_err(|_| FORM),
    }
}

/// Parses `+02`, `+0200`, `+02:00` and, as zones had them before 1900, `+02:00:30`.
fn parse_offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let has_form = match digits.contains(':') {
        true => digits.split(':').all(|part| part.len() == 2 && is_number(part)),
        false => matches!(digits.len(), 2 | 4) && is_number(digits),
    };
    let digits = digits.replace(':', "");
    if !has_form || digits.len() > 6 {
        return None;
    }
    let pair = |at| digits.get(at..at + 2).map_or(Some(0), |pair: &str| pair.parse::<i32>().ok());
    let (hours, minutes, seconds) = (pair(0)?, pair(2)?, pair(4)?);
    let is_in_range = hours < 24 && minutes < 60 && seconds < 60;
    let all = Offset::from_seconds(sign * (hours * 3_600 + minutes * 60 + seconds)).ok()?;
    is_in_range.then_some(all)
}
