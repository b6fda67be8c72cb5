//! The registry of named commands. Capitals change the fleet or write; no control key kills.
//!
//! The key map, the `?` overlay, the hint line, the `:` palette, `KEYS.md` and the `[keys]` section of
//! the config file are made from it.

mod registry;

use serde::Deserialize;

pub(crate) use registry::REGISTRY;

/// A command that a key or the palette gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum AppCommand {
    Help,
    Palette,
    Back,
    Quit,
    Exit,
    Suspend,
    Redraw,
    Reconnect,
    ShowFleet,
    ShowAgent,
    ShowTransitions,
    NextPane,
    PreviousPane,
    Expand,
    Freeze,
    Mouse,
    Utc,
    Open,
    Down,
    Up,
    Top,
    Bottom,
    HalfDown,
    HalfUp,
    PageDown,
    PageUp,
    Filter,
    NextMatch,
    PreviousMatch,
    ProblemsOnly,
    Sort,
    SortLeft,
    SortRight,
    Invert,
    Columns,
    Group,
    FoldOpen,
    FoldClose,
    FoldAll,
    Mark,
    MarkRange,
    MarkAll,
    Unmark,
    CopyId,
    CopyRow,
    Export,
    AgentTransitions,
    Window,
    Chart,
    Kill,
    Resume,
    Forget,
    ShowTimeline,
    TimelineOf,
    Fold,
    CursorLeft,
    CursorRight,
    CursorPageLeft,
    CursorPageRight,
    ZoomIn,
    ZoomOut,
    FitAll,
    CellMode,
    PreviousOutage,
    NextOutage,
    PreviousOutageOfAny,
    NextOutageOfAny,
    CentreOutage,
    GoTo,
    RepeatJump,
    JumpBack,
    Live,
    MarkSpan,
    Play,
    AddNote,
    ShowAlerts,
    Acknowledge,
    ShowCollector,
    Newest,
}

/// A name that no command has.
#[derive(Debug, thiserror::Error)]
#[error("no command is called {0:?}; `heartline config show keys` lists them")]
pub(crate) struct UnknownCommandError(String);

/// Where keys are pressed, which decides what commands they can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyContext {
    Fleet,
    Agent,
    Transitions,
    Timeline,
    Alerts,
    /// A list of columns.
    Picker,
    Help,
    Dialog,
}

/// A row of the registry.
#[derive(Debug)]
pub(crate) struct CommandSpec {
    pub command: AppCommand,
    /// The name in `[keys]`, in the palette and in `KEYS.md`.
    pub name: &'static str,
    /// The default keys, as the key parser reads them.
    pub keys: &'static [&'static str],
    pub contexts: &'static [KeyContext],
    /// A line for the help overlay and `KEYS.md`.
    pub help: &'static str,
    /// One or two words for the hint line.
    pub hint: &'static str,
    /// The higher, the sooner it is in the hint line; 0 is never shown.
    pub priority: u8,
    /// Motion within a list is not.
    pub in_palette: bool,
    /// The `heartline` subcommand that does the same.
    pub subcommand: Option<&'static str>,
}

impl AppCommand {
    /// Returns the row in the registry.
    pub(crate) fn spec(self) -> &'static CommandSpec {
        REGISTRY
            .iter()
            .find(|spec| spec.command == self)
            .expect("every command is registered, which a test checks")
    }

    pub(crate) fn name(self) -> &'static str {
        self.spec().name
    }

    /// Returns whether there is a place where both commands can be given.
    pub(crate) fn shares_context(self, other: Self) -> bool {
        self.spec().contexts.iter().any(|context| other.spec().contexts.contains(context))
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        REGISTRY.iter().find(|spec| spec.name == name).map(|spec| spec.command)
    }
}

impl TryFrom<String> for AppCommand {
    type Error = UnknownCommandError;

    fn try_from(name: String) -> Result<Self, UnknownCommandError> {
        Self::from_name(&name).ok_or(UnknownCommandError(name))
    }
}

