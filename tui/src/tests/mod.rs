//! Scenarios and screens of the whole program.

mod bytes;
mod forget;
mod harness;
mod help;
mod kill;
mod list;
mod screens;
mod small;
mod timeline;
