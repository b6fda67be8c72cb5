//! Programs that the tests need, installed where they are missing: cargo subcommands once into the
//! user's cache, others by the system.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::cargo::{self, program};

/// A cargo subcommand, and the version that is installed where it is missing.
pub(crate) struct CargoTool {
    name: &'static str,
    version: &'static str,
}

pub(crate) const CARGO_DENY: CargoTool = CargoTool { name: "cargo-deny", version: "0.20.2" };
pub(crate) const CARGO_MACHETE: CargoTool = CargoTool { name: "cargo-machete", version: "0.9.2" };

/// Overrides of the tools' release profiles. Theirs ask for link-time optimisation, which takes
/// longer than all the rest of `cargo xtask test`; each tool runs here for a second or two.
const QUICK_BUILD: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
];

impl CargoTool {
    /// Returns the tool as a command with these arguments: the one on `PATH` or in cargo's own
    /// `bin`, else the one in the cache, which is installed first if it is not there.
    ///
    /// # Errors
    /// When the installation fails.
    pub(crate) fn command(&self, arguments: &str) -> Result<Command> {
        let installed = search_path().into_iter().map(|dir| dir.join(self.name));
        let path = match installed.into_iter().find(|path| path.is_file()) {
            Some(path) => path,
            None => self.cached()?,
        };
        Ok(program(path, arguments))
    }

    fn cached(&self) -> Result<PathBuf> {
        let Self { name, version } = self;
        let root = cache_dir()?.join(format!("heartline/tools/{name}-{version}"));
        let path = root.join("bin").join(name);
        if !path.is_file() {
            println!("    {name} is not installed: compiling version {version} into");
            println!("    {}; once, for some minutes", root.display());
            let mut install = cargo::cargo("install --locked --quiet --root");
            // A target directory that is shared with this workspace would keep its artifacts.
            install.env_remove("CARGO_TARGET_DIR").envs(QUICK_BUILD);
            cargo::run(install.arg(&root).arg(format!("{name}@{version}")))?;
        }
        Ok(path)
    }
}

/// Programs that tests run, and the packages that have them: shells for the completions, what receives alerts,
/// and a broker for Celery.
const PROGRAMS: [(&str, &str); 5] = [
    ("bash", "bash"),
    ("zsh", "zsh"),
    ("fish", "fish"),
    ("prometheus-alertmanager", "prometheus-alertmanager"),
    ("redis-server", "redis-server"),
];

/// Installs the programs that are missing, if this is root on a system with apt.
///
/// # Errors
/// When a program is missing and can't be installed; says what to do.
pub(crate) fn install_programs() -> Result<()> {
    for (name, package) in PROGRAMS {
        let is_there = || search_path().into_iter().any(|dir| dir.join(name).is_file());
        if is_there() {
            continue;
        }
        println!("    {name} is not installed: trying `apt-get install {package}`");
        let _offline = cargo::run(&mut program("apt-get", "update --quiet=2"));
        let mut install = program("apt-get", "install --yes --quiet=2 --no-install-recommends");
        // Where it fails, so does what it was to bring.
        let _failed = cargo::run(install.arg(package).env("DEBIAN_FRONTEND", "noninteractive"));
        ensure!(is_there(), "{name} is missing, and only root can install it: install it first");
    }
    Ok(())
}

fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let cargo_home = non_empty("CARGO_HOME").or_else(|| Some(non_empty("HOME")?.join(".cargo")));
    std::env::split_paths(&path).chain(cargo_home.map(|home| home.join("bin"))).collect()
}

fn cache_dir() -> Result<PathBuf> {
    non_empty("XDG_CACHE_HOME")
        .or_else(|| Some(non_empty("HOME")?.join(".cache")))
        .context("no cache to install into: neither XDG_CACHE_HOME nor HOME is set")
}

fn non_empty(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
