//! Kill, resume and forget: previewing the targets, confirming, sending, and waiting until they obey.
//!
//! Decision rules, in this order:
//! 1. the collector says what names, patterns or a filter would hit;
//! 2. the targets, and the effect, are printed;
//! 3. more than 10 agents, or more than one and more than 20 % of the fleet, need their count
//!    confirmed: typed, or by `--expect`; a wrong count is always refused;
//! 4. a person confirms it by words that change with the targets, unless `--yes`;
//! 5. exactly the agents that were listed are hit; where there are too many to list, the pattern or
//!    filter is sent with the fingerprint of what it found, and refused if it finds others now;
//! 6. it is sent with a random request id, and again with the same id if the answer gets lost.

mod confirm;
mod plan;
mod send;
mod wait;

pub(crate) use confirm::{confirm, refusal};
pub(crate) use plan::{CommandPlan, PlannedCommand, agents, tasks};
pub(crate) use send::{RetryPolicy, send};
pub(crate) use wait::{CommandTracker, CommandWatcher};
