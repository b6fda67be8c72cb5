//! The settings of the terminal app.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::keys::{KeyConflict, KeyMap, KeyOverrides};
use crate::state::DisplayTimeZone;
use crate::terminal::{BellSettings, NotifySequence, Passthrough};
use crate::text::GlyphSet;
use crate::theme::ThemeName;

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
    /// Ring the terminal's bell when a notice comes for a sink of type `bell`.
    pub bell: bool,
    /// Have the terminal show such a notice.
    pub notify: NotifySequence,
    /// Ring and show it as well whenever an agent falls into trouble.
    pub ring_on_trouble: bool,
    /// Ask tmux to pass that on.
    pub tmux_passthrough: bool,
    /// `[tui.keys]`, with those of `[keys]` added.
    #[serde(skip_serializing)]
    pub keys: KeyOverrides,
}

impl Default for TuiConfig {
    fn default() -> Self {
        Self {
            theme: None,
            ascii: false,
            utc: true,
            bell: true,
            notify: NotifySequence::default(),
            ring_on_trouble: false,
            tmux_passthrough: false,
            keys: KeyOverrides::default(),
        }
    }
}

/// The resolved [`TuiConfig`].
#[derive(Clone, Debug)]
pub struct TuiSettings {
    pub(crate) theme: ThemeName,
    pub(crate) glyph_set: GlyphSet,
    pub(crate) zone: DisplayTimeZone,
    /// `None` when this machine has a zone that is not known.
    pub(crate) local_zone: Option<TimeZone>,
    pub(crate) keymap: KeyMap,
    pub(crate) bell: BellSettings,
    pub(crate) rings_on_trouble: bool,
}

/// The preference of the environment for colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColourPreference {
    #[default]
    Allowed,
    /// `NO_COLOR` is set and not empty.
    Unwanted,
}

impl ColourPreference {
    /// Reads `NO_COLOR` (<https://no-color.org>).
    pub fn from_env() -> Self {
        match std::env::var_os("NO_COLOR") {
            Some(value) if !value.is_empty() => Self::Unwanted,
            _ => Self::Allowed,
        }
    }
}

impl TuiConfig {
    /// Resolves the theme, which wins over `NO_COLOR`, the characters, the zone and the keys.
    ///
    /// # Errors
    /// [`KeyConflict`] when one key would have two meanings.
    pub fn resolve(&self, colour: ColourPreference) -> Result<TuiSettings, KeyConflict> {
        let fallback = match colour {
            ColourPreference::Allowed => ThemeName::Dark,
            ColourPreference::Unwanted => ThemeName::Mono,
        };
        Ok(TuiSettings {
            theme: self.theme.unwrap_or(fallback),
            glyph_set: if self.ascii { GlyphSet::Ascii } else { GlyphSet::Unicode },
            zone: if self.utc { DisplayTimeZone::Utc } else { DisplayTimeZone::Local },
            local_zone: TimeZone::try_system().ok().filter(|zone| !zone.is_unknown()),
            keymap: KeyMap::with_overrides(&self.keys)?,
            bell: BellSettings {
                rings: self.bell,
                notify: self.notify,
                passthrough: Passthrough::of_environment(self.tmux_passthrough),
            },
            rings_on_trouble: self.ring_on_trouble,
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
        let settings = config.resolve(ColourPreference::Unwanted).unwrap();
        assert_eq!((settings.theme, settings.glyph_set), (ThemeName::ColourBlind, GlyphSet::Ascii));
        assert_eq!(settings.keymap.table()["kill"], ["X", "F9"]);
        assert!(toml::from_str::<TuiConfig>("them = \"dark\"").is_err());
        assert!(toml::from_str::<TuiConfig>("theme = \"solarized\"").is_err());
    }

    #[test]
    fn no_color_means_the_mono_theme() {
        let settings = TuiConfig::default().resolve(ColourPreference::Unwanted).unwrap();
        assert_eq!(settings.theme, ThemeName::Mono);
    }
}
