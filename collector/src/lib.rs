//! `heartlined`, the collector: a thin shell of sockets, disks and clocks around the pure core in
//! `heartline-fleet`.
#![allow(missing_docs)]

pub mod clock;
pub mod ingest;
pub mod store;
