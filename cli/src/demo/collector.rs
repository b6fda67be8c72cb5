//! The collector's process in a demo.

use std::io::Read as _;
use std::path::Path;
use std::thread;

use heartline_config::{Config, ConfigError, ConfigFile};
use heartline_operator::Directories;
use rustix::process::{Signal, getpid, kill_process};

use crate::args::DemoCollectorArgs;
use crate::failure::{Failure, Verdict};

/// Small limits, so that everything happens while somebody watches.
pub(super) const CONFIG: &str = "\
listen = [\"127.0.0.1:0\"]
[health]
stall_after = \"15s\"
";

/// Runs the collector until standard input ends; removes its directory then.
pub(crate) fn run(args: &DemoCollectorArgs) -> Result<Verdict, Failure> {
    let config = resolve(&args.dir).map_err(Failure::usage)?;
    end_with_input()?;
    let dir = args.dir.clone();
    let result = heartline_collector::run(&config, &(Box::new(move || resolve(&dir)) as _));
    // Whoever made it removes it too, unless they were killed.
    let _removed_already = std::fs::remove_dir_all(&args.dir);
    result.map_err(|error| Failure::NotDone(error.to_string()))?;
    Ok(Verdict::Good)
}

fn resolve(dir: &Path) -> Result<Config, ConfigError> {
    let file = <ConfigFile>::read(&dir.join("heartline.toml"))?;
    Ok(file.resolve(&[], Directories { data: dir.to_owned(), sockets: dir.to_owned() }))
}

/// Ends this process in order when whoever holds the other end of standard input is gone.
fn end_with_input() -> Result<(), Failure> {
    let watch = || {
        let mut rest = Vec::new();
        let _cut = std::io::stdin().read_to_end(&mut rest);
        let _gone = kill_process(getpid(), Signal::TERM);
    };
    thread::Builder::new()
        .name("parent-watch".to_owned())
        .spawn(watch)
        .map(drop)
        .map_err(|source| Failure::System { what: "start a thread", source })
}
