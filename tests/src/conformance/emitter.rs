//! Emitters, and how their conformance agents are started.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use crate::harness::TestedProgram;

/// An emitter that is checked.
#[derive(Clone, Debug)]
pub enum TestedEmitter {
    BuiltIn(BuiltInEmitter),
    /// By the command line of its conformance agent.
    Command(Vec<OsString>),
}

/// An emitter of this repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BuiltInEmitter {
    /// `emitter/`, by `tests/src/bin/conformance_agent.rs`.
    Rust,
    /// `python/`, by its `conformance/agent.py`.
    Python,
    /// `node/`, by its `conformance/agent.mjs`.
    Node,
    /// `heartline run` around the agent of `python`.
    Run,
}

impl BuiltInEmitter {
    pub(super) const ALL: [Self; 4] = [Self::Rust, Self::Python, Self::Node, Self::Run];
}

impl fmt::Display for TestedEmitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(BuiltInEmitter::Rust) => f.write_str("rust"),
            Self::BuiltIn(BuiltInEmitter::Python) => f.write_str("python"),
            Self::BuiltIn(BuiltInEmitter::Node) => f.write_str("node"),
            Self::BuiltIn(BuiltInEmitter::Run) => f.write_str("run"),
            Self::Command(words) => {
                // Where the program is an interpreter, its script says more.
                let is_word = |it: &&OsString| !it.to_string_lossy().contains(' ');
                let word = words.last().filter(is_word).or(words.first());
                let name = word.map(|it| Path::new(it).file_name().unwrap_or(it));
                f.write_str(&name.unwrap_or_default().to_string_lossy())
            }
        }
    }
}

impl TestedEmitter {
    /// Returns whether tasks of a killed agent wait until it is resumed. Otherwise a kill ends the
    /// process.
    pub(super) fn has_waiting_tasks(&self) -> bool {
        !matches!(self, Self::BuiltIn(BuiltInEmitter::Run))
    }

    /// Returns the command of the conformance agent, to be run from the repository's root.
    ///
    /// # Errors
    /// When the agent's program is not there; says what to do.
    pub(super) fn command(&self, agent: &str) -> Result<Command, String> {
        let mut command = match self {
            Self::BuiltIn(BuiltInEmitter::Rust) => {
                Command::new(TestedProgram::ConformanceAgent.path())
            }
            Self::BuiltIn(BuiltInEmitter::Python) => python_agent(Command::new("python3"))?,
            Self::BuiltIn(BuiltInEmitter::Node) => {
                require("node/dist/esm/index.js", "run `npm ci && npm run build` in node/ first")?;
                let mut command = Command::new("node");
                command.arg(required("node/conformance/agent.mjs")?);
                command
            }
            Self::BuiltIn(BuiltInEmitter::Run) => {
                let mut command = Command::new(TestedProgram::Heartline.path());
                command.args(["run", "--agent", agent, "--", "python3"]);
                python_agent(command)?
            }
            Self::Command(words) => {
                let (program, arguments) = words.split_first().ok_or("the command is empty")?;
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
        };
        command.arg(agent).current_dir(root());
        Ok(command)
    }
}

/// Adds Python's conformance agent to a command, and where it finds the package, which needs no
/// installation.
fn python_agent(mut command: Command) -> Result<Command, String> {
    command.arg(required("python/conformance/agent.py")?);
    command.env("PYTHONPATH", root().join("python/src"));
    Ok(command)
}

fn required(path: &str) -> Result<PathBuf, String> {
    require(path, "this emitter has no conformance agent yet")?;
    Ok(root().join(path))
}

fn require(path: &str, otherwise: &str) -> Result<(), String> {
    if root().join(path).is_file() {
        Ok(())
    } else {
        Err(format!("{path} is not there: {otherwise}"))
    }
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tests/ stands in the root").to_path_buf()
}
