//! Scenarios and screens of the whole program.

mod screens;
