//! `[[window]]`: windows of maintenance, which come again.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::alert_filter::AlertFilter;
use crate::local_hours::{HoursSpan, LocalHours};
use crate::text::{ConfigError, ConfigText};
use crate::value::{ConfigString, StringSetting};

/// Most windows.
pub(crate) const WINDOWS_MAX: usize = 200;

/// `[[window]]`, as it stands: from a time of day to another, in local time, right across changes of the clock. One
/// that ends at or before its begin ends on the next day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct WindowSection {
    /// Of agents.
    #[serde(rename = "match")]
    pub filter: Spanned<String>,
    /// Days on which it begins; every day where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<ConfigString<WindowDay>>,
    pub from: ConfigString<TimeOfDay>,
    pub to: ConfigString<TimeOfDay>,
    /// UTC where there is none.
    pub zone: Option<ConfigString<ZoneName>>,
    pub reason: String,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowDay(pub Weekday);

pub(crate) const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl StringSetting for WindowDay {
    const EXPECTED: &'static str = "a day: mon, tue, wed, thu, fri, sat or sun";

    fn parse(text: &str) -> Option<Self> {
        let day = DAYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        day.map(|(_, day)| Self(*day))
    }

    fn print(&self) -> String {
        let day = DAYS.iter().find(|(_, day)| *day == self.0);
        day.map_or_else(String::new, |(name, _)| (*name).to_owned())
    }
}

/// A time of day, by a local clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDay(pub Time);

impl StringSetting for TimeOfDay {
    const EXPECTED: &'static str = "a time of day such as \"23:00\"";

    fn parse(text: &str) -> Option<Self> {
        let parse = |form: &str| Time::strptime(form, text).ok();
        parse("%H:%M").or_else(|| parse("%H:%M:%S")).map(Self)
    }

    fn print(&self) -> String {
        let form = if self.0.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
        self.0.strftime(form).to_string()
    }
}

/// The name of a time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneName(pub TimeZone);

impl StringSetting for ZoneName {
    const EXPECTED: &'static str = "the name of a time zone such as \"Europe/Berlin\" or \"UTC\"";

    fn parse(text: &str) -> Option<Self> {
        TimeZone::get(text).ok().map(Self)
    }

    fn print(&self) -> String {
        self.0.iana_name().unwrap_or("UTC").to_owned()
    }
}

impl WindowSection {
    pub(crate) fn check(&self, text: &ConfigText) -> Result<(), ConfigError> {
        AlertFilter::in_file(&self.filter, text)?;
        if self.reason.trim().is_empty() {
            let message = "expected a reason for this window, found none";
            return Err(text.error_at(self.filter.span().start, message));
        }
        Ok(())
    }

    /// Returns the window that lasts at a time, or else the next one within eight days; `None` where there is none.
    pub fn span_at(&self, now_ms: i64) -> Option<HoursSpan> {
        let zone = self.zone.as_ref().map_or(TimeZone::UTC, |zone| zone.0.0.clone());
        let days: Vec<Weekday> = self.days.iter().map(|day| day.0.0).collect();
        let hours = LocalHours { days: &days, from: self.from.0.0, to: self.to.0.0 };
        hours.span_at(now_ms, &zone)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn window(days: &[&str], from: &str, to: &str, zone: &str) -> WindowSection {
        let text = format!(
            "match = \"host:m3*\"\ndays = {days:?}\nfrom = \"{from}\"\nto = \"{to}\"\n\
             zone = \"{zone}\"\nreason = \"image builds\"\n"
        );
        toml::from_str(&text).unwrap()
    }

    fn ms(time: &str) -> i64 {
        time.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn span(window: &WindowSection, now: &str) -> (String, String) {
        let span = window.span_at(ms(now)).expect("one lasts or comes");
        let text = |ms| Timestamp::from_millisecond(ms).unwrap().to_string();
        (text(span.from_ms), text(span.until_ms))
    }

    fn expected(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn a_window_over_midnight_goes_on_on_the_next_day() {
        // 2026-11-29 is a Sunday.
        let window = window(&["sun"], "23:00", "02:00", "UTC");
        let night = expected("2026-11-29T23:00:00Z", "2026-11-30T02:00:00Z");
        for now in ["2026-11-27T04:00:00Z", "2026-11-29T23:30:00Z", "2026-11-30T01:59:59Z"] {
            assert_eq!(span(&window, now), night, "{now}");
        }
        let next = expected("2026-12-06T23:00:00Z", "2026-12-07T02:00:00Z");
        assert_eq!(span(&window, "2026-11-30T02:00:00Z"), next);
    }

    #[test]
    fn a_window_keeps_its_local_times_across_changes_of_the_clock() {
        let window = window(&[], "01:00", "04:00", "Europe/Berlin");
        // The clock is set from 3 to 2: four hours. From 2 to 3: two.
        let autumn = expected("2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z");
        assert_eq!(span(&window, "2026-10-25T02:00:00Z"), autumn);
        let spring = expected("2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z");
        assert_eq!(span(&window, "2026-03-29T01:30:00Z"), spring);
        let summer = expected("2026-06-30T23:00:00Z", "2026-07-01T02:00:00Z");
        assert_eq!(span(&window, "2026-07-01T00:00:00Z"), summer);
    }

    #[test]
    fn settings_are_printed_as_they_are_read() {
        let printed = |window: &WindowSection| toml::to_string(window).unwrap();
        let window = window(&["mon", "fri"], "23:00", "02:30:15", "Europe/Berlin");
        let text = printed(&window);
        assert!(text.contains("from = \"23:00\"") && text.contains("to = \"02:30:15\""), "{text}");
        assert!(text.contains("zone = \"Europe/Berlin\""), "{text}");
        let again: WindowSection = toml::from_str(&text).unwrap();
        assert_eq!(printed(&again), text);
    }
}
