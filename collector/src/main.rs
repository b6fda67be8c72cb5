//! The program `heartlined`.

use std::process::ExitCode;

use clap::Parser as _;
use heartline_collector::args::{Args, CollectorCommand, RunArgs};

fn main() -> ExitCode {
    let args = Args::parse();
    match args.command {
        None => heartline_collector::main(&args.run),
        Some(CollectorCommand::Check { config }) => {
            heartline_collector::check(&RunArgs { config: config.or(args.run.config), ..args.run })
        }
    }
}
