//! `[[sink]]`: where alerts are sent to.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::notice_template::TextTemplate;
use crate::secret::{Secret, SecretError, SecretSource};
use crate::sink_value::{
    MailTls, PlainText, Region, SinkName, SinkType, TemplateText, UrlText, is_url,
};
use crate::text::{ConfigError, ConfigText};
use crate::value::{ConfigString, DurationSetting};

/// Most sinks.
pub const SINKS_MAX: usize = 32;

/// Most recipients of a mail, words of a command, instances of Alertmanager.
const LIST_MAX: usize = 64;

/// The time that a whole request may take, where nothing else is set.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time that a request may take: nothing else goes to that sink meanwhile.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);

type Setting<T> = Option<Spanned<ConfigString<T>>>;

/// `[[sink]]`, as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct SinkSection {
    pub name: Spanned<ConfigString<SinkName>>,
    #[serde(rename = "type")]
    pub kind: Spanned<ConfigString<SinkType>>,
    pub url: Setting<UrlText>,
    pub url_file: Setting<PathBuf>,
    pub url_env: Setting<PlainText>,
    pub urls: Option<Spanned<Vec<ConfigString<UrlText>>>>,
    pub api_url: Setting<UrlText>,
    pub region: Setting<Region>,
    pub key_file: Setting<PathBuf>,
    pub key_env: Setting<PlainText>,
    pub secret_file: Setting<PathBuf>,
    pub secret_env: Setting<PlainText>,
    pub token_file: Setting<PathBuf>,
    pub token_env: Setting<PlainText>,
    pub topic: Setting<PlainText>,
    pub server: Setting<PlainText>,
    pub tls: Setting<MailTls>,
    pub user: Setting<PlainText>,
    pub password_file: Setting<PathBuf>,
    pub password_env: Setting<PlainText>,
    pub from: Setting<PlainText>,
    pub to: Option<Spanned<Vec<ConfigString<PlainText>>>>,
    pub command: Option<Spanned<Vec<String>>>,
    pub title: Setting<TemplateText>,
    pub body: Setting<TemplateText>,
    pub timeout: Setting<DurationSetting<1>>,
    pub ca_file: Setting<PathBuf>,
}

/// A sink with its secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkConfig {
    pub name: String,
    /// For a whole request, from the look-up of its host to the end of the answer.
    pub timeout: Duration,
    /// Certificates in PEM that are trusted beside those of the system.
    pub ca_file: Option<PathBuf>,
    pub templates: SinkTemplates,
    pub target: SinkTarget,
}

/// Templates in the place of the built-in texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SinkTemplates {
    pub title: Option<TextTemplate>,
    pub body: Option<TextTemplate>,
}

/// What a sink sends to.
#[derive(Clone, Debug, PartialEq)]
pub enum SinkTarget {
    /// `secrets`: texts by Standard Webhooks, separated by blanks; while they are rotated there are two.
    Webhook {
        url: Secret,
        secrets: Option<Secret>,
    },
    Slack {
        url: Secret,
    },
    Teams {
        url: Secret,
    },
    Discord {
        url: Secret,
    },
    PagerDuty {
        events_url: Secret,
        api_url: Secret,
        key: Secret,
        token: Option<Secret>,
    },
    Opsgenie {
        url: Secret,
        key: Secret,
    },
    Alertmanager {
        urls: Vec<Secret>,
        token: Option<Secret>,
    },
    Ntfy {
        url: Secret,
        topic: String,
        token: Option<Secret>,
    },
    Mail(MailTarget),
    Command {
        argv: Vec<String>,
    },
    /// Attached terminal apps.
    Bell,
}

/// A mail server, and whom it is to deliver to.
#[derive(Clone, Debug, PartialEq)]
pub struct MailTarget {
    pub host: String,
    pub port: u16,
    pub tls: MailTls,
    pub login: Option<(String, Secret)>,
    pub from: String,
    pub to: Vec<String>,
}

const URL: &[&str] = &["url", "url_file", "url_env"];
const KEY: &[&str] = &["key_file", "key_env"];
const SECRET: &[&str] = &["secret_file", "secret_env"];
const TOKEN: &[&str] = &["token_file", "token_env"];
const PASSWORD: &[&str] = &["password_file", "password_env"];
const TITLE: &[&str] = &["title"];
const BODY: &[&str] = &["body"];

