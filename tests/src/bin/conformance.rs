//! Checks that emitters count exactly; `cargo xtask conformance` runs it.

use std::process::ExitCode;

use clap::Parser as _;
use heartline_tests::conformance::{self, ConformanceArgs};

fn main() -> anyhow::Result<ExitCode> {
    let all_are_equal = conformance::run(&ConformanceArgs::parse())?;
    Ok(if all_are_equal { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
