//! How long a server asks to be left alone.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;

/// Longest time that a server is left alone.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);

/// Parses a date, whose weekday may be wrong.
pub(crate) const HTTP_DATE: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// Reads `Retry-After` in its three forms: whole seconds, an HTTP date (RFC 9110), and a fraction of
/// seconds. `None` where it is none of them. At most an hour.
pub(crate) fn retry_after(header: &str, now_ms: i64) -> Option<Duration> {
    let header = header.trim();
    if let Some(pause) = header.parse().ok().and_then(seconds) {
        return Some(pause);
    }
    let at = HTTP_DATE.parse_timestamp(header).ok()?;
    let distance_ms = at.as_millisecond().saturating_sub(now_ms);
    Some(Duration::from_millis(u64::try_from(distance_ms).unwrap_or(0)).min(PAUSE_MAX))
}

/// Reads `retry_after` of a JSON body, in seconds.
pub(crate) fn json_retry_after(body: &str) -> Option<Duration> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    seconds(body.get("retry_after")?.as_f64()?)
}

fn seconds(seconds: f64) -> Option<Duration> {
    let bounded = (seconds >= 0.0).then(|| seconds.min(PAUSE_MAX.as_secs_f64()))?;
    Duration::try_from_secs_f64(bounded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms_are_read_and_none_is_longer_than_an_hour() {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let now_ms = 784_111_777_000;
        let ms = |header| retry_after(header, now_ms).map(|it| it.as_millis());
        assert_eq!(ms("120"), Some(120_000));
        assert_eq!(ms(" 0.337 "), Some(337));
        assert_eq!(ms("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30_000));
        assert_eq!(ms("Sun, 06 Nov 1994 08:49:07 GMT"), Some(0));
        assert_eq!(ms("Sun, 06 Nov 2094 08:49:07 GMT"), Some(3_600_000));
        assert_eq!(ms("86400"), Some(3_600_000));
        assert_eq!(ms("1e300"), Some(3_600_000));
        for wrong in ["", "-5", "NaN", "soon", "1h", "Sun, 99 Nov 1994"] {
            assert_eq!(ms(wrong), None, "{wrong}");
        }
        assert_eq!(json_retry_after("{\"retry_after\":1.336}"), Some(Duration::from_millis(1_336)));
        for wrong in ["{\"retry_after\":\"1\"}", "{}", "[]", "", "{\"retry_after\":-1}"] {
            assert_eq!(json_retry_after(wrong), None, "{wrong}");
        }
    }
}
