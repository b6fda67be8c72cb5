//! The terminal app: a fleet on one screen, in an SSH session.
//!
//! A key means a named command (`KEYS.md` lists them), `update(&mut AppState, AppEvent, now) ->
//! Vec<AppEffect>` applies it, and `view(&AppState)` draws. Everything that can change is in one
//! `AppState`; drawing changes nothing; one event loop runs the effects.

mod availability;
mod clock;
mod columns;
mod commands;
mod flow_control;
mod incident_lines;
mod keys;
mod layout;
mod options;
mod progress;
mod run;
mod snapshot;
mod state;
mod terminal;
mod text;
mod theme;
mod timeline_layout;
mod update;
mod view;
mod why;

pub use keys::{KeyConflict, KeyMap, KeyOverrides};
pub use options::{ColourPreference, TuiConfig, TuiSettings};
pub use run::{RunError, RunOptions, run};
pub use snapshot::{ScreenSnapshot, SnapshotData, SnapshotOptions};
pub use state::Screen;
pub use terminal::{InputEvent, InputParser, NotifySequence, ParseNotifyError, TerminalError};
pub use theme::{ParseThemeError, ThemeName};

#[cfg(test)]
mod tests;
