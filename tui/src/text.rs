//! Text that fits its cell and can't control the terminal, and figures in a fixed, small width.
//!
//! What agents send was scrubbed when it was decoded. It is filtered once more here, because this
//! is the last place before the terminal.

use std::borrow::Cow;

use heartline_operator::text;
use heartline_vocabulary::text::is_hostile;
use jiff::{Timestamp, tz::TimeZone};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub(crate) use heartline_operator::text::{EventText, GlyphSet, age, count, latency, span};

/// The side to which a cell's text is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextAlign {
    Left,
    Right,
}

/// Removes control, bidirectional and zero-width characters.
pub(crate) fn strip_unsafe(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|&c| !is_unprintable(c)).collect())
}

/// Returns whether a character is hostile, or takes no column: then cells would not have their width.
pub(crate) fn is_unprintable(c: char) -> bool {
    is_hostile(c) || c.width() == Some(0)
}

/// Returns the columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Returns a safe text of exactly `columns`: padded, or truncated with `ellipsis` at its end.
pub(crate) fn fit(text: &str, columns: usize, align: TextAlign, ellipsis: &str) -> String {
    let text = strip_unsafe(text);
    let taken = width(&text);
    if taken <= columns {
        let pad = " ".repeat(columns - taken);
        return match align {
            TextAlign::Left => format!("{text}{pad}"),
            TextAlign::Right => format!("{pad}{text}"),
        };
    }
    let room = columns.saturating_sub(width(ellipsis));
    let mut cut = String::with_capacity(columns);
    let mut used = 0;
    for c in text.chars() {
        let columns_of_c = c.width().unwrap_or(0);
        if used + columns_of_c > room {
            break;
        }
        cut.push(c);
        used += columns_of_c;
    }
    if columns > 0 {
        cut.push_str(ellipsis);
        used += width(ellipsis);
    }
    cut.extend(std::iter::repeat_n(' ', columns.saturating_sub(used)));
    cut
}

/// Breaks a text between words into safe lines of at most `columns`; at least one. A word that is
/// longer is broken, too.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in strip_unsafe(text).split_whitespace() {
        let last = lines.last_mut().expect("there is always a line");
        if !last.is_empty() && width(last) + 1 + width(word) > columns {
            lines.push(String::new());
        } else if !last.is_empty() {
            last.push(' ');
        }
        for c in word.chars() {
            let last = lines.last_mut().expect("there is always a line");
            if !last.is_empty() && width(last) + c.width().unwrap_or(0) > columns {
                lines.push(c.to_string());
            } else {
                last.push(c);
            }
        }
    }
    lines
}

/// Breaks a text as [`wrap`], into at most `most` lines: the last one then has all the rest, which is
/// truncated where it is drawn.
pub(crate) fn wrap_at_most(text: &str, columns: usize, most: usize) -> Vec<String> {
    let mut lines = wrap(text, columns);
    if lines.len() > most {
        let rest = lines.split_off(most - 1);
        lines.push(rest.join(" "));
    }
    lines
}

/// Formats the time since `then_ms`; `-` when there is no such moment.
pub(crate) fn age_since(then_ms: Option<i64>, now_ms: i64) -> String {
    then_ms.map_or_else(
        || "-".to_owned(),
        |then| age(u64::try_from(now_ms.saturating_sub(then)).unwrap_or(0)),
    )
}

/// Formats nano-dollars as dollars and cents: `3.75`, `1204`.
pub(crate) fn cost(nano_usd: u64) -> String {
    let cents = nano_usd / 10_000_000;
    if cents < 100_000 { format!("{}.{:02}", cents / 100, cents % 100) } else { count(cents / 100) }
}

/// Formats a share in percent; `-` when it is unknown.
pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), text::percent)
}

/// Formats tasks a minute: `41.0`, `1200`, `12.3k`.
pub(crate) fn rate(per_minute: f64) -> String {
    if per_minute < 1_000.0 { format!("{per_minute:.1}") } else { count(per_minute as u64) }
}

/// Formats tasks a minute; `-` when the rate is unknown.
pub(crate) fn rate_if_known(per_minute: Option<f64>) -> String {
    per_minute.map_or_else(|| "-".to_owned(), rate)
}

