//! The range of time that a command is about: `--since` and `--until`, in the grammar of
//! [`heartline_operator::time`] and in UTC.

use heartline_operator::client::Client;
use heartline_operator::time::{ResolvedTime, TimeContext, TimeExpression, TimeSpan};

use crate::error::CliError;
use crate::time_lookup::{context_of, first_record_ms};

/// `--since` and `--until` as they were written.
pub(crate) struct TimeRangeExpression {
    since: Option<TimeExpression>,
    until: Option<TimeExpression>,
}

/// A range of time, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeRange {
    /// `None`: from the first record on.
    pub(crate) since_ms: Option<i64>,
    /// The first instant behind it; `None`: it has no end.
    pub(crate) until_ms: Option<i64>,
}

impl TimeRangeExpression {
    /// Parses both flags. A duration without a sign is counted back.
    ///
    /// # Errors
    /// [`CliError::Time`] with the flag, and what is wrong with its text.
    pub(crate) fn parse(since: Option<&str>, until: Option<&str>) -> Result<Self, CliError> {
        let parse = |flags, text: Option<&str>| {
            let parsed = text.map(TimeExpression::parse_past).transpose();
            parsed.map_err(|error| CliError::Time { flags, error })
        };
        Ok(Self { since: parse("--since", since)?, until: parse("--until", until)? })
    }

    /// Returns the range that a collector is asked for; without `--since` it is `default_ms` long.
    ///
    /// # Errors
    /// As [`Self::resolve`] and [`context_of`].
    pub(crate) async fn lookup(
        &self,
        client: &Client,
        default_ms: i64,
    ) -> Result<TimeRange, CliError> {
        let context = context_of(client, self.since.iter().chain(&self.until)).await?;
        self.resolve(&context, default_ms)
    }

    /// Returns the range that is meant in a context. It may reach back before the first record: there is just
    /// nothing older.
    ///
    /// # Errors
    /// [`CliError::Time`] for a time in the future, and for a range that is empty or ends before it
    /// starts; [`CliError::Usage`] for a time that has no meaning here.
    fn resolve(&self, context: &TimeContext, default_ms: i64) -> Result<TimeRange, CliError> {
        let until_ms = match resolve("--until", self.until.as_ref(), context)? {
            Some(RangeEnd::First) => {
                return Err(CliError::usage("--until first: nothing is before the first record"));
            }
            Some(RangeEnd::At(at_ms)) => Some(at_ms),
            None => None,
        };
        let since_ms = match resolve("--since", self.since.as_ref(), context)? {
            Some(RangeEnd::First) => None,
            Some(RangeEnd::At(at_ms)) => Some(at_ms),
            None => Some(until_ms.unwrap_or(context.now_ms).saturating_sub(default_ms)),
        };
        if let (Some(since_ms), Some(until_ms)) = (since_ms, until_ms) {
            TimeSpan::between(since_ms, until_ms, context)
                .map_err(|error| CliError::Time { flags: "--since and --until", error })?;
        }
        Ok(TimeRange { since_ms, until_ms })
    }
}

/// One moment as it was written.
pub(crate) struct MomentExpression {
    flag: &'static str,
    moment: TimeExpression,
}

/// Parses the moment of a flag. A duration without a sign is counted back.
///
/// # Errors
/// [`CliError::Time`] with the flag, and what is wrong with its text.
pub(crate) fn parse_moment(flag: &'static str, text: &str) -> Result<MomentExpression, CliError> {
    let moment = TimeExpression::parse_past(text);
    let moment = moment.map_err(|error| CliError::Time { flags: flag, error })?;
    Ok(MomentExpression { flag, moment })
}

impl MomentExpression {
    /// Returns the moment that is meant by the collector's clock, in ms since 1970.
    ///
    /// # Errors
    /// [`CliError::Time`] for a time in the future; [`CliError::NotDone`] where there is no first record, and
    /// for an outage that there is not.
    pub(crate) async fn lookup(&self, client: &Client) -> Result<i64, CliError> {
        let context = context_of(client, [&self.moment]).await?;
        match resolve(self.flag, Some(&self.moment), &context)? {
            Some(RangeEnd::At(at_ms)) => Ok(at_ms),
            Some(RangeEnd::First) | None => first_record_ms(client).await?.ok_or_else(|| {
                CliError::NotDone(format!("{}: there is no first record yet", self.flag))
            }),
        }
    }
}

/// An end of a range.
enum RangeEnd {
    At(i64),
    First,
}

