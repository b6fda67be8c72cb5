//! What an operator and a Heartline collector say to each other, the client that carries it, and
//! the language that picks agents out of a fleet.

pub mod frame;
pub mod message;

#[cfg(test)]
mod sample;
