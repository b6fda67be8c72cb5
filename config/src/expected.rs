//! `[[expected]]`: agents that are expected, so that one that never came is told.

use std::collections::BTreeSet;
use std::time::Duration;

use heartline_protocol::AgentName;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::text::{ConfigError, ConfigText};
use crate::value::{ConfigString, DurationSetting};

/// Most agents that are expected, in all tables together.
const EXPECTED_MAX: usize = 10_000;

/// Time within which an agent must have come, where it is not set.
const WITHIN: Duration = Duration::from_secs(300);

/// `[[expected]]`, as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct ExpectedSection {
    /// Agent ids; `mail.{1..12}` stands for twelve.
    pub agents: Spanned<Vec<Spanned<String>>>,
    pub within: Option<ConfigString<DurationSetting<10>>>,
}

impl ExpectedSection {
    /// Checks all sections: they have agent ids, each of them once, and not too many.
    pub(crate) fn check_all(sections: &[Self], text: &ConfigText) -> Result<(), ConfigError> {
        let mut known = BTreeSet::new();
        for section in sections {
            if section.agents.get_ref().is_empty() {
                let message = "expected agent ids, found none";
                return Err(text.error_at(section.agents.span().start, message));
            }
            for agent in section.agents.get_ref() {
                let error = |message: &str| text.error_at(agent.span().start, message);
                let names = names(agent.get_ref()).map_err(|message| error(&message))?;
                for name in names {
                    if known.len() == EXPECTED_MAX {
                        return Err(error(&format!("expected at most {EXPECTED_MAX} agents")));
                    }
                    if let Some(twice) = known.replace(name) {
                        return Err(error(&format!("{twice} is expected already")));
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the agents, each with the time within which it must have come. Ids that were not checked are left out.
    pub(crate) fn agents(&self) -> impl Iterator<Item = (Box<str>, Duration)> {
        let within = self.within.as_ref().map_or(WITHIN, |it| it.0.0);
        let texts = self.agents.get_ref().iter();
        let names = texts.flat_map(|text| names(text.get_ref()).unwrap_or_default());
        names.map(move |name| (name.into(), within))
    }
}

/// Returns the agent ids that a text stands for: one, or those of the numbers in braces.
fn names(text: &str) -> Result<Vec<String>, String> {
    let expand = || {
        let (before, rest) = text.split_once('{')?;
        let (range, after) = rest.split_once('}')?;
        let (from, to) = range.split_once("..")?;
        Some((before, number(from)?, number(to)?, from.len(), after))
    };
    let names: Vec<String> = match expand() {
        None if text.contains(['{', '}']) => {
            return Err(format!("expected a range such as \"mail.{{1..12}}\", found {text:?}"));
        }
        None => vec![text.to_owned()],
        Some((_, from, to, ..)) if to < from || to - from >= EXPECTED_MAX => {
            return Err(format!(
                "expected a range of 1 to {EXPECTED_MAX} numbers such as \"mail.{{1..12}}\", found \
                 {text:?}"
            ));
        }
        // `{01..12}` has leading zeros, `{1..12}` has none.
        Some((before, from, to, width, after)) => {
            (from..=to).map(|n| format!("{before}{n:0width$}{after}")).collect()
        }
    };
    for name in &names {
        AgentName::new(name).map_err(|error| format!("{name:?} is no agent id: {error}"))?;
    }
    Ok(names)
}

fn number(digits: &str) -> Option<usize> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_stands_for_its_numbers() {
        assert_eq!(names("db").unwrap(), ["db"]);
        assert_eq!(names("mail.{9..11}").unwrap(), ["mail.9", "mail.10", "mail.11"]);
        assert_eq!(names("w{08..10}-eu").unwrap(), ["w08-eu", "w09-eu", "w10-eu"]);
        for (wrong, said) in [
            ("", "\"\" is no agent id: an agent id must not be empty"),
            ("Mail", "\"Mail\" is no agent id: byte 1"),
            ("mail.*", "\"mail.*\" is no agent id"),
            ("mail.{1..", "expected a range such as \"mail.{1..12}\", found \"mail.{1..\""),
            ("mail.{a..b}", "expected a range such as"),
            ("mail.{3..1}", "expected a range of 1 to 10000 numbers"),
            ("mail.{1..99999999}", "expected a range of 1 to 10000 numbers"),
            ("m{1..2}{1..2}", "\"m1{1..2}\" is no agent id"),
        ] {
            let error = names(wrong).unwrap_err();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
