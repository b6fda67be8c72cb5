//! What can be set: by the command line, and in the config file.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::keys::{KeyConflict, KeyMap, KeyOverrides};
use crate::look::{GlyphSet, ThemeName};
use crate::state::ZoneChoice;

/// The `[tui]` section of the config file. Unknown keys are errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a table")]
pub struct TuiConfig {
    /// Without it dark, or mono under `NO_COLOR`.
    pub theme: Option<ThemeName>,
    /// Draw with ASCII characters only.
    pub ascii: bool,
    /// Show times in UTC, not in the local zone.
    pub utc: bool,
    /// `[tui.keys]`, with those of `[keys]` added.
    #[serde(skip_serializing)]
    pub keys: KeyOverrides,
}

impl Default for TuiConfig {
    fn default() -> Self {
        Self { theme: None, ascii: false, utc: true, keys: KeyOverrides::default() }
    }
}

/// How the program looks and which keys it has: the config, resolved.
#[derive(Clone, Debug)]
pub struct Look {
    pub(crate) theme: ThemeName,
    pub(crate) charset: GlyphSet,
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

impl TuiConfig {
    /// Returns the look that this config asks for. A theme that is named wins over `NO_COLOR`.
    ///
    /// # Errors
    /// [`KeyConflict`] when one key would have two meanings.
    pub fn resolve(&self, colour: Colour) -> Result<Look, KeyConflict> {
        let fallback = match colour {
            Colour::Allowed => ThemeName::Dark,
            Colour::Unwanted => ThemeName::Mono,
        };
        Ok(Look {
            theme: self.theme.unwrap_or(fallback),
            charset: if self.ascii { GlyphSet::Ascii } else { GlyphSet::Unicode },
            zone: if self.utc { ZoneChoice::Utc } else { ZoneChoice::Local },
            local_zone: TimeZone::system(),
            keymap: KeyMap::with_overrides(&self.keys)?,
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
        assert_eq!((look.theme, look.charset), (ThemeName::ColourBlind, GlyphSet::Ascii));
        assert_eq!(look.keymap.table()["kill"], ["X", "F9"]);
        assert!(toml::from_str::<TuiConfig>("them = \"dark\"").is_err());
        assert!(toml::from_str::<TuiConfig>("theme = \"solarized\"").is_err());
    }

    #[test]
    fn no_color_means_the_mono_theme() {
        let look = TuiConfig::default().resolve(Colour::Unwanted).unwrap();
        assert_eq!(look.theme, ThemeName::Mono);
    }
}
