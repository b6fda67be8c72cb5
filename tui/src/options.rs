//! What can be set: by the command line, and in the config file.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::keys::{KeyMap, KeyMapError};
use crate::look::{Charset, ThemeName};
use crate::state::ZoneChoice;

/// The `[tui]` section of the config file. Unknown keys are errors.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TuiConfig {
    /// Which theme; without it dark, or mono under `NO_COLOR`.
    pub theme: Option<ThemeName>,
    /// Draw with ASCII characters only.
    pub ascii: bool,
    /// Show times in UTC (the default) or in the local zone.
    pub utc: Option<bool>,
    /// Other keys for commands, by name.
    pub keys: BTreeMap<String, Keys>,
}

/// One key, or several.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "expected a key such as \"F5\", or a list of keys")]
pub enum Keys {
    /// One.
    One(String),
    /// Several, or none.
    Several(Vec<String>),
}

/// How the program looks and which keys it has: the config, resolved.
#[derive(Clone, Debug)]
pub struct Look {
    pub(crate) theme: ThemeName,
    pub(crate) charset: Charset,
    pub(crate) zone: ZoneChoice,
    pub(crate) local_zone: TimeZone,
    pub(crate) keymap: KeyMap,
}

/// What the environment says about colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// Nothing.
    #[default]
    Allowed,
    /// `NO_COLOR` is set and not empty.
    Unwanted,
}

impl Colour {
    /// Reads `NO_COLOR` (<https://no-color.org>).
    #[must_use]
    pub fn from_env() -> Self {
        match std::env::var_os("NO_COLOR") {
            Some(value) if !value.is_empty() => Self::Unwanted,
            _ => Self::Allowed,
        }
    }
}

impl Keys {
    fn list(&self) -> Vec<String> {
        match self {
            Self::One(key) => vec![key.clone()],
            Self::Several(keys) => keys.clone(),
        }
    }
}

impl TuiConfig {
    /// The look that this config asks for. A theme that is named wins over `NO_COLOR`.
    ///
    /// # Errors
    /// A `[keys]` section that can't be used.
    pub fn resolve(&self, colour: Colour) -> Result<Look, KeyMapError> {
        let overrides = self.keys.iter().map(|(name, keys)| (name.clone(), keys.list())).collect();
        let fallback = match colour {
            Colour::Allowed => ThemeName::Dark,
            Colour::Unwanted => ThemeName::MonoTime,
        };
        Ok(Look {
            theme: self.theme.unwrap_or(fallback),
            charset: if self.ascii { Charset::Ascii } else { Charset::Unicode },
            zone: if self.utc == Some(false) { ZoneChoice::Local } else { ZoneChoice::Utc },
            local_zone: TimeZone::system(),
            keymap: KeyMap::with_overrides(&overrides)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_read_and_unknown_keys_are_refused() {
        let text = "theme = \"colour-blind\"\nascii = true\n[keys]\nfreeze = \"F5\"\nkill = [\"X\", \"F9\"]\n";
        let config: TuiConfig = toml::from_str(text).unwrap();
        let look = config.resolve(Colour::Unwanted).unwrap();
        assert_eq!((look.theme, look.charset), (ThemeName::ColourBlind, Charset::Ascii));
        assert_eq!(look.keymap.table()["kill"], ["X", "F9"]);
        assert!(toml::from_str::<TuiConfig>("them = \"dark\"").is_err());
        assert!(toml::from_str::<TuiConfig>("theme = \"solarized\"").is_err());
    }

    #[test]
    fn no_color_means_the_mono_theme() {
        let look = TuiConfig::default().resolve(Colour::Unwanted).unwrap();
        assert_eq!(look.theme, ThemeName::MonoTime);
    }
}
