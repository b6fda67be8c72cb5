//! Alerts, a scenario each: a fleet of agents that beat, what befalls them, and the notices that must follow.

mod budgets;
mod dependencies;
mod flapping;
mod grouping;
mod notice_text;
mod recorder;
mod replay;
mod replicas;
mod restart;
mod roster;
mod silences;
mod storm;
mod telling;
mod work;
mod world;
