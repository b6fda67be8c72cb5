//! `expect` of `[[agent]]`: work that is expected of agents.

use heartline_fleet::Expectation;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize};
use toml::Spanned;

use crate::local_hours::HoursSpan;
use crate::text::{ConfigError, ConfigText};
use crate::value::{ConfigString, CountVisitor, DurationSetting, StringSetting as _};
use crate::window::ZoneName;
use crate::working_hours::WorkingHours;

/// `expect = { at_least = 1, in = "1h", during = "weekdays 09:00–17:00", zone = "Europe/Berlin" }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct ExpectSection {
    pub at_least: TaskCount,
    #[serde(rename = "in")]
    pub within: Spanned<ConfigString<DurationSetting<1>>>,
    /// Always where there are none.
    pub during: Option<ConfigString<WorkingHours>>,
    /// UTC where there is none.
    pub zone: Option<ConfigString<ZoneName>>,
}

/// A number of tasks that are expected.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TaskCount(pub u32);

impl<'de> Deserialize<'de> for TaskCount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let expected = "a number of tasks from 1 to 1000000000";
        CountVisitor::read(from, expected, |it| (1..=1_000_000_000).contains(&it)).map(Self)
    }
}

impl ExpectSection {
    pub(crate) fn check(&self, text: &ConfigText) -> Result<(), ConfigError> {
        let within = self.within.get_ref();
        let Some(during) = &self.during else { return Ok(()) };
        if within.0.0.as_secs() <= during.0.length_s() {
            return Ok(());
        }
        let message = format!(
            "expected a time that fits into {}, found \"{}\"",
            during.0.print(),
            within.0.print()
        );
        Err(text.error_at(self.within.span().start, &message))
    }

    /// Returns what it is to the core.
    pub(crate) fn expectation(&self) -> Expectation {
        let during = self.during.as_ref().map(|during| {
            let zone = self.zone.as_ref().map_or_else(|| "UTC".to_owned(), |zone| zone.0.print());
            format!("{} {zone}", during.0.in_words())
        });
        Expectation {
            at_least: self.at_least.0,
            within: self.within.get_ref().0.0,
            during: during.map(Into::into),
        }
    }

    /// Returns whether it is always expected.
    pub fn is_always(&self) -> bool {
        self.during.is_none()
    }

    /// Returns the hours that last at a time, or else the next ones.
    pub fn span_at(&self, now_ms: i64) -> Option<HoursSpan> {
        let zone = self.zone.as_ref().map_or(TimeZone::UTC, |zone| zone.0.0.clone());
        self.during.as_ref()?.0.span_at(now_ms, &zone)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use heartline_fleet::IdleRule;
    use heartline_operator::CollectorDirectories;

    use crate::config::Config;
    use crate::file::ConfigFile;
    use crate::text::ConfigText;

    #[test]
    fn what_the_file_expects_reaches_the_core_and_is_printed_again() {
        let text = "[[agent]]\nmatch = \"night.*\"\nidle = false\n[[agent]]\nmatch = \"desk.*\"\n\
                    expect = { at_least = 2, in = \"1h\", during = \"mon-fri 09:00-17:00\", \
                    zone = \"Europe/Berlin\" }\n[[agent]]\nmatch = \"*\"\n\
                    expect = { at_least = 1, in = \"24h\" }\n";
        let parse = |text: &str| -> ConfigFile {
            ConfigFile::parse(&ConfigText::new(Path::new("heartline.toml"), text.to_owned()))
                .unwrap()
        };
        let directories = || CollectorDirectories { data: "/d".into(), sockets: "/s".into() };
        let config = parse(text).resolve(&[], directories());
        let idle = |agent: &str| config.rules.thresholds(agent).idle;
        assert_eq!(idle("night.1"), IdleRule::Off);
        assert_eq!(idle("desk.1"), IdleRule::Expected(0));
        assert_eq!(idle("mail.1"), IdleRule::Expected(1));
        let [desk, all] = &*config.rules.expectations else { panic!("there are two") };
        assert_eq!((desk.at_least, desk.within.as_secs()), (2, 3_600));
        assert_eq!(desk.during.as_deref(), Some("weekdays 09:00–17:00 Europe/Berlin"));
        assert_eq!((all.at_least, all.during.as_deref()), (1, None));
        let print = |config: &Config| config.to_file::<toml::Table, toml::Table>().to_toml();
        let printed = print(&config);
        assert_eq!(print(&parse(&printed).resolve(&[], directories())), printed);
    }
}
