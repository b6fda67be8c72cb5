//! Numbers of digits alone: parsers of the standard library take signs, too.

/// Returns whether a text is one or more of the digits 0 to 9.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Parses the digits behind the point of a number of seconds. Returns milliseconds, and drops what is
/// less.
pub(super) fn parse_millis(fraction: &str) -> Option<u16> {
    let padded = fraction.chars().chain("00".chars()).take(3);
    if is_number(fraction) { padded.collect::<String>().parse().ok() } else { None }
}
