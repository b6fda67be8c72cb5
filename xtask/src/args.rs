//! The command line of `cargo xtask`.

use std::ffi::OsString;

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
    #[command(
        subcommand,
        after_help = "Others, each with --smoke and --help: ingest, kill, emitter (that of Rust), tui, exit, history, alerts, year"
    )]
    Bench(BenchCommand),
    /// Checks that each emitter counts exactly what real collectors store, through a bad network.
    Conformance(ConformanceArgs),
    /// Tests the adapters of all agent frameworks, also of those that the test command leaves out.
    Frameworks,
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

#[derive(Subcommand)]
pub(crate) enum BenchCommand {
    /// Measures the Python and Node emitters beside the metric clients of their languages.
    Emitters(EmittersBenchArgs),
    /// A benchmark of Rust code, with its options.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

#[derive(Parser)]
pub(crate) struct EmittersBenchArgs {
    /// Only checks that it runs, in a few seconds; the numbers mean little.
    #[arg(long)]
    pub(crate) smoke: bool,
}

#[derive(Args)]
pub(crate) struct ConformanceArgs {
    /// Seed of the work and of the network's faults.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Hours of beats at 30 s, compressed: 120 beats each, in about 18 s.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) hours: u32,
    /// Number of collectors, 1 or 2; by default one, and in another run two.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) collectors: Option<u8>,
    /// `rust`, `python`, `node` or `run`, also several times; by default all of them.
    #[arg(long = "emitter", value_name = "EMITTER", conflicts_with = "command")]
    pub(crate) emitters: Vec<String>,
    /// Command line of another emitter's conformance agent; the agent's name is added to it.
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}
