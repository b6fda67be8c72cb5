//! The collector's log, on standard error.
//!
//! Whatever happens to its reader neither ends the collector nor holds it up: lines are written by a
//! thread of their own, errors are ignored, and what does not fit is left out and counted.

mod output;
mod rate_limit;

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::OnceLock;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::LogFormat;
use output::LogOutput;
use rate_limit::RateLimit;

static OUTPUT: OnceLock<LogOutput> = OnceLock::new();

/// Installs the process's log subscriber.
pub fn start(format: LogFormat, verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let output = OUTPUT.get_or_init(|| LogOutput::start(io::stderr(), format));
    let lines =
        tracing_subscriber::fmt::layer().with_writer(output.clone()).log_internal_errors(false);
    let lines = match format {
        LogFormat::Text => {
            let ansi = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            lines.with_target(false).with_ansi(ansi).boxed()
        }
        LogFormat::Json => lines.json().boxed(),
    };
    let log = tracing_subscriber::registry().with(RateLimit::new(output.clone()));
    // A second call, as in tests that run a collector each, changes nothing.
    let _ = log.with(lines.with_filter(level)).try_init();
}

/// Writes the last line of a process that can't go on, and waits for the lines before it.
pub fn fail(error: &dyn Display) {
    let line = format!("heartlined: {error}\n");
    match OUTPUT.get() {
        Some(output) => output.send(line.as_bytes()),
        None => drop(io::stderr().write_all(line.as_bytes())),
    }
    flush();
}

/// Waits until all lines are written, but not for a reader that has stopped reading.
pub fn flush() {
    if let Some(output) = OUTPUT.get() {
        output.flush();
    }
}