/// Formats the time of day in a zone: `12:04:31`.
pub(crate) fn time_of_day(ms: i64, zone: &TimeZone) -> String {
    format_time(ms, zone, "%H:%M:%S")
}

/// Formats the short name of a zone at a time: `UTC`, `CEST`, `+0530`.
pub(crate) fn zone_abbreviation(ms: i64, zone: &TimeZone) -> String {
    format_time(ms, zone, "%Z")
}

/// Formats the time of day with milliseconds, or on another day than `today_ms` the date and time.
pub(crate) fn date_or_time(ms: i64, today_ms: i64, zone: &TimeZone) -> String {
    let same_day = format_time(ms, zone, "%F") == format_time(today_ms, zone, "%F");
    if same_day {
        let millis = ms.rem_euclid(1_000);
        format!("{}.{millis:03}", format_time(ms, zone, "%H:%M:%S"))
    } else {
        format_time(ms, zone, "%m-%d %H:%M")
    }
}

fn format_time(ms: i64, zone: &TimeZone, pattern: &str) -> String {
    Timestamp::from_millisecond(ms).map_or_else(
        |_| "-".to_owned(),
        |at| at.to_zoned(zone.clone()).strftime(pattern).to_string(),
    )
}

/// From this share of the time on it is not said how much was observed.
const WELL_OBSERVED: f64 = 0.9;

/// Formats a share of the time, and of how much of the time it is where that is little.
pub(crate) fn availability(up: f64, observed: f64) -> String {
    let of = match observed < WELL_OBSERVED {
        true => format!(" of {} % observed", percent(Some(observed))),
        false => String::new(),
    };
    format!("{} %{of}", hundredths(up))
}

/// Formats a share in percent with two digits behind the point, rounded down: a second of outage is
/// never 100.
fn hundredths(share: f64) -> String {
    let hundredths = (share.clamp(0.0, 1.0) * 10_000.0 + 1e-9).floor() as u64;
    if hundredths >= 10_000 {
        return if share >= 1.0 { "100".to_owned() } else { "99.99".to_owned() };
    }
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_control_a_terminal_are_removed() {
        assert_eq!(strip_unsafe("a\u{1b}[31mb\u{202e}c\u{200b}\u{7f}\n"), "a[31mbc");
        assert!(matches!(strip_unsafe("plain-name"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_fitted_text_has_exactly_its_width() {
        for text in ["", "abc", "abcdefghijkl", "日本語のエージェント", "e\u{301}"] {
            for columns in 0..12 {
                assert_eq!(width(&fit(text, columns, TextAlign::Left, "…")), columns, "{text:?}");
                assert_eq!(width(&fit(text, columns, TextAlign::Right, "…")), columns, "{text:?}");
            }
        }
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrap("a bc  def g", 4), ["a bc", "def", "g"]);
        assert_eq!(wrap("abcdefgh i", 4), ["abcd", "efgh", "i"]);
        assert_eq!(wrap("日本語 x", 4), ["日本", "語 x"]);
        assert_eq!(wrap_at_most("a b c d", 1, 2), ["a", "b c d"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn text_is_aligned_right_or_truncated_with_an_ellipsis() {
        assert_eq!(fit("3s", 5, TextAlign::Right, "…"), "   3s");
        assert_eq!(fit("report-generator", 8, TextAlign::Left, "…"), "report-…");
    }

    #[test]
    fn figures_fit_their_columns() {
        assert_eq!(cost(3_750_000_000), "3.75");
        assert_eq!(cost(1_204_990_000_000), "1204");
        assert_eq!(rate(41.0), "41.0");
        assert_eq!(rate(12_300.0), "12.3k");
        assert_eq!(percent(None), "-");
        assert_eq!(percent(Some(0.999_999)), "99.9");
    }

    #[test]
    fn a_time_of_another_day_shows_its_date() {
        let zone = TimeZone::UTC;
        assert_eq!(date_or_time(1_775_000_000_204, 1_775_000_000_000, &zone), "23:33:20.204");
        assert_eq!(date_or_time(1_775_000_000_204, 1_775_090_000_000, &zone), "03-31 23:33");
    }
}
