//! Days: `today`, `mon`, `2026-11-20`, `11-20`.

use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};

use super::digits::is_number;
use super::error::{TimeError, quotable};

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// A year with a 29th of February.
const LEAP_YEAR: i16 = 2_000;
/// Most years between two of them: 1896 and 1904.
const LEAP_YEARS_APART: i16 = 8;

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Day {
    Today,
    Yesterday,
    /// The latest past one.
    Weekday(Weekday),
    Date(Date),
    /// The latest past one.
    Yearly {
        month: i8,
        day: i8,
    },
}

impl Day {
    /// Parses the day that words begin with. Returns it with the other words; `None` if they begin with
    /// no day.
    ///
    /// # Errors
    /// [`TimeError::Date`] for a date that is none.
    pub(super) fn parse<'a, 'b>(
        words: &'a [&'b str],
    ) -> Result<(Option<Self>, &'a [&'b str]), TimeError> {
        let [first, others @ ..] = words else { return Ok((None, words)) };
        if is_date(first) {
            return Ok((Some(parse_date(first)?), others));
        }
        match (*first, weekday(first), others) {
            ("today", ..) => Ok((Some(Self::Today), others)),
            ("yesterday", ..) => Ok((Some(Self::Yesterday), others)),
            (_, Some(weekday), [date, others @ ..]) if is_date(date) => {
                Ok((Some(parse_date(date)?.on(weekday, date)?), others))
            }
            (_, Some(weekday), _) => Ok((Some(Self::Weekday(weekday)), others)),
            _ => Ok((None, words)),
        }
    }

    /// Returns the days that can be meant, the latest first.
    pub(super) fn candidates(self, today: Date) -> Vec<Date> {
        match self {
            Self::Today => vec![today],
            Self::Yesterday => today.yesterday().into_iter().collect(),
            Self::Date(date) => vec![date],
            Self::Weekday(weekday) => {
                let days = i64::from(today.weekday().since(weekday));
                let latest = today.checked_sub(days.days());
                let before = today.checked_sub((days + 7).days());
                latest.into_iter().chain(before).collect()
            }
            Self::Yearly { month, day } => (0..=LEAP_YEARS_APART)
                .filter_map(|years| Date::new(today.year() - years, month, day).ok())
                .collect(),
        }
    }

    /// Returns the day of a date that was written behind its weekday.
    fn on(self, weekday: Weekday, date: &str) -> Result<Self, TimeError> {
        let problem = match self {
            Self::Date(date) if date.weekday() == weekday => return Ok(self),
            Self::Date(date) => format!("it is a {}", name(date.weekday())),
            _ => "write its year, or no weekday".to_owned(),
        };
        let text = format!("{} {}", name(weekday), quotable(date));
        Err(TimeError::Date { text, problem })
    }
}

/// Returns whether a word is meant as a date: a number and a hyphen.
fn is_date(word: &str) -> bool {
    word.split_once('-').is_some_and(|(number, _)| is_number(number))
}

fn parse_date(text: &str) -> Result<Day, TimeError> {
    let refused = |problem: String| TimeError::Date { text: quotable(text), problem };
    let form = || refused("write it as 2026-11-20 or 11-20".to_owned());
    let parts: Vec<&str> = text.split('-').collect();
    let (year, month, day) = match parts.as_slice() {
        [year, month, day] if year.len() == 4 => (Some(*year), *month, *day),
        [month, day] => (None, *month, *day),
        _ => return Err(form()),
    };
    if !is_number(month) || !is_number(day) || month.len() != 2 || day.len() != 2 {
        return Err(form());
    }
    let number = |digits: &str| digits.parse::<i8>().map_err(|_| form());
    let (month, day) = (number(month)?, number(day)?);
    let year: Option<i16> = year.map(|year| year.parse().map_err(|_| form())).transpose()?;
    let in_year = year.unwrap_or(LEAP_YEAR);
    let Ok(first) = Date::new(in_year, month, 1) else {
        return Err(refused("months go from 01 to 12, as in 2026-11-20".to_owned()));
    };
    let Ok(date) = Date::new(in_year, month, day) else {
        let days = first.days_in_month();
        return Err(refused(format!("the days of that month go from 01 to {days}")));
    };
    Ok(if year.is_some() { Day::Date(date) } else { Day::Yearly { month, day } })
}

/// Returns the weekday of a name, or of its first three letters or more.
fn weekday(word: &str) -> Option<Weekday> {
    let is_meant = |name: &str| word.len() >= 3 && name.starts_with(word);
    WEEKDAYS.iter().find(|(name, _)| is_meant(name)).map(|(_, weekday)| *weekday)
}

fn name(weekday: Weekday) -> &'static str {
    WEEKDAYS[usize::from(weekday.to_monday_zero_offset().unsigned_abs())].0
}
