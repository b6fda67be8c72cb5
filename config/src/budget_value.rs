//! What the settings of a budget may be.

use heartline_vocabulary::{AtLimit, BudgetPeriod, BudgetResume};

use crate::value::StringSetting;

/// The name of a budget.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetName(pub String);

/// Longest name of a budget, in bytes.
const BUDGET_NAME_MAX: usize = 40;

impl StringSetting for BudgetName {
    const EXPECTED: &'static str = "a name of 1 to 40 characters: a-z 0-9 . _ -";

    fn parse(text: &str) -> Option<Self> {
        let is_of_name =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        let fits = (1..=BUDGET_NAME_MAX).contains(&text.len());
        (fits && text.chars().all(is_of_name)).then(|| Self(text.to_owned()))
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}

/// The group of agents, as their identities name it.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupName(pub String);

impl StringSetting for GroupName {
    const EXPECTED: &'static str = "the name of a group";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}

/// An amount of US dollars, in nano-dollars; more than 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetCost(pub u64);

/// Nano-dollars in a dollar, and digits behind its point.
const USD: u64 = 1_000_000_000;
const NANO_DIGITS: usize = 9;

impl StringSetting for BudgetCost {
    const EXPECTED: &'static str = "US dollars such as \"$50\" or \"$0.25\"";

    fn parse(text: &str) -> Option<Self> {
        let (whole, part) = {
            let amount = text.strip_prefix('$')?;
            amount.split_once('.').map_or((amount, "0"), |(whole, part)| (whole, part))
        };
        let is_number =
            |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(part) || part.len() > NANO_DIGITS {
            return None;
        }
        let part: u64 = format!("{part:0<NANO_DIGITS$}").parse().ok()?;
        let nano = whole.parse::<u64>().ok()?.checked_mul(USD)?.checked_add(part)?;
        (1..=i64::MAX.cast_unsigned()).contains(&nano).then_some(Self(nano))
    }

    fn print(&self) -> String {
        let part = format!("{:09}", self.0 % USD);
        match part.trim_end_matches('0') {
            "" => format!("${}", self.0 / USD),
            part => format!("${}.{part}", self.0 / USD),
        }
    }
}

/// Reads and writes a value of the vocabulary by its name.
macro_rules! named_setting {
    ($type:ty, $expected:literal) => {
        impl StringSetting for $type {
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Option<Self> {
                Self::from_name(text)
            }

            fn print(&self) -> String {
                self.name().to_owned()
            }
        }
    };
}

named_setting!(BudgetPeriod, "\"hour\" or \"day\"");
named_setting!(AtLimit, "\"warn\" or \"kill\"");
named_setting!(BudgetResume, "\"never\" or \"next-window\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_to_the_nano_dollar_and_printed_as_they_were() {
        for (text, nano) in [
            ("$50", 50 * USD),
            ("$0.25", 250_000_000),
            ("$1.000000001", USD + 1),
            ("$12.5", 12 * USD + USD / 2),
        ] {
            let cost = BudgetCost::parse(text).unwrap();
            assert_eq!((cost.0, cost.print().as_str()), (nano, text));
        }
        for text in
            ["50", "$", "$0", "$0.0", "$-1", "$1.", "$.5", "$1e3", "$1.0000000001", "$99999999999"]
        {
            assert_eq!(BudgetCost::parse(text), None, "{text}");
        }
    }
}
