//! What a time means, now and in the zone that is shown.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::clock_time::ClockTime;
use super::day::Day;
use super::expression::TimeForm;
use super::local_time::LocalTime;
use super::{Moment, ResolvedTime, TimeContext, TimeError, TimeExpression};
use crate::text::instant;

impl TimeExpression {
    /// Returns what it means in a context.
    ///
    /// # Errors
    /// [`TimeError::InFuture`], [`TimeError::BeforeFirst`] and [`TimeError::OutOfYears`] for what is out
    /// of range; [`TimeError::Ambiguous`] and [`TimeError::Skipped`] for a time that came twice, or not
    /// at all, on a day on which clocks were set.
    pub fn resolve(&self, context: &TimeContext) -> Result<ResolvedTime, TimeError> {
        let at_ms = match self.0 {
            TimeForm::Now => return Ok(ResolvedTime::Now),
            TimeForm::First => return Ok(ResolvedTime::First),
            TimeForm::Outage(id) => match context.outages.iter().find(|outage| outage.0 == id) {
                Some((_, start_ms)) => *start_ms,
                None => return Ok(ResolvedTime::Outage(id)),
            },
            TimeForm::Instant(at_ms) => at_ms,
            TimeForm::Distance(distance_ms) => {
                let from_ms = context.viewed_ms.unwrap_or(context.now_ms);
                from_ms.checked_add(distance_ms).ok_or(TimeError::OutOfYears)?
            }
            TimeForm::Clock(clock) => {
                let zone = clock.zone(&context.zone);
                let days = match context.viewed_ms {
                    Some(viewed_ms) => vec![date_of(viewed_ms, &zone)],
                    None => {
                        let today = date_of(context.now_ms, &zone);
                        [Day::Today, Day::Yesterday].map(|day| day.candidates(today)).concat()
                    }
                };
                return latest_past(&days, Some(clock), &zone, context).map(ResolvedTime::At);
            }
            TimeForm::Day(day, clock) => {
                let zone = clock.map_or_else(|| context.zone.clone(), |it| it.zone(&context.zone));
                let days = day.candidates(date_of(context.now_ms, &zone));
                return latest_past(&days, clock, &zone, context).map(ResolvedTime::At);
            }
        };
        context.in_range(at_ms).map(ResolvedTime::At)
    }
}

fn date_of(at_ms: i64, zone: &TimeZone) -> Date {
    zone.to_datetime(instant(at_ms)).date()
}

/// Returns the time on the first of these days, the latest first, on which it is not in the future.
fn latest_past(
    days: &[Date],
    clock: Option<ClockTime>,
    zone: &TimeZone,
    context: &TimeContext,
) -> Result<i64, TimeError> {
    let mut refused = TimeError::OutOfYears;
    for day in days {
        let local = match clock {
            Some(clock) => LocalTime::of(*day, clock.time, zone),
            None => LocalTime::start_of(*day, zone),
        };
        match single_instant(local.ok_or(TimeError::OutOfYears)?, context) {
            Err(error @ TimeError::InFuture { .. }) => refused = error,
            resolved => return resolved,
        }
    }
    Err(refused)
}

/// Returns the one instant that is meant. Of two only those count that are in range.
fn single_instant(local: LocalTime, context: &TimeContext) -> Result<i64, TimeError> {
    let moment = |ms| Moment::new(ms, context.zone.clone());
    match local {
        LocalTime::Once(at_ms) => context.in_range(at_ms),
        LocalTime::Twice { earlier_ms, later_ms } => {
            match (context.in_range(earlier_ms), context.in_range(later_ms)) {
                (Ok(_), Ok(_)) => Err(TimeError::Ambiguous {
                    earlier: moment(earlier_ms),
                    later: moment(later_ms),
                }),
                (Err(TimeError::BeforeFirst { .. }), later) => later,
                (earlier, _) => earlier,
            }
        }
        LocalTime::Never { before_ms, after_ms } => {
            context.in_range(after_ms)?;
            Err(TimeError::Skipped { before: moment(before_ms), after: moment(after_ms) })
        }
    }
}
