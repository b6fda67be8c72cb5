//! Styles and glyphs, by what they mean. Views name a [`StyleRole`], never a colour.

use heartline_operator::message::{AgentVitals, Event, EventKind};
use heartline_operator::text::{state_glyph, state_word, vitals_word};
use heartline_vocabulary::{Action, Reason, State};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;
use serde::{Deserialize, Serialize};

use crate::state::AlertMark;
use crate::text::GlyphSet;

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

/// A name that no theme has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {all}, found {0:?}", all = ThemeName::ALL.map(ThemeName::name).join(", "))]
pub struct ParseThemeError(String);

/// The meaning of a piece of text, which a theme maps to a style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StyleRole {
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

impl ThemeName {
    /// All themes, in the order in which they are listed.
    pub const ALL: [Self; 4] = [Self::Dark, Self::Light, Self::Mono, Self::ColourBlind];

    /// Returns the name in flags and in the config file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Mono => "mono",
            Self::ColourBlind => "colour-blind",
        }
    }

    /// Returns the theme of that name.
    ///
    /// # Errors
    /// [`ParseThemeError`], which lists the names.
    pub fn parse(name: &str) -> Result<Self, ParseThemeError> {
        let named = Self::ALL.into_iter().find(|theme| theme.name() == name);
        named.ok_or_else(|| ParseThemeError(name.to_owned()))
    }
}

impl TryFrom<String> for ThemeName {
    type Error = ParseThemeError;

    fn try_from(name: String) -> Result<Self, ParseThemeError> {
        Self::parse(&name)
    }
}

impl From<ThemeName> for &'static str {
    fn from(name: ThemeName) -> Self {
        name.name()
    }
}

impl ThemeName {
    pub(crate) fn style(self, role: StyleRole) -> Style {
        let style = match self.colour(role) {
            Some(colour) => Style::new().fg(colour),
            None => Style::new(),
        };
        style.add_modifier(self.modifier(role))
    }

    /// Returns the style of the selected row: reversed in every theme, so that it shows without
    /// colour.
    pub(crate) fn selection(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Returns the style of content that may be out of date: the rows behind a lost link.
    pub(crate) fn stale(self) -> Style {
        Style::new().fg(Color::Reset).remove_modifier(Modifier::BOLD).add_modifier(Modifier::DIM)
    }

    fn modifier(self, role: StyleRole) -> Modifier {
        match role {
            StyleRole::Dim | StyleRole::Border => Modifier::DIM,
            StyleRole::Strong | StyleRole::Title | StyleRole::Key | StyleRole::Unreachable => {
                Modifier::BOLD
            }
            StyleRole::Alert | StyleRole::Warning => Modifier::BOLD | Modifier::REVERSED,
            StyleRole::Degraded if self == ThemeName::Mono => Modifier::BOLD,
            StyleRole::Text
            | StyleRole::Healthy
            | StyleRole::Degraded
            | StyleRole::Killed
            | StyleRole::Unknown => Modifier::empty(),
        }
    }

    fn colour(self, role: StyleRole) -> Option<Color> {
        match self {
            ThemeName::Mono => None,
            ThemeName::Dark => ansi(role, Color::LightRed, Color::Cyan),
            ThemeName::Light => ansi(role, Color::Red, Color::Blue),
            ThemeName::ColourBlind => okabe_ito(role),
        }
    }
}

/// Uses the 16 ANSI names only. Plain text keeps the terminal's own foreground.
fn ansi(role: StyleRole, bad: Color, accent: Color) -> Option<Color> {
    match role {
        StyleRole::Healthy => Some(Color::Green),
        StyleRole::Degraded | StyleRole::Warning => Some(Color::Yellow),
        StyleRole::Unreachable | StyleRole::Alert => Some(bad),
        StyleRole::Killed => Some(Color::Magenta),
        StyleRole::Title | StyleRole::Key => Some(accent),
        StyleRole::Text
        | StyleRole::Dim
        | StyleRole::Strong
        | StyleRole::Border
        | StyleRole::Unknown => None,
    }
}

fn okabe_ito(role: StyleRole) -> Option<Color> {
    match role {
        StyleRole::Healthy => Some(Color::Rgb(0x00, 0x9e, 0x73)),
        StyleRole::Degraded | StyleRole::Warning => Some(Color::Rgb(0xe6, 0x9f, 0x00)),
        StyleRole::Unreachable | StyleRole::Alert => Some(Color::Rgb(0xd5, 0x5e, 0x00)),
        StyleRole::Killed => Some(Color::Rgb(0xcc, 0x79, 0xa7)),
        StyleRole::Title | StyleRole::Key => Some(Color::Rgb(0x56, 0xb4, 0xe9)),
        StyleRole::Text
        | StyleRole::Dim
        | StyleRole::Strong
        | StyleRole::Border
        | StyleRole::Unknown => None,
    }
}

/// A state as a glyph, a word and a style: what the STATE column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateLabel {
    pub glyph: &'static str,
    pub word: &'static str,
    pub role: StyleRole,
}

