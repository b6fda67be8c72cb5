//! `heartline`: the command line and terminal app for operators.

use std::process::ExitCode;

fn main() -> ExitCode {
    heartline_cli::main()
}
