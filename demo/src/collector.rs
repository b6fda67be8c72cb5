//! The collector's process.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::thread;

use heartline_config::{Config, ConfigError, ConfigFile};
use heartline_operator::CollectorDirectories;
use rustix::process::{Signal, getpid, kill_process};

use crate::DemoError;

/// A short limit for stalls, so that they happen while a viewer watches.
pub(crate) const CONFIG: &str = "\
listen = [\"127.0.0.1:0\"]
[health]
stall_after = \"15s\"
";

/// Arguments of the hidden subcommand `demo-collector`.
#[derive(Clone, Debug, clap::Args)]
pub struct CollectorProcessArgs {
    /// Directory of the demo; removed at the end.
    dir: PathBuf,
}

/// Runs the collector until standard input ends, then removes its directory.
///
/// # Errors
/// [`DemoError`] when its config can't be read, or it can't run.
pub fn run_collector(args: &CollectorProcessArgs) -> Result<(), DemoError> {
    let config = resolve(&args.dir)?;
    end_with_stdin()?;
    let dir = args.dir.clone();
    let result = heartline_collector::run(&config, &(Box::new(move || resolve(&dir)) as _));
    // The process that made it removes it too, unless it was killed.
    let _removed_already = std::fs::remove_dir_all(&args.dir);
    Ok(result?)
}

fn resolve(dir: &Path) -> Result<Config, ConfigError> {
    let file = <ConfigFile>::read(&dir.join("heartline.toml"))?;
    Ok(file.resolve(&[], CollectorDirectories { data: dir.to_owned(), sockets: dir.to_owned() }))
}

/// Terminates this process in order when the other end of standard input closes.
fn end_with_stdin() -> Result<(), DemoError> {
    let wait_for_end = || {
        let mut rest = Vec::new();
        let _cut = std::io::stdin().read_to_end(&mut rest);
        let _gone = kill_process(getpid(), Signal::TERM);
    };
    let spawned = thread::Builder::new().name("parent-watch".to_owned()).spawn(wait_for_end);
    spawned.map(drop).map_err(DemoError::system("start a thread"))
}