/// Returns the label of an agent's state, and of the progress of a kill.
pub(crate) fn vitals_label(vitals: &AgentVitals, glyph_set: GlyphSet) -> StateLabel {
    let plain = state_label(vitals.state, vitals.reason, glyph_set);
    let disobeys = vitals.command.as_ref().is_some_and(|command| command.disobeyed);
    let role =
        if vitals.state == State::Killed && disobeys { StyleRole::Alert } else { plain.role };
    StateLabel { word: vitals_word(vitals), role, ..plain }
}

/// Returns the label of a state alone, as in a transition.
pub(crate) fn state_label(state: State, reason: Option<Reason>, glyph_set: GlyphSet) -> StateLabel {
    StateLabel {
        glyph: state_glyph(state, reason, glyph_set),
        word: state_word(state, reason),
        role: state_role(state, reason),
    }
}

fn state_role(state: State, reason: Option<Reason>) -> StyleRole {
    match state {
        State::Healthy => StyleRole::Healthy,
        State::Degraded => StyleRole::Degraded,
        State::Unreachable => StyleRole::Unreachable,
        State::Killed if reason == Some(Reason::Shutdown) => StyleRole::Unknown,
        State::Killed => StyleRole::Killed,
        State::Unknown => StyleRole::Unknown,
    }
}

/// Returns the style of an event.
pub(crate) fn event_role(event: &Event) -> StyleRole {
    match &event.kind {
        EventKind::Transition { to, reason, .. } => state_role(*to, *reason),
        EventKind::Command { action: Action::Kill, .. } => StyleRole::Killed,
        EventKind::Disobeyed { .. } => StyleRole::Alert,
        EventKind::Gap { .. } | EventKind::Budget { .. } => StyleRole::Degraded,
        _ => StyleRole::Text,
    }
}

