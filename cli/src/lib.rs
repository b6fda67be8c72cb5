//! `heartline`, the command line: arguments become requests to a collector, and its replies tables,
//! JSON and exit codes.
//!
//! - `args`: the command line as it is typed; `settings`: the settings in force
//! - `terminal`: what the terminal can draw; `console`: what is printed on it and asked there
//! - `commands`: a file for each command
//! - `act`: the steps of kill and resume
//! - `time_range`: what `--since` and `--until` mean
//! - `event_stream`: new events, across lost links
//! - `incident_source`: an incident file in the place of a collector
//! - `completion`: what shells offer at a Tab
//! - `doctor`: why an agent would not be seen
//!
//! Results go to standard output and messages to standard error. Names, flags, JSON and exit codes are
//! a contract, which snapshots hold: a change of it stands in `CHANGELOG.md`.

mod act;
mod alert_check;
mod alert_replay;
mod args;
mod clock;
mod commands;
mod completion;
mod config;
mod console;
mod csv_text;
mod doctor;
mod error;
mod event_line;
mod event_stream;
mod hdr_log;
mod incident_source;
mod settings;
mod style;
mod table;
mod targets;
mod terminal;
mod time_lookup;
mod time_range;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use args::Arguments;
use console::Console;
use heartline_vocabulary::text::scrub;

/// Runs `heartline` with the command line of this process.
pub fn main() -> ExitCode {
    completion::answer_shell();
    let arguments = Arguments::parse();
    let mut console = Console::of_process();
    match commands::run(arguments, &mut console) {
        Ok(exit) => exit.exit_code(),
        Err(error) => {
            if !error.is_quiet() {
                // It may quote arguments, or the output of another program.
                let lines = error.to_string();
                let lines = lines.split('\n').map(|line| scrub(line).collect::<String>());
                console.say(&format!("heartline: {}", lines.collect::<Vec<_>>().join("\n")));
            }
            error.exit_code()
        }
    }
}

/// Returns the definition of the command line, for documentation.
pub fn command() -> clap::Command {
    Arguments::command()
}
