//! `[watchdog]`: the service that raises an alarm when the collector does not ping it any more.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::secret::{Secret, SecretError};
use crate::sink::source;
use crate::sink_value::{PlainText, UrlText, is_url};
use crate::text::{ConfigError, ConfigText};
use crate::value::{ConfigString, DurationSetting};

/// The time between two pings, where nothing else is set.
const DEFAULT_EVERY: Duration = Duration::from_secs(60);

/// Longest time between two pings: whoever waits longer learns too late of it.
const EVERY_MAX: Duration = Duration::from_secs(3_600);

/// What a URL must be. No error repeats one.
const URL_EXPECTED: &str = "a URL that begins with https:// or http://";

/// `[watchdog]`, as it stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub struct WatchdogSection {
    pub url: Option<Spanned<ConfigString<UrlText>>>,
    pub url_file: Option<Spanned<ConfigString<PathBuf>>>,
    pub url_env: Option<Spanned<ConfigString<PlainText>>>,
    pub every: Option<Spanned<ConfigString<DurationSetting<1>>>>,
    pub ca_file: Option<Spanned<ConfigString<PathBuf>>>,
}

/// Where the collector pings, with the secret read.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchdogConfig {
    /// Whoever knows it can ping in the collector's place.
    pub url: Secret,
    pub every: Duration,
    /// Certificates in PEM that are trusted beside those of the system.
    pub ca_file: Option<PathBuf>,
}

impl WatchdogSection {
    /// Returns whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Checks what no single value shows: there is one URL, where there is anything, and the interval is no longer
    /// than an hour.
    pub(crate) fn check(&self, text: &ConfigText) -> Result<(), ConfigError> {
        let urls = [
            ("url", self.url.as_ref().map(|it| it.span().start)),
            ("url_file", self.url_file.as_ref().map(|it| it.span().start)),
            ("url_env", self.url_env.as_ref().map(|it| it.span().start)),
        ];
        let set: Vec<_> = urls.into_iter().filter_map(|(name, at)| Some((name, at?))).collect();
        if let [(first, _), (second, at), ..] = set[..] {
            let message = format!("expected either {first} or {second}, found both");
            return Err(text.error_at(at, &message));
        }
        let every = self.every.as_ref().map(|it| it.span().start);
        let others = every.or_else(|| self.ca_file.as_ref().map(|it| it.span().start));
        if let (Some(at), true) = (others, set.is_empty()) {
            return Err(text.error_at(at, "expected url or url_file or url_env beside it"));
        }
        if let Some(url) = self.url.as_ref().filter(|it| !is_url(it.get_ref().0.0.expose())) {
            return Err(text.error_at(url.span().start, &format!("expected {URL_EXPECTED}")));
        }
        if let Some(every) = self.every.as_ref().filter(|it| it.get_ref().0.0 > EVERY_MAX) {
            return Err(text.error_at(every.span().start, "expected at most \"1h\""));
        }
        Ok(())
    }

    /// Returns the same with every default written down.
    pub(crate) fn in_force(&self) -> Self {
        let every = (!self.is_empty()).then(|| {
            let every = ConfigString(DurationSetting(self.every()));
            Spanned::new(0..0, every)
        });
        Self { every, ..self.clone() }
    }

    /// Reads the URL; `variable` looks up an environment variable. `None`: there is no watchdog.
    ///
    /// # Errors
    /// [`SecretError`] names the file or variable that can't be read.
    pub fn read(
        &self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<WatchdogConfig>, SecretError> {
        let source = source(self.url.as_ref(), self.url_file.as_ref(), self.url_env.as_ref());
        let Some(source) = source else { return Ok(None) };
        let (owner, setting) = ("[watchdog]", "url");
        let url = source.read(owner, setting, variable)?;
        if !is_url(url.expose()) {
            let (owner, place) = (owner.to_owned(), source.to_string());
            return Err(SecretError::Malformed { owner, setting, place, expected: URL_EXPECTED });
        }
        let ca_file = self.ca_file.as_ref().map(|it| it.get_ref().0.clone());
        Ok(Some(WatchdogConfig { url, every: self.every(), ca_file }))
    }

    fn every(&self) -> Duration {
        self.every.as_ref().map_or(DEFAULT_EVERY, |it| it.get_ref().0.0)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use heartline_operator::CollectorDirectories;

    use super::*;
    use crate::ConfigFile;

    fn parse(text: &str) -> Result<ConfigFile, ConfigError> {
        ConfigFile::parse(&ConfigText::new(Path::new("heartline.toml"), text.to_owned()))
    }

    #[test]
    fn every_kind_of_mistake_has_its_place_and_what_was_expected() {
        let table = [
            ("[watchdog]\nurll = \"x\"", "line 2, column 1: unknown field `urll`, expected one of"),
            (
                "[watchdog]\nurl = \"hc-ping.com/SECRETSECRET\"",
                "line 2, column 7: expected a URL that begins with https:// or http://",
            ),
            (
                "[watchdog]\nurl_file = \"/u\"\nurl_env = \"U\"",
                "line 3, column 11: expected either url_file or url_env, found both",
            ),
            (
                "[watchdog]\nevery = \"30s\"",
                "line 2, column 9: expected url or url_file or url_env beside it",
            ),
            (
                "[watchdog]\nurl_env = \"U\"\nevery = \"61m\"",
                "line 3, column 9: expected at most \"1h\"",
            ),
            (
                "[watchdog]\nurl_env = \"U\"\nevery = \"100ms\"",
                "line 3, column 9: invalid value: string \"100ms\", expected a duration",
            ),
        ];
        for (text, said) in table {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("heartline.toml, {said}")), "{error}");
            assert!(!error.contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn the_url_comes_from_where_it_stands_and_no_error_has_it() {
        let read = |text: &str| {
            let variable = |name: &str| match name {
                "GOOD" => Some("https://hc.example/SECRET ".into()),
                "BAD" => Some("SECRET".into()),
                _ => None,
            };
            parse(text).unwrap().watchdog.read(variable)
        };
        assert_eq!(read("").unwrap(), None);
        let config = read("[watchdog]\nurl_env = \"GOOD\"\nevery = \"30s\"").unwrap().unwrap();
        assert_eq!(config.url.expose(), "https://hc.example/SECRET");
        assert_eq!(config.every, Duration::from_secs(30));
        let error = |text| read(text).unwrap_err().to_string();
        assert_eq!(
            error("[watchdog]\nurl_env = \"NONE\""),
            "the environment variable NONE, the url of [watchdog], is not set"
        );
        assert_eq!(
            error("[watchdog]\nurl_env = \"BAD\""),
            "the environment variable BAD, the url of [watchdog]: expected a URL that begins with \
             https:// or http://"
        );
        assert!(error("[watchdog]\nurl_file = \"/none\"").starts_with("can't read /none, the url"));
    }

    #[test]
    fn what_is_shown_has_the_default_and_not_the_url() {
        let file = parse("[watchdog]\nurl = \"https://hc.example/SECRETSECRETabcd\"").unwrap();
        let directories = CollectorDirectories { data: "/d".into(), sockets: "/s".into() };
        let shown = file.resolve(&[], directories).to_file::<toml::Table, toml::Table>().to_toml();
        let expected = "[watchdog]\nurl = \"https://hc.example/…abcd\"\nevery = \"1m\"\n";
        assert!(shown.contains(expected) && !shown.contains("SECRET"), "{shown}");
    }
}
