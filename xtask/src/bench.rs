//! `cargo xtask bench`: the benchmarks, in release.

use anyhow::Result;

use crate::cargo;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// `ingest`, `kill`, `emitter` or `tui`, and what else that benchmark takes.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Runs a benchmark.
///
/// # Errors
/// When it can't be built or run.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut cargo = cargo::cargo("run --release --quiet -p heartline-tests --bin bench --");
    cargo::run(cargo.args(&arguments.words))
}
