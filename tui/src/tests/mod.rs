//! Scenarios and screens of the whole program.

mod agent_charts;
mod alerts;
mod attention;
mod bytes;
mod collector;
mod filter;
mod forget;
mod harness;
mod help;
mod kill;
mod list;
mod past_harness;
mod screens;
mod small;
mod time_travel;
mod timeline;
