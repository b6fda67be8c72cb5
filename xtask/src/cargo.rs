//! Runs programs, always from the root of the repository.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask/ stands in the root").to_path_buf()
}

/// Returns a command of cargo from the same toolchain, its arguments separated by blanks.
pub(crate) fn cargo(arguments: &str) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    program(cargo, arguments)
}

/// Returns a command of any program, its arguments separated by blanks.
pub(crate) fn program(name: impl Into<OsString>, arguments: &str) -> Command {
    let mut command = Command::new(name.into());
    command.args(arguments.split_ascii_whitespace()).current_dir(root());
    command
}

/// Returns the folder of the programs that are built beside this one, `target/debug`.
fn profile_dir() -> Result<PathBuf> {
    let own = std::env::current_exe().context("can't find this program's own file")?;
    Ok(own.parent().context("a program is in a folder")?.to_path_buf())
}

/// Returns the folder into which cargo builds.
///
/// # Errors
/// When this program's own file can't be found.
pub(crate) fn output_dir() -> Result<PathBuf> {
    Ok(profile_dir()?.parent().context("a profile is in the target directory")?.to_path_buf())
}

/// Returns a program of this workspace that was built with all others, its arguments separated by
/// blanks. `cargo run` would compile much of it again, for the features that this program alone needs.
///
/// # Errors
/// When it has not been built.
pub(crate) fn built(name: &str, arguments: &str) -> Result<Command> {
    Ok(program(built_path(name)?, arguments))
}

fn built_path(name: &str) -> Result<PathBuf> {
    let path = profile_dir()?.join(name);
    ensure!(path.is_file(), "{} is not built", path.display());
    Ok(path)
}

/// Lets a command know the collector and the command line that were built, by `HEARTLINED` and
/// `HEARTLINE`.
///
/// # Errors
/// When one has not been built.
pub(crate) fn with_programs(command: &mut Command) -> Result<()> {
    for (variable, name) in [("HEARTLINED", "heartlined"), ("HEARTLINE", "heartline")] {
        command.env(variable, built_path(name)?);
    }
    Ok(())
}

/// Returns true if cargo has this subcommand.
pub(crate) fn has_subcommand(name: &str) -> bool {
    let probe = cargo(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    probe.is_ok_and(|status| status.success())
}

/// Runs a command with its output passed on.
///
/// # Errors
/// When it can't be run, or fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    announce(command);
    run_unannounced(command)
}

/// Runs a command with its output passed on, and nothing else.
///
/// # Errors
/// When it can't be run, or fails.
pub(crate) fn run_unannounced(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| cant_run(&shown))?;
    check(&shown, status)
}

/// Runs a command, passes on what it prints, and calls `on_line` with each line of it.
///
/// # Errors
/// When it can't be run, or fails.
pub(crate) fn run_by_line(command: &mut Command, mut on_line: impl FnMut(&str)) -> Result<()> {
    let shown = announce(command);
    // One pipe for both, so that the lines keep their order.
    let (reader, writer) = std::io::pipe().context("can't make a pipe")?;
    let both = writer.try_clone().context("can't share a pipe")?;
    let mut child =
        command.stdout(both).stderr(writer).spawn().with_context(|| cant_run(&shown))?;
    // The command's own ends would keep the pipe open after the child has exited.
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.with_context(|| format!("can't read what `{shown}` prints"))?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        on_line(&line);
    }
    let status = child.wait().with_context(|| format!("can't wait for `{shown}`"))?;
    check(&shown, status)
}

fn announce(command: &Command) -> String {
    let shown = shown(command);
    println!("    $ {shown}");
    shown
}

fn cant_run(shown: &str) -> String {
    format!("can't run `{shown}`: is it installed?")
}

fn check(shown: &str, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{shown}` failed: {status}");
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let parts = std::iter::once(program).chain(command.get_args());
    parts.map(|part| part.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
