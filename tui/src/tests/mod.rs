//! Scenarios and screens of the whole program.

mod bytes;
mod kill;
mod list;
mod screens;
