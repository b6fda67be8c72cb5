//! The values of `[[sink]]`.

use heartline_fleet::SinkTraits;

use crate::secret::Secret;
use crate::value::StringSetting;

/// Longest name of a sink, in characters.
const NAME_MAX: usize = 64;

/// The name of a sink, as routes, tables and messages have it.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkName(pub String);

impl StringSetting for SinkName {
    const EXPECTED: &'static str = "a name of 1 to 64 of a-z A-Z 0-9 . _ -";

    fn parse(text: &str) -> Option<Self> {
        let may_be = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
        ((1..=NAME_MAX).contains(&text.len()) && text.bytes().all(may_be))
            .then(|| Self(text.to_owned()))
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}

/// Declares an enumeration whose values are words of a config file.
macro_rules! words {
    ($(#[$attribute:meta])* $type:ident, $expected:literal { $($(#[$value_attribute:meta])* $value:ident = $name:literal,)+ }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type { $($(#[$value_attribute])* $value,)+ }

        impl $type {
            pub const fn name(self) -> &'static str {
                match self { $(Self::$value => $name,)+ }
            }
        }

        impl StringSetting for $type {
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Option<Self> {
                match text { $($name => Some(Self::$value),)+ _ => None }
            }

            fn print(&self) -> String {
                self.name().to_owned()
            }
        }
    };
}

words! {
    /// What a sink sends to.
    SinkType, "one of webhook, slack, teams, discord, pagerduty, opsgenie, alertmanager, ntfy, mail, command, bell" {
        Webhook = "webhook",
        Slack = "slack",
        Teams = "teams",
        Discord = "discord",
        PagerDuty = "pagerduty",
        Opsgenie = "opsgenie",
        Alertmanager = "alertmanager",
        Ntfy = "ntfy",
        Mail = "mail",
        Command = "command",
        Bell = "bell",
    }
}

words! {
    /// How a connection to a mail server is secured.
    #[derive(Default)]
    MailTls, "one of starttls, implicit, none" {
        /// Plain at first, and not used unless the server then speaks TLS.
        #[default]
        StartTls = "starttls",
        /// TLS from the first byte.
        Implicit = "implicit",
        /// For a server on this machine.
        None = "none",
    }
}

impl MailTls {
    /// Returns the port that is usual for it.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

words! {
    /// The region of an account with a service.
    #[derive(Default)]
    Region, "us or eu" {
        #[default]
        Us = "us",
        Eu = "eu",
    }
}

impl Region {
    pub(crate) const fn pagerduty_events(self) -> &'static str {
        match self {
            Self::Us => "https://events.pagerduty.com",
            Self::Eu => "https://events.eu.pagerduty.com",
        }
    }

    pub(crate) const fn pagerduty_api(self) -> &'static str {
        match self {
            Self::Us => "https://api.pagerduty.com",
            Self::Eu => "https://api.eu.pagerduty.com",
        }
    }

    pub(crate) const fn opsgenie(self) -> &'static str {
        match self {
            Self::Us => "https://api.opsgenie.com/v2/alerts",
            Self::Eu => "https://api.eu.opsgenie.com/v2/alerts",
        }
    }
}

/// A URL, which may be a credential: it is printed without what makes it one, and any text is taken here
/// so that no error repeats it.
#[derive(Clone, Debug, PartialEq)]
pub struct UrlText(pub Secret);

impl StringSetting for UrlText {
    const EXPECTED: &'static str = "a URL";

    fn parse(text: &str) -> Option<Self> {
        Some(Self(Secret::new(text)))
    }

    fn print(&self) -> String {
        self.0.redacted_url()
    }
}

/// A text of one line that is not empty.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainText(pub String);

impl StringSetting for PlainText {
    const EXPECTED: &'static str = "a text of one line";

    fn parse(text: &str) -> Option<Self> {
        let is_plain = !text.trim().is_empty() && !text.chars().any(char::is_control);
        is_plain.then(|| Self(text.trim().to_owned()))
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}

/// The template of a text. Its place in the file says where an error is, so it is parsed when that is known.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateText(pub String);

impl StringSetting for TemplateText {
    const EXPECTED: &'static str = "a text";

    fn parse(text: &str) -> Option<Self> {
        Some(Self(text.to_owned()))
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}

/// Returns whether a text is a URL of HTTP with a host.
pub(crate) fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_printable = text.bytes().all(|it| it.is_ascii_graphic());
    is_printable && rest.is_some_and(|it| !it.is_empty() && !it.starts_with(['/', '?', '#', ':']))
}

impl SinkType {
    /// Returns what a sink of this type does by itself.
    pub const fn traits(self) -> SinkTraits {
        match self {
            // Another notice under the key of an open alert is swallowed.
            Self::PagerDuty | Self::Opsgenie => SinkTraits { reminds: true, groups: false },
            Self::Alertmanager => SinkTraits { reminds: true, groups: true },
            _ => SinkTraits { reminds: false, groups: false },
        }
    }
}
