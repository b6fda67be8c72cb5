//! The command line of `cargo xtask`.

use clap::{Args, Parser, Subcommand};

/// Tests, simulates and measures Heartline.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct XtaskArgs {
    #[command(subcommand)]
    pub(crate) command: XtaskCommand,
}

#[derive(Subcommand)]
pub(crate) enum XtaskCommand {
    /// Runs every check that must pass before a merge.
    Test,
    /// Runs the simulation, each seed a fleet with a bad network; exits 1 when an invariant broke.
    Sim(SimArgs),
    /// Runs a benchmark in release and prints a table; no result fails.
    Bench(BenchArgs),
}

#[derive(Args)]
pub(crate) struct SimArgs {
    /// Number of seeds.
    #[arg(long, default_value_t = 2_000)]
    pub(crate) seeds: u64,
    /// First seed; with `--seeds 1` it replays a failure.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Lines to print from the end of the trace of each of the first three failures.
    #[arg(long, default_value_t = 60)]
    pub(crate) lines: usize,
}

#[derive(Args)]
pub(crate) struct BenchArgs {
    /// `ingest`, `kill`, `emitter` or `tui`, and its options; `--smoke` checks only that it runs.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<String>,
}
