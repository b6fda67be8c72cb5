//! The directory and environment of one test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use heartline_operator::CollectorDirectories;
use heartline_protocol::Token;
use tempfile::TempDir;

use super::operator::TestOperator;
use super::program::TestedProgram;

/// A home directory for the programs of one test: they find each other, and nothing else of this
/// machine.
pub struct TestEnvironment {
    dir: TempDir,
}

impl TestEnvironment {
    /// Creates an empty one.
    ///
    /// # Panics
    /// If no temporary directory can be made.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("heartline-test-").tempdir();
        let env = Self { dir: dir.expect("a temporary directory can be made") };
        for part in ["home", "state", "run"] {
            fs::create_dir(env.path().join(part)).expect("a directory can be made there");
        }
        env
    }

    /// Returns the root, for further files of the test.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the collector's data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.path().join("state/heartline")
    }

    /// Returns the directories by which operators find the collector.
    pub fn directories(&self) -> CollectorDirectories {
        CollectorDirectories { data: self.data_dir(), sockets: self.path().join("run/heartline") }
    }

    /// Returns a command that runs in this environment alone.
    #[track_caller]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path().join("home")).env("LANG", "C.UTF-8");
        command.env("XDG_STATE_HOME", self.path().join("state"));
        command.env("XDG_RUNTIME_DIR", self.path().join("run"));
        command
    }

    /// Runs `heartline` to its end; `args` are split at spaces.
    ///
    /// # Panics
    /// If it can't be started.
    #[track_caller]
    pub fn heartline(&self, args: &str) -> Output {
        let mut command = self.command(TestedProgram::Heartline.path());
        command.args(args.split(' ')).output().expect("heartline can be started")
    }

    /// Returns the fleet-wide token, which the collector made at its first start.
    ///
    /// # Panics
    /// If there is none yet.
    #[track_caller]
    pub fn token(&self) -> Token {
        let text = fs::read_to_string(self.data_dir().join("local.token"));
        let text = text.expect("the collector has made local.token");
        Token::decode(text.trim()).expect("local.token is a token")
    }

    /// Returns an operator on this machine.
    pub fn operator(&self) -> TestOperator {
        TestOperator::new(self.directories())
    }
}

impl Default for TestEnvironment {
    fn default() -> Self {
        Self::new()
    }
}
