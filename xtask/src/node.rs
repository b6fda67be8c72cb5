//! The Node package: its dependencies, build and tests.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::cargo::{self, root, with_programs};

/// The folder of the package.
const PACKAGE: &str = "node";

/// Checks that there are Node and npm.
///
/// # Errors
/// When one is missing or too old; says what to install.
pub(crate) fn check_interpreter() -> Result<()> {
    let test = "process.exit(Number(process.versions.node.split('.')[0]) >= 20 ? 0 : 1)";
    let is_there = |command: &mut Command| {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    ensure!(
        is_there(cargo::program("node", "-e").arg(test)),
        "no node of version 20 or newer: install Node.js first (https://nodejs.org)"
    );
    ensure!(
        is_there(&mut cargo::program("npm", "--version")),
        "npm is missing: install it beside node"
    );
    Ok(())
}

/// Installs what the lock file pins, if it is not there yet.
///
/// # Errors
/// When the lock file can't be read, or the installation fails.
pub(crate) fn install_dependencies() -> Result<()> {
    let lock = root().join(PACKAGE).join("package-lock.json");
    let wanted = fs::read(&lock).with_context(|| format!("can't read {}", lock.display()))?;
    let stamp = root().join(PACKAGE).join("node_modules/.package-lock-installed.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    cargo::run(&mut npm("ci --no-audit --no-fund --prefer-offline"))?;
    fs::write(&stamp, wanted).with_context(|| format!("can't write {}", stamp.display()))
}

/// Builds what programs import.
///
/// # Errors
/// When it can't be built.
pub(crate) fn build() -> Result<()> {
    install_dependencies()?;
    cargo::run_unannounced(&mut npm("run --silent build"))
}

/// Returns the build and the tests, those with frameworks included.
///
/// # Errors
/// When the collector's programs are not there.
pub(crate) fn tests() -> Result<Command> {
    let mut tests = npm("test --silent");
    with_programs(&mut tests)?;
    Ok(tests)
}

/// Returns a program of the package.
pub(crate) fn program(path: &str) -> Command {
    let mut node = cargo::program("node", path);
    node.current_dir(root().join(PACKAGE));
    node
}

/// Returns npm in the package's folder, its arguments separated by blanks.
fn npm(arguments: &str) -> Command {
    let mut npm = cargo::program("npm", arguments);
    npm.current_dir(root().join(PACKAGE));
    npm
}
