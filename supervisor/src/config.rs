//! What is run, and how.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use heartline::Builder;

/// What is run, and how.
pub struct RunConfig {
    /// Id of the agent.
    pub agent: String,
    /// The emitter, configured but not started.
    pub emitter: Builder,
    /// The program and its arguments; not empty.
    pub command: Vec<OsString>,
    pub on_exit: ExitPolicy,
    pub stall_watch: Option<StallWatch>,
    /// Time between SIGTERM and SIGKILL when the agent is killed.
    pub kill_grace: Duration,
    /// The last lines of standard error are reported with a crash.
    pub report_stderr: bool,
}

/// What follows the end of the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExitPolicy {
    /// [`run`](crate::run) ends with it.
    #[default]
    Stay,
    /// It is started again, after a pause that doubles from 1 s to 1 min.
    Restart,
}

/// How it is noticed that the program stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StallWatch {
    /// Time without progress after which the agent is stalled.
    pub after: Duration,
    /// File whose modification is progress; without one, output is.
    pub progress_file: Option<PathBuf>,
}
