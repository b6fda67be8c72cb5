//! Where the programs under test are.

use std::path::{Path, PathBuf};

/// A program under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The collector.
    Heartlined,
    /// The operators' program.
    Heartline,
    /// `examples/minimal_agent.rs`
    MinimalAgent,
}

impl Program {
    /// Its file: beside the test program, as cargo puts it.
    ///
    /// # Panics
    /// If it has not been built.
    #[must_use]
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

/// The emitter that was written from the specification alone.
#[must_use]
pub(super) fn spec_emitter() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("spec_emitter/emitter.py")
}