/// Every character that is neither text nor a state, in Unicode or in ASCII.
#[derive(Debug)]
pub(crate) struct ScreenGlyphs {
    pub glyph_set: GlyphSet,
    /// An open group.
    pub open: &'static str,
    pub folded: &'static str,
    pub marked: &'static str,
    /// An agent whose state is less than a minute old.
    pub new: &'static str,
    pub separator: &'static str,
    pub arrow: &'static str,
    pub more: &'static str,
    pub down: &'static str,
    pub up: &'static str,
    /// Eight heights, lowest first.
    pub bars: [&'static str; 8],
    /// A cell of the timeline that was not observed, has not come, was bad for a short part, or of an agent
    /// that was killed.
    pub gap: &'static str,
    pub pending: &'static str,
    pub short: &'static str,
    pub killed: &'static str,
    /// An agent in an incident that somebody takes care of.
    pub acknowledged: &'static str,
    /// Where the clock was set, on the axis.
    pub clock_step: &'static str,
    pub border: border::Set<'static>,
}

static UNICODE: ScreenGlyphs = ScreenGlyphs {
    glyph_set: GlyphSet::Unicode,
    open: "▾",
    folded: "▸",
    marked: "*",
    new: "•",
    separator: "│",
    arrow: "→",
    more: "…",
    down: "▼",
    up: "▲",
    bars: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    gap: "·",
    pending: "░",
    short: "▖",
    killed: "×",
    acknowledged: "✓",
    clock_step: "⌁",
    border: border::PLAIN,
};

static ASCII: ScreenGlyphs = ScreenGlyphs {
    glyph_set: GlyphSet::Ascii,
    open: "v",
    folded: ">",
    marked: "*",
    new: "'",
    separator: "|",
    arrow: "->",
    more: "~",
    down: "v",
    up: "^",
    bars: ["_", ".", ",", "-", "=", "+", "*", "#"],
    gap: ":",
    pending: "%",
    short: "'",
    killed: "x",
    acknowledged: "a",
    clock_step: "!",
    border: border::Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    },
};

impl ScreenGlyphs {
    pub(crate) fn for_set(glyph_set: GlyphSet) -> &'static Self {
        match glyph_set {
            GlyphSet::Unicode => &UNICODE,
            GlyphSet::Ascii => &ASCII,
        }
    }

    /// Returns how an agent is marked that people are told of, or are not.
    pub(crate) fn alert_mark(&self, mark: AlertMark) -> (StyleRole, &'static str) {
        match mark {
            AlertMark::Open => (StyleRole::Alert, "!"),
            AlertMark::Acknowledged => (StyleRole::Healthy, self.acknowledged),
            AlertMark::Silenced => (StyleRole::Dim, "z"),
        }
    }

    /// Returns a bar of one cell for `value` out of `max`; blank for 0.
    pub(crate) fn bar(&self, value: u32, max: u32) -> &'static str {
        if value == 0 {
            return " ";
        }
        let step = u64::from(value) * 8 / u64::from(max.max(value)).max(1);
        self.bars[usize::try_from(step.clamp(1, 8)).map_or(7, |step| step - 1)]
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
    fn mono_uses_no_colour_and_still_reverses_the_selected_row() {
        let theme = ThemeName::Mono;
        for role in [
            StyleRole::Healthy,
            StyleRole::Unreachable,
            StyleRole::Killed,
            StyleRole::Alert,
            StyleRole::Title,
        ] {
            assert_eq!(theme.style(role).fg, None);
        }
        assert!(theme.selection().add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn colour_blind_states_have_four_different_colours() {
        let theme = ThemeName::ColourBlind;
        let mut seen: Vec<Option<Color>> = Vec::new();
        for role in
            [StyleRole::Healthy, StyleRole::Degraded, StyleRole::Unreachable, StyleRole::Killed]
        {
            let colour = theme.style(role).fg;
            assert!(!seen.contains(&colour), "{role:?} repeats a colour");
            seen.push(colour);
        }
    }

    #[test]
    fn bars_show_every_value_above_zero_and_are_full_at_the_maximum() {
        let glyphs = ScreenGlyphs::for_set(GlyphSet::Unicode);
        assert_eq!(glyphs.bar(0, 1000), " ");
        assert_eq!(glyphs.bar(1, 1000), "▁");
        assert_eq!(glyphs.bar(1000, 1000), "█");
    }

    #[test]
    fn the_ascii_glyphs_are_ascii() {
        let g = &ASCII;
        let all = [g.open, g.folded, g.marked, g.separator, g.arrow, g.more, g.down, g.up];
        let of_cells = [g.gap, g.pending, g.short, g.killed, g.acknowledged];
        assert!(of_cells.iter().all(|glyph| glyph.is_ascii() && !g.bars.contains(glyph)));
        assert!(all.iter().chain(&g.bars).all(|glyph| glyph.is_ascii()));
    }
}
