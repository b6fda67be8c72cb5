//! The terminal app in a pseudo-terminal, with a collector process: what it sends for a calm fleet, and how soon
//! a key is answered.

mod calm_fleet;
mod timeline;

use anyhow::{Context as _, Result};
use portable_pty::{Child, CommandBuilder, MasterPty, NativePtySystem, PtySize, PtySystem as _};

use super::{BenchMode, machine};
use crate::harness::{TestEnvironment, TestedProgram};

pub(super) fn run(mode: BenchMode) -> Result<()> {
    calm_fleet::run(mode)?;
    println!();
    timeline::run(mode)
}

/// Starts the terminal app on a capable terminal of this many columns and rows.
fn start_app(
    env: &TestEnvironment,
    (cols, rows): (u16, u16),
) -> Result<(Box<dyn Child + Send + Sync>, Box<dyn MasterPty + Send>)> {
    let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
    let pty = NativePtySystem::default().openpty(size).context("can't open a pseudo-terminal")?;
    let home = env.command(TestedProgram::Heartline.path());
    let mut command = CommandBuilder::new(home.get_program());
    command.env_clear();
    for (name, value) in home.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.env("TERM", "xterm-256color");
    command.cwd(env.path());
    let app = pty.slave.spawn_command(command).context("can't start heartline")?;
    Ok((app, pty.master))
}
