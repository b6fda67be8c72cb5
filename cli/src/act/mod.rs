//! Kill and resume: who is meant, whether it is meant, sending it, and waiting until it is obeyed.
//!
//! Decision rules, in this order:
//! 1. names, patterns or a filter are resolved to ids once; nobody is added or lost after that;
//! 2. what will be hit, and what will happen, is said;
//! 3. more than 10 agents, or more than one and more than 20 % of the fleet, need their count
//!    confirmed: typed, or by `--expect`; a wrong count is refused always;
//! 4. a person confirms it by words that change with the scope, unless `--yes`;
//! 5. it is sent with one random number, and again with the same number if the answer gets lost.

mod confirm;
mod plan;
mod send;
mod wait;

pub(crate) use confirm::{confirm, refusal};
pub(crate) use plan::{CommandPlan, agents};
pub(crate) use send::{RetryPolicy, send};
pub(crate) use wait::{CommandTracker, CommandWatcher};
