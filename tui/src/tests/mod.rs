//! Scenarios and screens of the whole program.

mod bytes;
mod harness;
mod kill;
mod list;
mod screens;
mod small;
