//! The terminal app in a pseudo-terminal.

mod harness;
mod input;
mod lifecycle;
