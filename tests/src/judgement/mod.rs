//! How soon the core finds work that does not go well, and how often it cries wolf: agents with random
//! work, by the real code, from a seed.

mod agent;
pub(crate) mod random;
mod trial;

pub use agent::{Outage, Tasks, Workload};
pub use trial::{Found, Trial};
