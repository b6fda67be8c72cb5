//! Heartbeats for Rust agents.

pub mod engine;
