//! `heartline`, the command line: what is typed becomes a question to a collector, and its answer a
//! table, JSON, or an exit code.
//!
//! - `args`: the command line as it is typed; `settings`: what it comes to
//! - `commands`: a file for each command
//! - `act`: what kill and resume have in common
//! - `feed`: what happens from now on, across lost links
//! - `doctor`: why an agent would not be seen
//!
//! Results go to standard output and words to standard error. Names, flags, JSON and exit codes are
//! a contract, which snapshots hold: a change of it stands in `CHANGELOG.md`.

mod act;
mod args;
mod clock;
mod commands;
mod config;
mod console;
mod doctor;
mod event_line;
mod failure;
mod feed;
mod random;
mod settings;
mod style;
mod table;
mod targets;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use args::Arguments;
use console::Console;
use heartline_protocol::wire::UntrustedText;

/// The program `heartline`: reads the command line of this process and carries it out.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut console = Console::of_process();
    match commands::run(arguments, &mut console) {
        Ok(verdict) => verdict.exit_code(),
        Err(failure) => {
            if !failure.is_quiet() {
                // It may quote what was typed, or what another program said.
                let lines = failure.to_string();
                let lines = lines.split('\n').map(|line| UntrustedText::new(line).scrubbed());
                console.say(&format!("heartline: {}", lines.collect::<Vec<_>>().join("\n")));
            }
            failure.exit_code()
        }
    }
}

/// The command line, for documentation that is made of it.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}
