//! What the alerts of a config file would do, and what looks wrong in them.
//!
//! - `subject`: the agent that is asked about, as the collector or the flags have it
//! - `explanation`: which routes its alert takes, who is told after which hold, and what keeps it quiet
//! - `suspicion`: what no agent or state can reach, and what matches nobody

mod explanation;
mod subject;
mod suspicion;

pub(crate) use explanation::{Explanation, RouteVerdict};
pub(crate) use subject::{CheckedAgent, parse_status};
pub(crate) use suspicion::{Unmatched, suspicions};
