//! How things look: colours by role, glyphs, and text that fits its cell.

mod event;
mod format;
mod glyphs;
mod status;
mod text;
mod theme;

pub(crate) use event::event_role;
pub(crate) use format::{age_since, clock, cost, day_clock, percent, rate, rate_if_known};
pub(crate) use glyphs::Glyphs;
pub(crate) use heartline_operator::text::{EventText, GlyphSet, age, count, latency, span};
pub(crate) use status::{Status, of_state, status};
#[cfg(test)]
pub(crate) use text::is_unprintable;
pub(crate) use text::{Align, clean, fit, width, wrap};
pub use theme::{NoSuchTheme, ThemeName};
pub(crate) use theme::{Role, Theme};
