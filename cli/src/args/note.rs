//! Commands that write on outages.

use std::fmt;
use std::str::FromStr;

use clap::Args;

use super::AckTarget;
use crate::completion;

/// `note`
#[derive(Args, Debug)]
pub(crate) struct NoteArgs {
    /// The number of the outage, as `heartline outages` prints it
    #[arg(value_name = "OUTAGE")]
    pub(crate) outage: OutageNumber,
    /// The note; it is stored with your name, the host and the time
    pub(crate) text: String,
}

/// `ack`
#[derive(Args, Debug)]
pub(crate) struct AckArgs {
    /// Incidents, as `heartline incidents` prints them, or numbers of outages, as `heartline outages` does
    #[arg(value_name = "INCIDENT|OUTAGE", required = true, add = completion::incident_ids())]
    pub(crate) targets: Vec<AckTarget>,
    /// Words to go with an outage
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
}

/// The number of an outage: `7` or `#7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutageNumber(pub(crate) i64);

impl FromStr for OutageNumber {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix('#').unwrap_or(text).parse().ok();
        number.filter(|it| *it > 0).map(Self).ok_or("expected the number of an outage, such as 7")
    }
}

impl fmt::Display for OutageNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_have_numbers() {
        assert_eq!("7".parse(), Ok(OutageNumber(7)));
        assert_eq!("#7".parse(), Ok(OutageNumber(7)));
        for text in ["", "#", "0", "-7", "seven", "99999999999999999999"] {
            assert!(text.parse::<OutageNumber>().is_err(), "{text}");
        }
    }
}
