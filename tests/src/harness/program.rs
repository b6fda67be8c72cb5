//! The programs under test, and agents started as processes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::environment::TestEnvironment;
use super::process::TestProcess;

/// A program under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestedProgram {
    Heartlined,
    Heartline,
    /// `examples/minimal_agent.rs`
    MinimalAgent,
    /// `tests/src/bin/conformance_agent.rs`
    ConformanceAgent,
}

impl TestedProgram {
    /// Returns the executable, which cargo puts beside the test program.
    ///
    /// # Panics
    /// If it has not been built.
    #[track_caller]
    pub fn path(self) -> PathBuf {
        let own = std::env::current_exe().expect("a program knows its own file");
        // target/<profile>/deps/<test>, or target/<profile>/bench
        let folder = own.parent().expect("a file is in a folder");
        let profile = folder.parent().filter(|_| folder.ends_with("deps")).unwrap_or(folder);
        let path = profile.join(match self {
            Self::Heartlined => "heartlined",
            Self::Heartline => "heartline",
            Self::MinimalAgent => "examples/minimal_agent",
            Self::ConformanceAgent => "conformance_agent",
        });
        assert!(
            path.is_file(),
            "{} is not built: run `cargo build --workspace --bins --examples` first (`cargo xtask \
             test` does)",
            path.display()
        );
        path
    }
}

impl TestEnvironment {
    /// Starts `minimal_agent`, which beats every `interval_ms`.
    #[track_caller]
    pub fn start_agent(&self, name: &str, collector: SocketAddr, interval_ms: u32) -> TestProcess {
        let mut command = self.command(TestedProgram::MinimalAgent.path());
        command.arg(name);
        command.env("HEARTLINE_COLLECTOR", collector.to_string());
        command.env("HEARTLINE_INTERVAL", format!("{interval_ms}ms"));
        TestProcess::start(&mut command)
    }

    /// Starts the emitter that was written from the specification alone.
    #[track_caller]
    pub fn start_spec_emitter(
        &self,
        name: &str,
        collector: SocketAddr,
        options: &[&str],
    ) -> TestProcess {
        let mut command = self.command("python3");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("spec_emitter/emitter.py"));
        command.args(["--agent", name, "--collector", &collector.to_string()]);
        command.args(["--token", &self.token().encode()]).args(options);
        TestProcess::start(&mut command)
    }
}
