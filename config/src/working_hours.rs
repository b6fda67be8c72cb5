//! Hours in words, such as "weekdays 09:00–17:00".

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use crate::local_hours::{HoursSpan, LocalHours};
use crate::value::StringSetting;
use crate::window::{DAYS, TimeOfDay, WindowDay};

/// Days of the week and a time of day, from one to another: `DAYS FROM-TO`, or one of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkingHours {
    /// In the order of the week, Monday first; never none.
    days: Vec<Weekday>,
    from: Time,
    /// At or before `from`: on the next day.
    to: Time,
}

impl WorkingHours {
    /// Returns those that last at a time, or else the next ones; `None` where the calendar ends.
    pub fn span_at(&self, now_ms: i64, zone: &TimeZone) -> Option<HoursSpan> {
        LocalHours { days: &self.days, from: self.from, to: self.to }.span_at(now_ms, zone)
    }

    /// Returns them as they stand after "on" in a sentence.
    pub(crate) fn in_words(&self) -> String {
        let days = if self.days.len() == DAYS.len() { "all days" } else { &print_days(&self.days) };
        self.print_with(days)
    }

    fn print_with(&self, days: &str) -> String {
        if [self.from, self.to] == [Time::midnight(); 2] {
            return days.to_owned();
        }
        let [from, to] = [self.from, self.to].map(|time| TimeOfDay(time).print());
        format!("{days} {from}–{to}")
    }

    /// Returns how long they last where the clock is not set, in s.
    pub(crate) fn length_s(&self) -> u64 {
        let seconds = |time: Time| {
            i64::from(time.hour()) * 3_600
                + i64::from(time.minute()) * 60
                + i64::from(time.second())
        };
        let length = seconds(self.to) - seconds(self.from);
        let length = if length > 0 { length } else { length + 86_400 };
        u64::try_from(length).unwrap_or(86_400)
    }
}

impl StringSetting for WorkingHours {
    const EXPECTED: &'static str = "days and hours such as \"weekdays 09:00-17:00\", \"mon-thu,sat 22:00-06:00\" \
                                    or \"daily 08:00-20:00\"";

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let first = words.next()?;
        let second = words.next();
        if words.next().is_some() {
            return None;
        }
        let (days, times) = match second {
            Some(times) => (parse_days(first)?, parse_times(times)?),
            None => match parse_times(first) {
                Some(times) => (all_days(), times),
                None => (parse_days(first)?, (Time::midnight(), Time::midnight())),
            },
        };
        Some(Self { days, from: times.0, to: times.1 })
    }

    fn print(&self) -> String {
        self.print_with(&print_days(&self.days))
    }
}

fn all_days() -> Vec<Weekday> {
    DAYS.iter().map(|(_, day)| *day).collect()
}

/// Splits at a hyphen or an en dash.
fn parse_range(text: &str) -> Option<(&str, &str)> {
    text.split_once('-').or_else(|| text.split_once('–'))
}

fn parse_times(text: &str) -> Option<(Time, Time)> {
    let (from, to) = parse_range(text)?;
    // The end of a day is the begin of the next one.
    let to = if to == "24:00" { "00:00" } else { to };
    Some((TimeOfDay::parse(from)?.0, TimeOfDay::parse(to)?.0))
}

fn parse_days(text: &str) -> Option<Vec<Weekday>> {
    let mut is_chosen = [false; 7];
    for part in text.split(',') {
        let part = part.to_ascii_lowercase();
        let (first, last) = match part.as_str() {
            "daily" => (0, 6),
            "weekdays" => (0, 4),
            "weekends" => (5, 6),
            part => match parse_range(part) {
                Some((first, last)) => (place(first)?, place(last)?),
                None => (place(part)?, place(part)?),
            },
        };
        let days = (last + 7 - first) % 7;
        (0..=days).for_each(|offset| is_chosen[(first + offset) % 7] = true);
    }
    Some(DAYS.iter().zip(is_chosen).filter(|(_, is)| *is).map(|((_, day), _)| *day).collect())
}

/// Returns the place of a day in the week.
fn place(name: &str) -> Option<usize> {
    let day = WindowDay::parse(name)?;
    DAYS.iter().position(|(_, it)| *it == day.0)
}

fn print_days(days: &[Weekday]) -> String {
    let weekdays = &all_days()[..5];
    match days {
        _ if days.len() == DAYS.len() => "daily".to_owned(),
        _ if days == weekdays => "weekdays".to_owned(),
        _ => {
            let names: Vec<String> = days.iter().map(|day| WindowDay(*day).print()).collect();
            names.join(",")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_with_either_dash_and_printed_one_way() {
        for (text, printed) in [
            ("weekdays 09:00–17:00", "weekdays 09:00–17:00"),
            ("mon-fri 09:00-17:00", "weekdays 09:00–17:00"),
            ("Sat,sun 22:00-06:00", "sat,sun 22:00–06:00"),
            ("sun-mon 08:00-24:00", "mon,sun 08:00–00:00"),
            ("08:00-20:00", "daily 08:00–20:00"),
            ("weekdays", "weekdays"),
            ("daily 00:00-24:00", "daily"),
        ] {
            let hours = WorkingHours::parse(text).expect(text);
            assert_eq!(hours.print(), printed, "{text}");
            assert_eq!(WorkingHours::parse(&hours.print()), Some(hours));
        }
        for text in ["", "workdays", "mon 9-17", "mon-", "mon 09:00", "mon 09:00-17:00 UTC", ","] {
            assert_eq!(WorkingHours::parse(text), None, "{text}");
        }
    }

    #[test]
    fn hours_keep_their_local_times_across_changes_of_the_clock() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let hours = WorkingHours::parse("weekdays 09:00-17:00").unwrap();
        let ms = |time: &str| time.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let span = |now: &str| hours.span_at(ms(now), &zone).unwrap();
        // Friday and Monday around the 29th of March 2026, when the clock is set from 2 to 3.
        let friday = span("2026-03-27T10:00:00Z");
        assert_eq!(
            (friday.from_ms, friday.until_ms),
            (ms("2026-03-27T08:00Z"), ms("2026-03-27T16:00Z"))
        );
        let monday = span("2026-03-27T16:00:00Z");
        assert_eq!(
            (monday.from_ms, monday.until_ms),
            (ms("2026-03-30T07:00Z"), ms("2026-03-30T15:00Z"))
        );
    }
}
