//! The terminal app in a pseudo-terminal.

mod clipboard;
mod harness;
mod input;
mod lifecycle;
