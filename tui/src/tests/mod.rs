//! Scenarios and screens of the whole program.

mod bytes;
mod forget;
mod harness;
mod kill;
mod list;
mod screens;
mod small;
