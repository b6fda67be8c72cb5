//! Hours of a week by a local clock, as `[[window]]` and `expect` have them.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// From a time of day to another on some days, right across changes of the clock. What ends at or before its begin
/// ends on the next day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalHours<'a> {
    /// Days on which they begin; every day where there are none.
    pub(crate) days: &'a [Weekday],
    pub(crate) from: Time,
    pub(crate) to: Time,
}

/// Hours of one day, as wall-clock times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoursSpan {
    pub from_ms: i64,
    pub until_ms: i64,
}

impl LocalHours<'_> {
    /// Returns those that last at a time, or else the next ones within eight days; `None` where there are none.
    pub(crate) fn span_at(&self, now_ms: i64, zone: &TimeZone) -> Option<HoursSpan> {
        let now = Timestamp::from_millisecond(now_ms).ok()?;
        let today = now.to_zoned(zone.clone()).date();
        // Those of yesterday may go on.
        (-1..=8).find_map(|offset: i64| {
            let date = today.checked_add(offset.days()).ok()?;
            let span = self.span_on(date, zone)?;
            (span.until_ms > now_ms).then_some(span)
        })
    }

    /// Returns those that begin on a date; `None` where none do.
    fn span_on(&self, date: Date, zone: &TimeZone) -> Option<HoursSpan> {
        if !self.days.is_empty() && !self.days.contains(&date.weekday()) {
            return None;
        }
        let end = if self.to > self.from { date } else { date.tomorrow().ok()? };
        // A time that the clock skips is the one after it, one that comes twice the first of them.
        let at = |date: Date, time: Time| {
            let zoned = date.to_datetime(time).to_zoned(zone.clone()).ok()?;
            Some(zoned.timestamp().as_millisecond())
        };
        Some(HoursSpan { from_ms: at(date, self.from)?, until_ms: at(end, self.to)? })
    }
}
