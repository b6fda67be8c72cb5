//! What an answer means.

use std::time::Duration;

use heartline_config::Secret;

use super::retry_after::{HTTP_DATE, json_retry_after, retry_after};
use crate::text::{clean_to, duration};
use crate::{Arrival, Outcome, Permanence};

/// Characters of an answer that are kept.
const KEPT_MAX: usize = 200;

/// Difference of clocks from which receivers refuse a signature (Standard Webhooks).
const SKEW_MAX_MS: i64 = 300_000;

/// The begin of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) date: Option<String>,
    pub(crate) rate_limit_remaining: Option<String>,
    pub(crate) rate_limit_reset_after: Option<String>,
    pub(crate) body: String,
}

/// Returns what an answer means where a format says nothing else.
///
/// 1. 2xx: taken.
/// 2. 3xx: never followed, since it turns a POST into a GET, and may point inside the network: the sink is
///    configured wrong.
/// 3. 408, 425, 429 and 5xx: later.
/// 4. 400, 413 and 422: not this message.
/// 5. 410: nothing any more. Any other 4xx, such as 401, 403 and 404: nothing until it is repaired.
/// 6. Anything else is no answer: later.
pub(crate) fn classify(answer: &HttpAnswer, now_ms: i64) -> Outcome {
    let why = answer.why(now_ms);
    match answer.status {
        200..=299 => Outcome::Delivered { answer: answer.kept(), pause: answer.pause(now_ms) },
        300..=399 => {
            let to = answer.location.as_deref().map(|it| match it.contains("://") {
                true => Secret::new(it).redacted_url(),
                false => "another path of it".to_owned(),
            });
            let to = to.map(|it| format!(" to {}", clean_to(&it, KEPT_MAX))).unwrap_or_default();
            let why = format!(
                "HTTP {}: it redirects{to}, which is not followed; set the URL that it leads to",
                answer.status
            );
            Outcome::SinkRefused { why, permanence: Permanence::UntilRepaired }
        }
        408 | 425 | 429 | 500..=599 => {
            Outcome::Retry { after: answer.pause(now_ms), arrival: Arrival::No, why }
        }
        400 | 413 | 422 => Outcome::MessageRefused { why },
        410 => Outcome::SinkRefused { why, permanence: Permanence::Final },
        401..=499 => Outcome::SinkRefused { why, permanence: Permanence::UntilRepaired },
        _ => Outcome::unknown(why),
    }
}

impl HttpAnswer {
    /// Returns the begin of the body, fit to be shown.
    pub(crate) fn kept(&self) -> String {
        match clean_to(&self.body, KEPT_MAX) {
            text if text.is_empty() => format!("HTTP {}", self.status),
            text => format!("HTTP {}: {text}", self.status),
        }
    }

    /// Returns how long the sink is to be left alone: the longest time that header and body ask for.
    pub(crate) fn pause(&self, now_ms: i64) -> Option<Duration> {
        let header = self.retry_after.as_deref().and_then(|it| retry_after(it, now_ms));
        let is_used_up = self.rate_limit_remaining.as_deref().is_some_and(|it| it.trim() == "0");
        let reset = self.rate_limit_reset_after.as_deref().filter(|_| is_used_up);
        let reset = reset.and_then(|it| retry_after(it, now_ms));
        [header, reset, json_retry_after(&self.body)].into_iter().flatten().max()
    }

    /// Returns the answer as a reason, with what may explain a refusal of a signature.
    fn why(&self, now_ms: i64) -> String {
        let kept = self.kept();
        let date = self.date.as_deref().and_then(|it| HTTP_DATE.parse_timestamp(it).ok());
        let skew_ms = date.map_or(0, |it| it.as_millisecond().saturating_sub(now_ms));
        let is_refusal = (400..500).contains(&self.status);
        if is_refusal && skew_ms.saturating_abs() > SKEW_MAX_MS {
            let by = duration(skew_ms.saturating_abs());
            return format!("{kept}; its clock and this one differ by {by}: check both");
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> HttpAnswer {
        HttpAnswer { status, ..HttpAnswer::default() }
    }

    fn kind(status: u16) -> &'static str {
        match classify(&answer(status), 0) {
            Outcome::Delivered { .. } => "delivered",
            Outcome::Retry { .. } => "retry",
            Outcome::MessageRefused { .. } => "message",
            Outcome::SinkRefused { permanence: Permanence::UntilRepaired, .. } => "sink",
            Outcome::SinkRefused { permanence: Permanence::Final, .. } => "gone",
        }
    }

    #[test]
    fn every_status_has_its_meaning() {
        let table: [(&[u16], &str); 6] = [
            (&[200, 201, 202, 204, 299], "delivered"),
            (&[301, 302, 303, 304, 307, 308, 401, 402, 403, 404, 405, 415, 451], "sink"),
            (&[408, 425, 429, 500, 502, 503, 504, 599], "retry"),
            (&[400, 413, 422], "message"),
            (&[410], "gone"),
            (&[0, 100, 199, 600, 999], "retry"),
        ];
        for (statuses, expected) in table {
            for status in statuses {
                assert_eq!(kind(*status), expected, "{status}");
            }
        }
    }

    #[test]
    fn a_redirect_is_told_without_what_may_be_a_secret() {
        let location = Some("https://other.example/hook/SECRETSECRET".to_owned());
        let outcome = classify(&HttpAnswer { location, ..answer(302) }, 0);
        let why = outcome.why().unwrap();
        assert!(
            why.contains("redirects to https://other.example/…CRET") && !why.contains("SECRET"),
            "{why}"
        );
    }

    #[test]
    fn a_pause_is_the_longest_that_is_asked_for() {
        let limited = HttpAnswer {
            retry_after: Some("2".into()),
            rate_limit_remaining: Some("0".into()),
            rate_limit_reset_after: Some("3.5".into()),
            body: "{\"retry_after\": 1.25}".into(),
            ..answer(429)
        };
        assert_eq!(limited.pause(0), Some(Duration::from_millis(3_500)));
        let unlimited = HttpAnswer { rate_limit_remaining: Some("1".into()), ..limited };
        assert_eq!(unlimited.pause(0), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_refusal_tells_of_clocks_that_differ() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned());
        let why = |date_ms: i64| {
            let answer = HttpAnswer { date: date.clone(), body: "bad\u{7}".into(), ..answer(401) };
            classify(&answer, date_ms).why().unwrap().to_owned()
        };
        assert_eq!(why(784_111_777_000), "HTTP 401: bad\u{fffd}");
        assert!(why(784_111_777_000 - 420_000).ends_with("differ by 7 min: check both"));
    }
}
