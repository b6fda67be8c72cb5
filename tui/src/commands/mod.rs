//! The one registry of named commands.
//!
//! From it come the key map, the `?` overlay, the hint line, the `:` palette, the table in
//! `KEYS.md` and the `[keys]` section of the config file. A command that is not in it can't be
//! given.

#[cfg(test)]
mod markdown;
mod table;

pub(crate) use table::REGISTRY;

use serde::Deserialize;

/// What an operator can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Command {
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
    Bad,
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
    Log,
    Kill,
    Resume,
}

/// A name that no command has.
#[derive(Debug, thiserror::Error)]
#[error("no command is called {0:?}; `heartline config show keys` lists them")]
pub(crate) struct UnknownCommand(String);

/// Where a command can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    Fleet,
    Agent,
    Transitions,
    /// A list to pick from: sort order, columns, the palette.
    Picker,
    Help,
    Dialog,
}

/// Whether the palette offers a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    Yes,
    /// Motion within a list makes no sense by name.
    No,
}

/// One row of the registry.
#[derive(Debug)]
pub(crate) struct Spec {
    pub command: Command,
    /// Its name in `[keys]`, in the palette and in the docs.
    pub name: &'static str,
    /// Its default keys, as the key parser reads them.
    pub keys: &'static [&'static str],
    pub contexts: &'static [Context],
    /// One line for the help overlay and the docs.
    pub help: &'static str,
    /// One or two words for the hint line.
    pub hint: &'static str,
    /// Place in the hint line, higher first; 0 is never shown.
    pub priority: u8,
    pub listed: Listed,
    /// The `heartline` subcommand that does the same.
    pub subcommand: Option<&'static str>,
}

impl Command {
    /// Its row in the registry.
    pub(crate) fn spec(self) -> &'static Spec {
        REGISTRY
            .iter()
            .find(|spec| spec.command == self)
            .expect("every command is registered, which a test checks")
    }

    pub(crate) fn name(self) -> &'static str {
        self.spec().name
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        REGISTRY.iter().find(|spec| spec.name == name).map(|spec| spec.command)
    }
}

impl TryFrom<String> for Command {
    type Error = UnknownCommand;

    fn try_from(name: String) -> Result<Self, UnknownCommand> {
        Self::named(&name).ok_or(UnknownCommand(name))
    }
}

impl Context {
    /// What it is called in the help overlay and the docs.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Fleet => "Fleet",
            Self::Agent => "Agent",
            Self::Transitions => "Transitions",
            Self::Picker => "Picker",
            Self::Help => "Help",
            Self::Dialog => "Dialog",
        }
    }
}
