//! The rules of the core, a scenario each: inputs to a fleet, and the outputs that must follow.

mod budget;
mod budget_windows;
mod commands;
mod crash_loop;
mod expectation;
mod flapping;
mod forget;
mod gaps;
mod limits;
mod pauses;
mod process;
mod quality;
mod registration;
mod repeat;
mod reported_state;
mod restart;
mod sessions;
mod silence;
mod spending;
mod stall;
mod test_fleet;
mod test_message;
mod unproven;
mod work;