fn resolve(
    flags: &'static str,
    expression: Option<&TimeExpression>,
    context: &TimeContext,
) -> Result<Option<RangeEnd>, CliError> {
    let Some(expression) = expression else { return Ok(None) };
    let resolved = expression.resolve(context);
    match resolved.map_err(|error| CliError::Time { flags, error })? {
        ResolvedTime::At(at_ms) => Ok(Some(RangeEnd::At(at_ms))),
        ResolvedTime::Now => Ok(Some(RangeEnd::At(context.now_ms))),
        ResolvedTime::First => Ok(Some(RangeEnd::First)),
        ResolvedTime::Outage(id) => {
            Err(CliError::Usage(format!("{flags}: outage #{id} was not looked up: write a time")))
        }
    }
}

#[cfg(test)]
mod tests {
    use heartline_operator::text::timestamp;

    use super::*;

    /// 2026-11-26T12:34:56.789Z, a Thursday.
    const NOW_MS: i64 = 1_795_696_496_789;
    const DAY_MS: i64 = 86_400_000;

    fn resolved(since: Option<&str>, until: Option<&str>) -> Result<TimeRange, CliError> {
        TimeRangeExpression::parse(since, until)?.resolve(&TimeContext::utc(NOW_MS), DAY_MS)
    }

    /// Returns both ends as texts, `-` where there is none.
    #[track_caller]
    fn ends(since: Option<&str>, until: Option<&str>) -> [String; 2] {
        let range = resolved(since, until).unwrap_or_else(|error| panic!("{error}"));
        [range.since_ms, range.until_ms].map(|it| it.map_or("-".to_owned(), timestamp))
    }

    #[test]
    fn times_are_in_utc_and_durations_are_counted_back() {
        let table = [
            ("2h", "2026-11-26T10:34:56.789Z"),
            ("-2h", "2026-11-26T10:34:56.789Z"),
            ("2h ago", "2026-11-26T10:34:56.789Z"),
            ("7d", "2026-11-19T12:34:56.789Z"),
            ("14:05", "2026-11-25T14:05:00.000Z"),
            ("yesterday", "2026-11-25T00:00:00.000Z"),
            ("2026-11-20", "2026-11-20T00:00:00.000Z"),
            ("2026-11-20T14:05:00+02:00", "2026-11-20T12:05:00.000Z"),
            ("2026-11-20T14:05:00.120Z", "2026-11-20T14:05:00.120Z"),
            ("1970-01-01", "1970-01-01T00:00:00.000Z"),
            ("now", "2026-11-26T12:34:56.789Z"),
            ("first", "-"),
        ];
        for (text, expected) in table {
            assert_eq!(ends(Some(text), None), [expected, "-"], "{text}");
        }
    }

    #[test]
    fn without_since_it_is_the_day_before_its_end() {
        assert_eq!(ends(None, None), ["2026-11-25T12:34:56.789Z", "-"]);
        let expected = ["2026-11-24T00:00:00.000Z", "2026-11-25T00:00:00.000Z"];
        assert_eq!(ends(None, Some("yesterday")), expected);
        let expected = ["2026-11-26T08:34:56.789Z", "2026-11-26T10:34:56.789Z"];
        assert_eq!(ends(Some("4h"), Some("2h")), expected);
        assert_eq!(ends(Some("first"), Some("now")), ["-", "2026-11-26T12:34:56.789Z"]);
    }

    #[test]
    fn a_range_that_has_no_meaning_is_refused_with_its_flag() {
        let table = [
            (Some("soon"), None, "--since: \"soon\" is no time"),
            (None, Some("25:99"), "--until: \"25:99\" is no time of day"),
            (Some("1y"), None, "--since: \"1y\" has no fixed length"),
            (Some("+1h"), None, "--since: Thu 2026-11-26 13:34:56Z is in the future"),
            (None, Some("2026-11-27"), "--until: Fri 2026-11-27 00:00:00Z is in the future"),
            (Some("#7"), None, "--since: outage #7 was not looked up"),
            (None, Some("first"), "--until first: nothing is before"),
            (Some("1h"), Some("2h"), "--since and --until: the span ends before it starts: from"),
            (Some("now"), Some("now"), "--since and --until: the span is empty"),
        ];
        for (since, until, expected) in table {
            let error = resolved(since, until).expect_err(expected);
            assert!(error.to_string().starts_with(expected), "{error}");
            assert_eq!(
                format!("{:?}", error.exit_code()),
                format!("{:?}", std::process::ExitCode::from(2))
            );
        }
    }
}
