//! Which commands can be given: those whose effect is drawn, and that the connection allows.

use crate::commands::AppCommand;
use crate::layout::{MIN_SIZE, ScreenLayout};
use crate::state::{AppState, Overlay, Screen};
use crate::view::dialog_size_needed;

/// Whether a command can be given now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Availability {
    Available,
    /// What it changes is not drawn.
    NotDrawn,
    /// The connection may look and not act.
    ReadOnly,
    /// The past is shown.
    InPast,
}

impl AppState {
    /// Returns whether a command can be given:
    ///
    /// 1. where only counts are drawn, or an open dialog is not: to quit, suspend, or get help, and
    ///    to leave that dialog;
    /// 2. on a compact screen: all that change what it shows;
    /// 3. on a read-only connection: all but killing, resuming and forgetting, notes and acknowledgements;
    /// 4. in the past: all but killing, resuming and forgetting, and acknowledging what an agent of then is in.
    pub(crate) fn availability(&self, command: AppCommand) -> Availability {
        let layout = ScreenLayout::of(self.size);
        let is_hidden = match layout {
            ScreenLayout::Counts => !is_always_available(command),
            _ if !self.is_overlay_drawn() => {
                !is_always_available(command) && command != AppCommand::Back
            }
            ScreenLayout::Compact => self.overlay.is_none() && self.is_left_out(command),
            ScreenLayout::Full => false,
        };
        if is_hidden {
            Availability::NotDrawn
        } else if self.travel.is_past() && (is_control(command) || self.is_of_past(command)) {
            Availability::InPast
        } else if self.connection.is_read_only() && writes(command) {
            Availability::ReadOnly
        } else {
            Availability::Available
        }
    }

    /// Returns whether help, hints and the palette offer a command of this screen.
    pub(crate) fn offers(&self, command: AppCommand) -> bool {
        let is_compact = ScreenLayout::of(self.size) != ScreenLayout::Full;
        let is_left_out = is_compact && self.is_left_out(command);
        let is_refused = (self.connection.is_read_only() && writes(command))
            || (self.travel.is_past() && (is_control(command) || self.is_of_past(command)));
        // What leads back is offered where there is a way back.
        let is_pointless = match command {
            AppCommand::Live => !self.travel.is_past(),
            // Outages are acknowledged on the timeline, elsewhere incidents, where there are any.
            AppCommand::Acknowledge if self.screen != Screen::Timeline => {
                !self.alerts.has_unacknowledged()
            }
            _ => false,
        };
        !is_left_out && !is_refused && !is_pointless
    }

    /// Returns whether all of the open overlay that takes keys is drawn; true without one.
    pub(crate) fn is_overlay_drawn(&self) -> bool {
        match &self.overlay {
            None => true,
            _ if ScreenLayout::of(self.size) == ScreenLayout::Counts => false,
            Some(Overlay::Dialog(dialog)) => dialog_size_needed(self, dialog).is_none(),
            Some(_) => true,
        }
    }

    /// Returns whether a command is about the incident of an agent, which is not known of the past.
    fn is_of_past(&self, command: AppCommand) -> bool {
        command == AppCommand::Acknowledge && matches!(self.screen, Screen::Fleet | Screen::Agent)
    }

    /// Returns whether the compact form of this screen leaves out what a command changes.
    fn is_left_out(&self, command: AppCommand) -> bool {
        use AppCommand::{
            Acknowledge, AddNote, Bottom, Columns, Down, Expand, Export, Fold, FoldAll, FoldClose,
            FoldOpen, Group, HalfDown, HalfUp, Invert, MarkSpan, NextPane, Open, PageDown, PageUp,
            Sort, SortLeft, SortRight, Top, Up, Utc,
        };
        match self.screen {
            Screen::Fleet => matches!(
                command,
                Sort | SortLeft
                    | SortRight
                    | Invert
                    | Columns
                    | Group
                    | FoldOpen
                    | FoldClose
                    | Fold
                    | FoldAll
                    | Expand
                    | Utc
            ),
            Screen::Timeline => matches!(
                command,
                Sort | Group | Fold | FoldAll | NextPane | AddNote | Acknowledge | MarkSpan
            ),
            Screen::Agent => matches!(
                command,
                Open | Expand
                    | Utc
                    | Export
                    | Down
                    | Up
                    | Top
                    | Bottom
                    | HalfDown
                    | HalfUp
                    | PageDown
                    | PageUp
            ),
            Screen::Transitions | Screen::Alerts => false,
        }
    }
}

/// Returns why a command can't be given; `None` when it can.
pub(crate) fn refusal(state: &AppState, command: AppCommand) -> Option<String> {
    match state.availability(command) {
        Availability::Available => None,
        Availability::ReadOnly => Some(
            "read-only connection: it can't kill, resume, forget, acknowledge or write notes"
                .to_owned(),
        ),
        Availability::InPast => {
            let key = state.keymap.keys(AppCommand::Live).next().map(ToString::to_string);
            Some(format!(
                "HISTORY: what was can't be changed; {} returns to live",
                key.unwrap_or_default()
            ))
        }
        Availability::NotDrawn => {
            let (columns, rows) = MIN_SIZE;
            Some(format!("{} needs a screen of {columns}x{rows}", command.name()))
        }
    }
}

const fn is_always_available(command: AppCommand) -> bool {
    matches!(command, AppCommand::Exit | AppCommand::Quit | AppCommand::Suspend | AppCommand::Help)
}

/// Returns whether a command changes what the collector keeps.
const fn writes(command: AppCommand) -> bool {
    is_control(command) || matches!(command, AppCommand::AddNote | AppCommand::Acknowledge)
}

const fn is_control(command: AppCommand) -> bool {
    matches!(command, AppCommand::Kill | AppCommand::Resume | AppCommand::Forget)
}
