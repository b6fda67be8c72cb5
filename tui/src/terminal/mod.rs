//! The terminal: taken and given back, written to in whole frames, and watched for its end.

mod ansi;
mod guard;
mod hangup;
mod screen;
mod signals;

pub(crate) use ansi::{copy, mouse};
pub use guard::TerminalError;
pub(crate) use guard::{Guard, stop_self};
pub(crate) use hangup::Hangup;
pub(crate) use screen::Canvas;
pub(crate) use signals::{Signal, Signals};
