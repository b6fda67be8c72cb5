//! `heartlined`, the collector: a thin shell of sockets, disks and clocks around the pure core in
//! `heartline-fleet`.
//!
//! - [`ingest`]: from datagrams to judged state, and the answers back
//! - [`driver`]: the one loop that owns the fleet
//! - [`store`]: what is remembered, in two SQLite files
//! - [`serve`]: the operators' sockets
//! - [`run()`]: all of it, from the first look at the disk to the last commit

pub mod args;
pub mod clock;
pub mod driver;
pub mod ingest;
pub mod keys;
pub mod serve;
pub mod store;

mod alert;
mod budget_window;
mod descriptors;
mod log;
mod priority;
mod private;
mod run;

use std::io::Write as _;
use std::process::ExitCode;

pub use run::{DirectoryError, ReloadConfig, RunError, run};

/// The program `heartlined`, once its arguments are read: starts the log, runs, and says in one
/// line what went wrong, if anything did.
pub fn main(args: &args::RunArgs) -> ExitCode {
    log::start(args.log_format, args.verbose);
    let config = match args.resolve() {
        Ok(config) => config,
        Err(error) => {
            log::fail(&error);
            return ExitCode::from(2);
        }
    };
    let reload: ReloadConfig = {
        let args = args.clone();
        Box::new(move || args.resolve())
    };
    match run(&config, &reload) {
        Ok(()) => {
            log::flush();
            ExitCode::SUCCESS
        }
        Err(error) => {
            log::fail(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// The program `heartlined check`: prints the settings in force, or says what is wrong with them.
pub fn check(args: &args::RunArgs) -> ExitCode {
    match args.check() {
        // A reader that has seen enough is no failure.
        Ok(text) => {
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            log::fail(&error);
            ExitCode::from(2)
        }
    }
}
