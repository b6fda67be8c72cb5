//! What lies above a screen and takes the keys.

use super::columns::Column;
use super::dialog::Dialog;
use super::input::Input;
use super::list::Cursor;
use crate::commands::{Command, Context, Listed, REGISTRY, Spec};

/// One thing at a time lies above a screen.
#[derive(Debug)]
pub(crate) enum Overlay {
    Help { scroll: usize },
    Palette(Palette),
    Filter(FilterEdit),
    Picker(Picker),
    Dialog(Box<Dialog>),
}

/// Commands by name.
#[derive(Debug, Default)]
pub(crate) struct Palette {
    pub input: Input,
    pub at: usize,
}

/// The filter line while it is typed.
#[derive(Debug)]
pub(crate) struct FilterEdit {
    pub input: Input,
    /// The filter to go back to.
    pub before: String,
    /// Where the cursor of the fleet goes back to.
    pub cursor: Option<Cursor>,
    pub error: Option<FilterFault>,
}

/// What is wrong with a filter, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FilterFault {
    /// Columns of the text before the fault.
    pub column: usize,
    pub message: String,
}

/// A short list to choose from.
#[derive(Debug)]
pub(crate) struct Picker {
    pub kind: PickerKind,
    pub at: usize,
}

/// What is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PickerKind {
    Sort,
    Columns,
}

impl Palette {
    /// Commands of this screen whose name or help has all the letters typed, in their order.
    pub(crate) fn matches(&self, context: Context) -> Vec<&'static Spec> {
        let wanted = self.input.text().trim().to_lowercase();
        let fits = |spec: &&Spec| {
            spec.listed == Listed::Yes
                && spec.contexts.contains(&context)
                && spec.command != Command::Palette
                && (is_within(&wanted, spec.name) || spec.help.to_lowercase().contains(&wanted))
        };
        let mut found: Vec<&'static Spec> = REGISTRY.iter().filter(fits).collect();
        found.sort_by_key(|spec| !spec.name.starts_with(&wanted));
        found
    }
}

/// Whether the letters occur in the text in their order.
fn is_within(letters: &str, text: &str) -> bool {
    let mut rest = text.chars();
    letters.chars().all(|letter| rest.any(|c| c == letter))
}

impl Picker {
    pub(crate) const CHOICES: usize = Column::ALL.len();

    pub(crate) fn chosen(&self) -> Column {
        Column::ALL[self.at.min(Self::CHOICES - 1)]
    }
}
