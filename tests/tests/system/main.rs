//! The whole system, in real parts: `heartlined` and agents as processes, UDP, SQLite, operators.
//!
//! The programs under test must be built before: `cargo xtask test` does.

mod alerts;
mod backup;
mod budgets;
mod conflict;
mod conformance;
mod demo;
mod doctor;
mod emitter_log;
mod exactly_once;
mod export;
mod files;
mod forgery;
mod freeze;
mod full_disk;
mod hostile_text;
mod incident;
mod interval_change;
mod kill;
mod late_and_unreachable;
mod limits;
mod local_address;
mod log;
mod many_agents;
mod many_operators;
mod network_partition;
mod own_network;
mod past;
mod remote;
mod replay;
mod roster;
mod shell_completion;
mod signals;
mod slow_operator;
mod spec_emitter;
mod stall;
mod startup;
mod supervised;
mod supervised_view;
mod terminal_app;
mod terminal_kinds;
mod time_range;
mod two_collectors;
mod unix_users;
mod zero_setup;
