//! The benchmarks' program; `cargo xtask bench` runs it.

use clap::Parser as _;

fn main() -> anyhow::Result<()> {
    heartline_tests::bench::run(&heartline_tests::bench::BenchArgs::parse())
}