/// The settings that a type has: groups of which one must be set, and groups of which one may be.
struct SettingGroups {
    required: &'static [&'static [&'static str]],
    optional: &'static [&'static [&'static str]],
}

impl SettingGroups {
    const fn of(kind: SinkType) -> Self {
        let (required, optional): (&[&[&str]], &[&[&str]]) = match kind {
            SinkType::Webhook => (&[URL], &[SECRET]),
            SinkType::Slack | SinkType::Teams | SinkType::Discord => (&[URL], &[TITLE, BODY]),
            SinkType::PagerDuty => {
                (&[KEY], &[TOKEN, &["region", "url"], &["api_url"], TITLE, BODY])
            }
            SinkType::Opsgenie => (&[KEY], &[&["region", "url"], TITLE, BODY]),
            SinkType::Alertmanager => {
                (&[&["urls", "url", "url_file", "url_env"]], &[TOKEN, TITLE, BODY])
            }
            SinkType::Ntfy => (&[URL, &["topic"]], &[TOKEN, TITLE, BODY]),
            // No title: mails of an incident make one thread by their one subject.
            SinkType::Mail => {
                (&[&["server"], &["from"], &["to"]], &[&["tls"], &["user"], PASSWORD, BODY])
            }
            SinkType::Command => (&[&["command"]], &[]),
            SinkType::Bell => (&[], &[]),
        };
        Self { required, optional }
    }
}

impl SinkSection {
    /// Returns the settings beside name, type, timeout and trusted certificates that are set, each with
    /// its offset.
    fn set(&self) -> Vec<(&'static str, usize)> {
        fn at<T>(setting: &Option<Spanned<T>>) -> Option<usize> {
            setting.as_ref().map(|it| it.span().start)
        }
        let all = [
            ("url", at(&self.url)),
            ("url_file", at(&self.url_file)),
            ("url_env", at(&self.url_env)),
            ("urls", at(&self.urls)),
            ("api_url", at(&self.api_url)),
            ("region", at(&self.region)),
            ("key_file", at(&self.key_file)),
            ("key_env", at(&self.key_env)),
            ("secret_file", at(&self.secret_file)),
            ("secret_env", at(&self.secret_env)),
            ("token_file", at(&self.token_file)),
            ("token_env", at(&self.token_env)),
            ("topic", at(&self.topic)),
            ("server", at(&self.server)),
            ("tls", at(&self.tls)),
            ("user", at(&self.user)),
            ("password_file", at(&self.password_file)),
            ("password_env", at(&self.password_env)),
            ("from", at(&self.from)),
            ("to", at(&self.to)),
            ("command", at(&self.command)),
            ("title", at(&self.title)),
            ("body", at(&self.body)),
        ];
        all.into_iter().filter_map(|(name, at)| Some((name, at?))).collect()
    }

    /// Checks what no single value shows.
    ///
    /// 1. Each setting is one of its type, and no other of its group is set.
    /// 2. Of each group that is required one is set.
    /// 3. URLs are URLs, lists have 1 to 64 items, and a request takes a minute at most.
    /// 4. A user of a mail server has a password; plain connections go to this machine alone.
    /// 5. Templates render every kind of notice.
    pub(crate) fn check(&self, text: &ConfigText) -> Result<(), ConfigError> {
        let kind = self.kind.get_ref().0;
        let groups = SettingGroups::of(kind);
        let set = self.set();
        let found = |group: &[&str]| {
            set.iter().filter(|it| group.contains(&it.0)).copied().collect::<Vec<_>>()
        };
        let known: Vec<&[&str]> = groups.required.iter().chain(groups.optional).copied().collect();
        if let Some((name, at)) =
            set.iter().find(|it| !known.iter().any(|group| group.contains(&it.0)))
        {
            let message = format!("{name} is no setting of a sink of type {:?}", kind.name());
            return Err(text.error_at(*at, &message));
        }
        for group in known {
            if let [(first, _), (second, at), ..] = found(group)[..] {
                let message = format!("expected either {first} or {second}, found both");
                return Err(text.error_at(at, &message));
            }
        }
        if let Some(group) = groups.required.iter().find(|group| found(group).is_empty()) {
            let message =
                format!("expected {} for a sink of type {:?}", group.join(" or "), kind.name());
            return Err(text.error_at(self.kind.span().start, &message));
        }
        self.check_values(text)?;
        [&self.title, &self.body].into_iter().flatten().try_for_each(|template| {
            let source = &template.get_ref().0.0;
            let error = |error| text.error_in_template(template.span(), source, &error);
            TextTemplate::parse(source).map(drop).map_err(error)
        })
    }

    fn check_values(&self, text: &ConfigText) -> Result<(), ConfigError> {
        let urls = self
            .urls
            .iter()
            .flat_map(|it| it.get_ref().iter().map(|url| (it.span().start, &url.0)));
        let single = [&self.url, &self.api_url].into_iter().flatten();
        let single = single.map(|it| (it.span().start, &it.get_ref().0));
        for (at, url) in single.chain(urls) {
            if !is_url(url.0.expose()) {
                return Err(
                    text.error_at(at, "expected a URL that begins with https:// or http://")
                );
            }
        }
        let lists = [
            self.urls.as_ref().map(|it| (it.span().start, it.get_ref().len())),
            self.to.as_ref().map(|it| (it.span().start, it.get_ref().len())),
            self.command.as_ref().map(|it| (it.span().start, it.get_ref().len())),
        ];
        for (at, length) in lists.into_iter().flatten() {
            if !(1..=LIST_MAX).contains(&length) {
                let message = format!("expected 1 to {LIST_MAX} items, found {length}");
                return Err(text.error_at(at, &message));
            }
        }
        if let Some(timeout) = self.timeout.as_ref().filter(|it| it.get_ref().0.0 > TIMEOUT_MAX) {
            return Err(text.error_at(timeout.span().start, "expected at most \"1m\""));
        }
        let has_password = self.password_file.is_some() || self.password_env.is_some();
        if let Some(user) = self.user.as_ref().filter(|_| !has_password) {
            return Err(
                text.error_at(user.span().start, "expected password_file or password_env, too")
            );
        }
        if has_password && self.user.is_none() {
            return Err(text.error_at(self.kind.span().start, "expected user beside the password"));
        }
        let Some(server) = &self.server else { return Ok(()) };
        let tls = self.tls.as_ref().map_or(MailTls::default(), |it| it.get_ref().0);
        match split_server(&server.get_ref().0.0, tls) {
            None => Err(text.error_at(
                server.span().start,
                "expected HOST or HOST:PORT, such as \"mail.example.org:587\"",
            )),
            Some((host, _)) if tls == MailTls::None && !is_loopback(&host) => Err(text.error_at(
                server.span().start,
                "expected a server on this machine where tls = \"none\": mails name agents and hosts",
            )),
            Some(_) => Ok(()),
        }
    }

    /// Reads the secrets; `variable` looks up an environment variable.
    ///
    /// # Errors
    /// [`SecretError`] names the file or variable that can't be read.
    pub fn read(
        &self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<SinkConfig, SecretError> {
        let name = self.name.get_ref().0.0.clone();
        let owner = format!("sink {name:?}");
        let read = |setting, source: Option<SecretSource>| match source {
            Some(source) => source.read(&owner, setting, &variable).map(Some),
            None => Ok(None),
        };
        let url = source(self.url.as_ref(), self.url_file.as_ref(), self.url_env.as_ref());
        let url_place = url.as_ref().map(ToString::to_string).unwrap_or_default();
        let url = read("url", url)?;
        if url.as_ref().is_some_and(|it| !is_url(it.expose())) {
            let expected = "a URL that begins with https:// or http://";
            return Err(SecretError::Malformed {
                owner: owner.clone(),
                setting: "url",
                place: url_place,
                expected,
            });
        }
        let key = read("key", source(None, self.key_file.as_ref(), self.key_env.as_ref()))?;
        let token = read("token", source(None, self.token_file.as_ref(), self.token_env.as_ref()))?;
        let secrets =
            read("secret", source(None, self.secret_file.as_ref(), self.secret_env.as_ref()))?;
        let password = read(
            "password",
            source(None, self.password_file.as_ref(), self.password_env.as_ref()),
        )?;
        // Checked: what a type requires is set.
        let empty = || Secret::new("");
        let (url_or_default, region) =
            (url.clone(), self.region.as_ref().map_or(Region::default(), |it| it.get_ref().0));
        let target = match self.kind.get_ref().0 {
            SinkType::Webhook => SinkTarget::Webhook { url: url.unwrap_or_else(empty), secrets },
            SinkType::Slack => SinkTarget::Slack { url: url.unwrap_or_else(empty) },
            SinkType::Teams => SinkTarget::Teams { url: url.unwrap_or_else(empty) },
            SinkType::Discord => SinkTarget::Discord { url: url.unwrap_or_else(empty) },
            SinkType::PagerDuty => SinkTarget::PagerDuty {
                events_url: url_or_default
                    .unwrap_or_else(|| Secret::new(region.pagerduty_events())),
                api_url: self.api_url.as_ref().map_or_else(
                    || Secret::new(region.pagerduty_api()),
                    |it| it.get_ref().0.0.clone(),
                ),
                key: key.unwrap_or_else(empty),
                token,
            },
            SinkType::Opsgenie => SinkTarget::Opsgenie {
                url: url_or_default.unwrap_or_else(|| Secret::new(region.opsgenie())),
                key: key.unwrap_or_else(empty),
            },
            SinkType::Alertmanager => {
                let listed = self.urls.iter().flat_map(|it| it.get_ref().iter());
                let urls = listed.map(|it| it.0.0.clone()).chain(url).collect();
                SinkTarget::Alertmanager { urls, token }
            }
            SinkType::Ntfy => SinkTarget::Ntfy {
                url: url.unwrap_or_else(empty),
                topic: plain(self.topic.as_ref()),
                token,
            },
            SinkType::Mail => {
                let tls = self.tls.as_ref().map_or(MailTls::default(), |it| it.get_ref().0);
                let server = plain(self.server.as_ref());
                let (host, port) = split_server(&server, tls).unwrap_or((server, tls.port()));
                let to = self.to.iter().flat_map(|it| it.get_ref().iter());
                SinkTarget::Mail(MailTarget {
                    host,
                    port,
                    tls,
                    login: password.map(|it| (plain(self.user.as_ref()), it)),
                    from: plain(self.from.as_ref()),
                    to: to.map(|it| it.0.0.clone()).collect(),
                })
            }
            SinkType::Command => SinkTarget::Command {
                argv: self.command.as_ref().map(|it| it.get_ref().clone()).unwrap_or_default(),
            },
            SinkType::Bell => SinkTarget::Bell,
        };
        let timeout = self.timeout.as_ref().map_or(DEFAULT_TIMEOUT, |it| it.get_ref().0.0);
        let ca_file = self.ca_file.as_ref().map(|it| it.get_ref().0.clone());
        let template = |setting: &Setting<TemplateText>| {
            setting.as_ref().map(|it| TextTemplate::of_checked(&it.get_ref().0.0))
        };
        let templates = SinkTemplates { title: template(&self.title), body: template(&self.body) };
        Ok(SinkConfig { name, timeout, ca_file, templates, target })
    }
}

pub(crate) fn source(
    inline: Option<&Spanned<ConfigString<UrlText>>>,
    file: Option<&Spanned<ConfigString<PathBuf>>>,
    variable: Option<&Spanned<ConfigString<PlainText>>>,
) -> Option<SecretSource> {
    let inline = inline.map(|it| SecretSource::Inline(it.get_ref().0.0.clone()));
    let file = file.map(|it| SecretSource::File(it.get_ref().0.clone()));
    inline.or(file).or_else(|| variable.map(|it| SecretSource::Variable(it.get_ref().0.0.clone())))
}

fn plain(setting: Option<&Spanned<ConfigString<PlainText>>>) -> String {
    setting.map(|it| it.get_ref().0.0.clone()).unwrap_or_default()
}

/// Returns host and port; `None`: it is neither `HOST` nor `HOST:PORT`.
fn split_server(server: &str, tls: MailTls) -> Option<(String, u16)> {
    let (host, port) = match server.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':')?)),
        None => match server.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (server, None),
        },
    };
    let port = port.map_or(Some(tls.port()), |it| it.parse().ok())?;
    let is_host = !host.is_empty() && !host.contains(['/', ' ', '@']);
    is_host.then(|| (host.to_owned(), port))
}

/// Returns whether a host is this machine, by its name or address.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests;
