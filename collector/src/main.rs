//! The program `heartlined`.

use std::process::ExitCode;

use clap::Parser as _;
use heartline_collector::args::{Args, CollectorCommand, RunArgs};

/// Agents that are sent are made on one thread and freed on another, tens of thousands at a time, on
/// which the system's allocator spends most of the time of a large fleet's status.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    match args.command {
        None => heartline_collector::main(&args.run),
        Some(CollectorCommand::Check { config }) => {
            heartline_collector::check(&RunArgs { config: config.or(args.run.config), ..args.run })
        }
    }
}
