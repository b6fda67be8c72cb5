//! The directory in which everything of one test lives.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use heartline_operator::CollectorDirectories;
use heartline_protocol::Token;
use tempfile::TempDir;

use super::operator::Operator;
use super::program::Program;

/// A home of its own: programs that run in it find each other, and nothing else of this machine.
pub struct World {
    dir: TempDir,
}

impl World {
    /// An empty one.
    ///
    /// # Panics
    /// If there is no room for temporary files.
    #[must_use]
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("heartline-test-").tempdir();
        let world = Self { dir: dir.expect("a temporary directory can be made") };
        for part in ["home", "state", "run"] {
            fs::create_dir(world.path().join(part)).expect("a directory can be made there");
        }
        world
    }

    /// Its root, for files of the test's own.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where the collector keeps what it stores.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.path().join("state/heartline")
    }

    /// Where the collector's sockets are.
    #[must_use]
    pub fn directories(&self) -> CollectorDirectories {
        CollectorDirectories { data: self.data_dir(), sockets: self.path().join("run/heartline") }
    }

    /// A program that knows nothing but this home.
    #[must_use]
    #[track_caller]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path().join("home"));
        command.env("XDG_STATE_HOME", self.path().join("state"));
        command.env("XDG_RUNTIME_DIR", self.path().join("run"));
        command
    }

    /// Runs `heartline` with these words, split at spaces, to its end.
    ///
    /// # Panics
    /// If it can't be started.
    #[must_use]
    #[track_caller]
    pub fn heartline(&self, words: &str) -> Output {
        let mut command = self.command(Program::Heartline.path());
        command.args(words.split(' ')).output().expect("heartline can be started")
    }

    /// The fleet-wide token, which the collector made at its first start.
    ///
    /// # Panics
    /// If there is none yet.
    #[must_use]
    #[track_caller]
    pub fn token(&self) -> Token {
        let text = fs::read_to_string(self.data_dir().join("local.token"));
        let text = text.expect("the collector has made local.token");
        Token::decode(text.trim()).expect("local.token is a token")
    }

    /// An operator on this machine.
    #[must_use]
    pub fn operator(&self) -> Operator {
        Operator::new(self.directories())
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
