//! The terminal app: a fleet on one screen, in an SSH session.
//!
//! A key means a named command (`KEYS.md` lists them), a command is applied by
//! `update(&mut State, Event, now) -> Vec<Effect>`, and `view(&State)` draws. All that can change
//! is in one `State`; drawing changes nothing; one loop performs the effects.

mod clock;
mod commands;
mod event;
mod keys;
mod layout;
mod look;
mod options;
mod pace;
mod run;
mod snapshot;
mod state;
mod terminal;
mod update;
mod view;

pub use keys::{KeyConflict, KeyMap, KeyOverrides};
pub use look::{NoSuchTheme, ThemeName};
pub use options::{Colour, Look, TuiConfig};
pub use run::{ExitReason, Options, RunError, run};
pub use snapshot::{SnapshotData, snapshot};
pub use state::Screen;
pub use terminal::TerminalError;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
