//! `heartline demo`: see [`crate::demo`].

pub(crate) use crate::demo::{run, run_agent, run_collector};
