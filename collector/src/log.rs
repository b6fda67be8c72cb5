//! The collector's log, on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::LevelFilter;

use crate::args::LogFormat;

/// Installs the process's log subscriber.
pub fn start(format: LogFormat, verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level);
    // A second call, as in tests that run a collector each, changes nothing.
    let _ = match format {
        LogFormat::Text => {
            let ansi = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            log.with_target(false).with_ansi(ansi).try_init()
        }
        LogFormat::Json => log.json().try_init(),
    };
}
