//! Latency of kills on loopback, through a collector process with its disk and the operators' client: of
//! single agents, and of many at once.

mod answer_probe;
mod many_at_once;
mod one_by_one;

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;

use super::BenchMode;

pub(super) fn run(mode: BenchMode) -> Result<()> {
    one_by_one::run(mode)?;
    println!();
    many_at_once::run(mode)
}

/// Latencies from 1 µs to a minute.
fn histogram() -> Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 60_000_000, 3).context("bounds of a histogram")
}

/// Formats µs as ms.
fn ms(us: u64) -> String {
    format!("{:.2}", us as f64 / 1e3)
}
