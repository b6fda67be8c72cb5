//! An instant in a zone, as it is told to operators.

use std::fmt;

use jiff::tz::TimeZone;

use super::TimeContext;
use crate::text::instant;

const SECOND_MS: u64 = 1_000;
/// The units of distances, largest first.
const UNITS: [(u64, &str); 4] =
    [(86_400 * SECOND_MS, "d"), (3_600 * SECOND_MS, "h"), (60 * SECOND_MS, "m"), (SECOND_MS, "s")];

/// An instant in a zone. Displays as `Fri 2026-11-20 14:05:00Z`, in other zones than UTC with its
/// offset, `Fri 2026-11-20 15:05:00+01:00`; both are forms that are parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    at_ms: i64,
    zone: TimeZone,
}

impl Moment {
    pub(super) fn new(at_ms: i64, zone: TimeZone) -> Self {
        Self { at_ms, zone }
    }

    /// Returns the instant in milliseconds since 1970.
    pub fn at_ms(&self) -> i64 {
        self.at_ms
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = instant(self.at_ms);
        let is_utc = self.zone.to_offset_info(at).abbreviation() == "UTC";
        let at = at.to_zoned(self.zone.clone());
        write!(f, "{}", at.strftime(if is_utc { "%a %F %TZ" } else { "%a %F %T%:z" }))
    }
}

/// Formats an instant with its distance from now, in two units: `Fri 2026-11-20 14:05:00Z, 5 d 8 h ago`,
/// `…, in 10 m`, `…, now`.
pub fn describe(at_ms: i64, context: &TimeContext) -> String {
    let moment = Moment::new(at_ms, context.zone.clone());
    let distance_ms = at_ms.abs_diff(context.now_ms);
    match distance(distance_ms) {
        None => format!("{moment}, now"),
        Some(distance) if at_ms < context.now_ms => format!("{moment}, {distance} ago"),
        Some(distance) => format!("{moment}, in {distance}"),
    }
}

/// Formats a distance; `None` below a second.
fn distance(ms: u64) -> Option<String> {
    let largest = UNITS.iter().position(|(unit_ms, _)| ms >= *unit_ms)?;
    let (unit_ms, unit) = UNITS[largest];
    let first = format!("{} {unit}", ms / unit_ms);
    let second = UNITS.get(largest + 1).map(|(less_ms, less)| (ms % unit_ms / less_ms, less));
    Some(match second {
        Some((count @ 1.., unit)) => format!("{first} {count} {unit}"),
        _ => first,
    })
}
