//! `cargo xtask sim`: the simulation, in release.

use anyhow::Result;

use crate::cargo;

/// What to simulate.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first seed; with `--seeds 1` it replays a failure.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Of the first three failures, how many of the last lines of what happened to print.
    #[arg(long, default_value_t = 60)]
    lines: usize,
}

/// Runs the simulation.
///
/// # Errors
/// When a promise broke, which it has printed with the seed.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { seeds, seed, lines } = arguments;
    let program = "run --release --quiet --bin sim --";
    cargo::run(&mut cargo::cargo(&format!(
        "{program} --seeds {seeds} --seed {seed} --lines {lines}"
    )))
}
