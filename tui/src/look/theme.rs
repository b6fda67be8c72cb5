//! Colours, by what they mean. Widgets name a [`Role`], never a colour.

use ratatui::style::{Color, Modifier, Style};
use serde::{Deserialize, Serialize};

/// The themes that come with the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum ThemeName {
    /// The 16 ANSI colours, for a dark background: the terminal's own palette decides.
    #[default]
    Dark,
    /// The 16 ANSI colours, for a light background.
    Light,
    /// No colour: bold, dim and reverse video only. Also used under `NO_COLOR`.
    Mono,
    /// Okabe and Ito's palette, told apart with any kind of colour vision.
    ColourBlind,
}

/// No theme has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {all}, found {0:?}", all = ThemeName::ALL.map(ThemeName::name).join(", "))]
pub struct NoSuchTheme(String);

/// What a piece of text is, for the theme to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Text,
    Dim,
    Strong,
    Title,
    Key,
    Border,
    Healthy,
    Degraded,
    Unreachable,
    Killed,
    Unknown,
    /// What must not be overlooked: drops, errors, a disobeyed kill.
    Alert,
    /// A lost link, a frozen screen.
    Warning,
}

/// A theme, resolved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Theme {
    name: ThemeName,
}

impl ThemeName {
    /// All themes, in the order in which they are listed.
    pub const ALL: [Self; 4] = [Self::Dark, Self::Light, Self::Mono, Self::ColourBlind];

    /// Its name in flags and in the config file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Mono => "mono",
            Self::ColourBlind => "colour-blind",
        }
    }

    /// The theme of that name.
    ///
    /// # Errors
    /// [`NoSuchTheme`] names those that there are.
    pub fn parse(name: &str) -> Result<Self, NoSuchTheme> {
        let named = Self::ALL.into_iter().find(|theme| theme.name() == name);
        named.ok_or_else(|| NoSuchTheme(name.to_owned()))
    }
}

impl TryFrom<String> for ThemeName {
    type Error = NoSuchTheme;

    fn try_from(name: String) -> Result<Self, NoSuchTheme> {
        Self::parse(&name)
    }
}

impl From<ThemeName> for &'static str {
    fn from(name: ThemeName) -> Self {
        name.name()
    }
}

impl Theme {
    pub(crate) fn new(name: ThemeName) -> Self {
        Self { name }
    }

    pub(crate) fn style(self, role: Role) -> Style {
        let style = match self.colour(role) {
            Some(colour) => Style::new().fg(colour),
            None => Style::new(),
        };
        style.add_modifier(self.weight(role))
    }

    /// The row under the cursor: reversed in every theme, so that it shows without colour.
    pub(crate) fn cursor(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Everything that is no longer known to be true: the rows behind a lost link.
    pub(crate) fn faded(self) -> Style {
        Style::new().fg(Color::Reset).remove_modifier(Modifier::BOLD).add_modifier(Modifier::DIM)
    }

    fn weight(self, role: Role) -> Modifier {
        match role {
            Role::Dim | Role::Border => Modifier::DIM,
            Role::Strong | Role::Title | Role::Key | Role::Unreachable => Modifier::BOLD,
            Role::Alert | Role::Warning => Modifier::BOLD | Modifier::REVERSED,
            Role::Degraded if self.name == ThemeName::Mono => Modifier::BOLD,
            Role::Text | Role::Healthy | Role::Degraded | Role::Killed | Role::Unknown => {
                Modifier::empty()
            }
        }
    }

    fn colour(self, role: Role) -> Option<Color> {
        match self.name {
            ThemeName::Mono => None,
            ThemeName::Dark => ansi(role, Color::LightRed, Color::Cyan),
            ThemeName::Light => ansi(role, Color::Red, Color::Blue),
            ThemeName::ColourBlind => okabe_ito(role),
        }
    }
}

/// The 16 names only. Plain text stays in the terminal's own foreground.
fn ansi(role: Role, bad: Color, accent: Color) -> Option<Color> {
    match role {
        Role::Healthy => Some(Color::Green),
        Role::Degraded | Role::Warning => Some(Color::Yellow),
        Role::Unreachable | Role::Alert => Some(bad),
        Role::Killed => Some(Color::Magenta),
        Role::Title | Role::Key => Some(accent),
        Role::Text | Role::Dim | Role::Strong | Role::Border | Role::Unknown => None,
    }
}

fn okabe_ito(role: Role) -> Option<Color> {
    match role {
        Role::Healthy => Some(Color::Rgb(0x00, 0x9e, 0x73)),
        Role::Degraded | Role::Warning => Some(Color::Rgb(0xe6, 0x9f, 0x00)),
        Role::Unreachable | Role::Alert => Some(Color::Rgb(0xd5, 0x5e, 0x00)),
        Role::Killed => Some(Color::Rgb(0xcc, 0x79, 0xa7)),
        Role::Title | Role::Key => Some(Color::Rgb(0x56, 0xb4, 0xe9)),
        Role::Text | Role::Dim | Role::Strong | Role::Border | Role::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_is_found_by_its_name() {
        for theme in ThemeName::ALL {
            assert_eq!(ThemeName::parse(theme.name()), Ok(theme));
        }
        assert!(ThemeName::parse("solarized").is_err());
    }

    #[test]
    fn mono_uses_no_colour_and_still_reverses_the_cursor() {
        let theme = Theme::new(ThemeName::Mono);
        for role in [Role::Healthy, Role::Unreachable, Role::Killed, Role::Alert, Role::Title] {
            assert_eq!(theme.style(role).fg, None);
        }
        assert!(theme.cursor().add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn colour_blind_states_have_four_different_colours() {
        let theme = Theme::new(ThemeName::ColourBlind);
        let mut seen: Vec<Option<Color>> = Vec::new();
        for role in [Role::Healthy, Role::Degraded, Role::Unreachable, Role::Killed] {
            let colour = theme.style(role).fg;
            assert!(!seen.contains(&colour), "{role:?} repeats a colour");
            seen.push(colour);
        }
    }
}