impl KeyContext {
    pub(crate) const ALL: [Self; 8] = [
        Self::Fleet,
        Self::Agent,
        Self::Transitions,
        Self::Timeline,
        Self::Alerts,
        Self::Picker,
        Self::Help,
        Self::Dialog,
    ];

    /// Returns the name in the help overlay and in `KEYS.md`.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Fleet => "Fleet",
            Self::Agent => "Agent",
            Self::Transitions => "Transitions",
            Self::Timeline => "Timeline",
            Self::Alerts => "Alerts",
            Self::Picker => "Picker",
            Self::Help => "Help",
            Self::Dialog => "Dialog",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::keys::KeySequence;

    #[test]
    fn every_command_has_a_name_keys_help_and_a_hint() {
        for spec in REGISTRY {
            let name = spec.name;
            assert!(!name.is_empty() && !spec.help.is_empty() && !spec.hint.is_empty(), "{name}");
            assert!(!spec.contexts.is_empty(), "{name} can be given nowhere");
            assert!(!spec.keys.is_empty(), "{name} has no key");
            assert!(spec.help.len() <= 44, "{name}: its help does not fit its line");
            for keys in spec.keys {
                assert_eq!(keys.parse::<KeySequence>().unwrap().to_string(), *keys, "{name}");
            }
            if let Some(subcommand) = spec.subcommand {
                assert!(subcommand.starts_with("heartline "), "{name}");
            }
        }
    }

    #[test]
    fn every_command_is_registered_once_under_one_name() {
        for (at, spec) in REGISTRY.iter().enumerate() {
            let rest = &REGISTRY[at + 1..];
            assert!(rest.iter().all(|other| other.name != spec.name), "{}", spec.name);
            assert!(rest.iter().all(|other| other.command != spec.command), "{}", spec.name);
            assert_eq!(AppCommand::from_name(spec.name), Some(spec.command));
        }
        assert_eq!(REGISTRY.len(), AppCommand::Newest as usize + 1, "a command is not registered");
    }

    #[test]
    fn commands_that_change_the_fleet_are_capitals() {
        for command in [AppCommand::Kill, AppCommand::Resume, AppCommand::Forget] {
            for key in command.spec().keys {
                assert!(key.chars().all(|c| c.is_ascii_uppercase()), "{key}");
            }
        }
    }

    #[test]
    fn no_two_hints_have_the_same_priority() {
        for spec in REGISTRY.iter().filter(|spec| spec.priority > 0) {
            let same = REGISTRY.iter().filter(|other| other.priority == spec.priority);
            assert_eq!(same.count(), 1, "{}", spec.name);
        }
    }

    #[test]
    fn keys_md_lists_the_registry() {
        let committed = include_str!("../../KEYS.md");
        assert_eq!(committed, commands_markdown(), "KEYS.md is out of date");
    }

    /// Returns every command with its keys as a Markdown document.
    fn commands_markdown() -> String {
        let mut page = String::from(
            "# Keys\n\nMade from the registry of commands; do not edit by hand. Every name below can be \
             given other keys in the `[keys]` section of the config file.\n\n\
             | Command | Keys | Where | Does | Same as |\n|---|---|---|---|---|\n",
        );
        for spec in REGISTRY {
            let keys: Vec<String> = spec.keys.iter().map(|key| format!("`{key}`")).collect();
            let places: Vec<&str> = spec.contexts.iter().map(|context| context.title()).collect();
            let place = if places.len() == KeyContext::ALL.len() {
                "everywhere".to_owned()
            } else {
                places.join(", ")
            };
            let same = spec.subcommand.map_or_else(String::new, |text| format!("`{text}`"));
            writeln!(
                page,
                "| `{}` | {} | {place} | {} | {same} |",
                spec.name,
                keys.join(" "),
                spec.help
            )
            .expect("writing to a string does not fail");
        }
        page
    }
}
