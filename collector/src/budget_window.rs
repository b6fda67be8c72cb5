//! The windows of budgets: hours and days of a zone, as wall-clock times. Reads no clock.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use heartline_config::BudgetSetting;
use heartline_fleet::{BudgetSetup, BudgetWindow, ReachedLevels, SpendingBase};
use heartline_vocabulary::BudgetPeriod;
use jiff::{Timestamp, ToSpan as _, Zoned};

use crate::clock::WallClockAnchor;
use crate::store::{ReadError, StoreReader};

/// Returns the window of a budget that holds a moment.
pub fn window_at(setting: &BudgetSetting, wall_ms: i64, anchor: WallClockAnchor) -> BudgetWindow {
    let (from_ms, to_ms, ends) = bounds(setting, wall_ms).unwrap_or_else(|_| {
        // Beyond the years of the calendar: hours and days of UTC.
        let length_ms = match setting.rule.period {
            BudgetPeriod::Hour => 3_600_000,
            BudgetPeriod::Day => 86_400_000,
        };
        let from_ms = wall_ms.div_euclid(length_ms).saturating_mul(length_ms);
        (from_ms, from_ms.saturating_add(length_ms), "the end of its window".to_owned())
    });
    BudgetWindow { begins: anchor.mono(from_ms), from_ms, to_ms, ends: ends.into() }
}

/// Returns begin and end, and the end in words. A day ends where the next one begins, also where clocks are
/// set; an hour begins where the clock shows no minutes, and has 60 of them.
fn bounds(setting: &BudgetSetting, wall_ms: i64) -> Result<(i64, i64, String), jiff::Error> {
    let now = Timestamp::from_millisecond(wall_ms)?.to_zoned(setting.zone.clone());
    let (from, to): (Zoned, Zoned) = match setting.rule.period {
        BudgetPeriod::Hour => {
            let within = i64::from(now.minute()) * 60 + i64::from(now.second());
            let from = now.checked_sub(within.seconds())?;
            let from_ms = from.timestamp().as_millisecond().div_euclid(1_000) * 1_000;
            let from = Timestamp::from_millisecond(from_ms)?.to_zoned(from.time_zone().clone());
            let to = from.checked_add(1.hour())?;
            (from, to)
        }
        BudgetPeriod::Day => (now.start_of_day()?, now.tomorrow()?.start_of_day()?),
    };
    let zone = setting.zone.iana_name().unwrap_or("UTC");
    let words = format!("{} {}", to.strftime("%Y-%m-%d %H:%M"), zone);
    Ok((from.timestamp().as_millisecond(), to.timestamp().as_millisecond(), words))
}

/// Reads what was spent in the windows that hold a moment.
///
/// # Errors
/// [`ReadError`]
pub fn read_setup(
    settings: &[BudgetSetting],
    wall_ms: i64,
    anchor: WallClockAnchor,
    reached: ReachedLevels,
    reader: &mut StoreReader,
) -> Result<BudgetSetup, ReadError> {
    let mut setup = BudgetSetup { budgets: Vec::new(), bases: Vec::new(), reached };
    // Most budgets begin their windows together.
    let mut totals_at = BTreeMap::new();
    for (budget, setting) in (0..).zip(settings) {
        let window = window_at(setting, wall_ms, anchor);
        let totals = match totals_at.entry(window.from_ms) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(reader.totals_at(window.from_ms)?),
        };
        let unit = setting.rule.unit;
        setup.bases.extend(totals.iter().map(|(&id, totals)| SpendingBase {
            budget,
            id,
            total: unit.of(totals),
        }));
        setup.budgets.push((setting.rule.clone(), window));
    }
    Ok(setup)
}

#[cfg(test)]
mod tests {
    use heartline_fleet::{BudgetRule, BudgetScope, MonoTime};
    use heartline_vocabulary::{AtLimit, BudgetResume, BudgetUnit};
    use jiff::tz::TimeZone;

    use super::*;

    fn window(period: BudgetPeriod, zone: &str, at: &str) -> (String, String, String) {
        let rule = BudgetRule {
            name: "b".into(),
            scope: BudgetScope::Fleet,
            unit: BudgetUnit::Tasks,
            limit: 1,
            period,
            at_limit: AtLimit::Warn,
            resume: BudgetResume::Never,
        };
        let setting = BudgetSetting { rule, zone: TimeZone::get(zone).unwrap() };
        let at_ms = at.parse::<Timestamp>().unwrap().as_millisecond();
        let anchor = WallClockAnchor::new(MonoTime::from_millis(0), 0);
        let window = window_at(&setting, at_ms, anchor);
        let text = |ms| Timestamp::from_millisecond(ms).unwrap().to_string();
        (text(window.from_ms), text(window.to_ms), window.ends.to_string())
    }

    fn texts(from: &str, to: &str, ends: &str) -> (String, String, String) {
        (from.to_owned(), to.to_owned(), ends.to_owned())
    }

    #[test]
    fn days_begin_at_midnight_of_their_zone_also_where_clocks_are_set() {
        let berlin = |at| window(BudgetPeriod::Day, "Europe/Berlin", at);
        assert_eq!(
            berlin("2026-07-01T21:59:59.999Z"),
            texts("2026-06-30T22:00:00Z", "2026-07-01T22:00:00Z", "2026-07-02 00:00 Europe/Berlin")
        );
        assert_eq!(
            berlin("2026-10-25T12:00:00Z"),
            texts("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-26 00:00 Europe/Berlin"),
            "a day of 25 hours"
        );
    }

    #[test]
    fn hours_begin_where_the_clock_shows_no_minutes() {
        assert_eq!(
            window(BudgetPeriod::Hour, "Asia/Kolkata", "2026-07-01T10:29:59.5Z"),
            texts("2026-07-01T09:30:00Z", "2026-07-01T10:30:00Z", "2026-07-01 16:00 Asia/Kolkata")
        );
        assert_eq!(
            window(BudgetPeriod::Hour, "UTC", "2026-07-01T10:00:00Z").0,
            "2026-07-01T10:00:00Z"
        );
    }
}
