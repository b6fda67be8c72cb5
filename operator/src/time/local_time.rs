//! What a day and a time of day are in a zone, where clocks are set forward and back.

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan as _};

/// The instants at which clocks of a zone show a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LocalTime {
    Once(i64),
    /// Clocks were set back over it.
    Twice {
        earlier_ms: i64,
        later_ms: i64,
    },
    /// Clocks were set forward over it.
    Never {
        /// The last second before.
        before_ms: i64,
        after_ms: i64,
    },
}

impl LocalTime {
    /// Returns the instants of a time of day; `None` outside of the years that can be written.
    pub(super) fn of(date: Date, time: Time, zone: &TimeZone) -> Option<Self> {
        let shown = date.to_datetime(time);
        Some(match zone.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                Self::Once(offset.to_timestamp(shown).ok()?.as_millisecond())
            }
            AmbiguousOffset::Fold { before, after } => Self::Twice {
                earlier_ms: before.to_timestamp(shown).ok()?.as_millisecond(),
                later_ms: after.to_timestamp(shown).ok()?.as_millisecond(),
            },
            AmbiguousOffset::Gap { before, .. } => {
                let after_ms = last_change(before.to_timestamp(shown).ok()?, zone);
                Self::Never { before_ms: after_ms - 1_000, after_ms }
            }
        })
    }

    /// Returns the start of a day, its first instant; [`LocalTime::Never`] if clocks were set forward
    /// over all of it. `None` outside of the years that can be written.
    pub(super) fn start_of(date: Date, zone: &TimeZone) -> Option<Self> {
        let midnight = Self::of(date, Time::midnight(), zone)?;
        Some(match midnight {
            Self::Once(_) => midnight,
            Self::Twice { earlier_ms, .. } => Self::Once(earlier_ms),
            Self::Never { after_ms, .. } => {
                let after = Timestamp::from_millisecond(after_ms).ok()?;
                let is_that_day = zone.to_datetime(after).date() == date;
                if is_that_day { Self::Once(after_ms) } else { midnight }
            }
        })
    }
}

/// Returns when clocks were last set, up to and with `at`.
fn last_change(at: Timestamp, zone: &TimeZone) -> i64 {
    let behind = at.checked_add(1.nanosecond()).unwrap_or(at);
    let change = zone.preceding(behind).next();
    change.map_or(at, |change| change.timestamp()).as_millisecond()
}
