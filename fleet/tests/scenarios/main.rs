//! Every rule of the core as a small story: what happens to agents, and what is said of them.

mod commands;
mod forget;
mod gaps;
mod limits;
mod restart;
mod say;
mod sessions;
mod silence;
mod stall;
mod work;
mod world;
