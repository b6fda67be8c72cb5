//! Whole-system tests: the simulation, the harness of the system tests, conformance of emitters, and
//! benchmarks.

mod alert_rules;
pub mod alert_run;
pub mod bench;
pub mod clock;
pub mod conformance;
pub mod harness;
pub mod judgement;
mod random;
mod result_table;
pub mod sim;
