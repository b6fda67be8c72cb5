//! `cargo xtask bench`: the benchmarks, in release.

use anyhow::Result;

use crate::cargo;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// `ingest`, `kill`, `emitter` or `tui`, and its options; `--smoke` only sees that it runs.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Builds the programs and runs a benchmark.
///
/// # Errors
/// When it can't be built or run.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    cargo::run(&mut cargo::cargo(
        "build --release --bin bench --bin heartline --bin heartlined --quiet",
    ))?;
    let mut bench = cargo::cargo("run --release --quiet --bin bench --");
    cargo::run(bench.args(&arguments.words))
}
