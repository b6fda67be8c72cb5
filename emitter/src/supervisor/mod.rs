//! Supervision of another process, as an agent.
//!
//! A program that starts and watches another one reports for it: its exit at once, what it uses, and
//! whether it stands still. An emitter in the process itself needs no other settings than the
//! variables of [`Supervisor::environment`]: both then speak as one agent (`SPEC.md`, section 13.1).
//!
//! ```no_run
//! use std::process::Command;
//! use heartline::supervisor::{ExitStatus, ProcessExit};
//!
//! let supervisor = heartline::Builder::new("nightly").supervise(None);
//! let mut child = Command::new("backup").envs(supervisor.environment()).spawn()?;
//! supervisor.report_start(child.id());
//! let code = child.wait()?.code().map(|code| code as u32);
//! let status = ExitStatus { code, ..ExitStatus::default() };
//! supervisor.report_exit(ProcessExit { status, ..ProcessExit::default() });
//! supervisor.finish();
//! # Ok::<(), std::io::Error>(())
//! ```

mod process;

use std::sync::Arc;
use std::time::Duration;

pub use heartline_engine::ProcessExit;
pub use heartline_vocabulary::ExitStatus;

pub(crate) use self::process::{ProcessEvent, SupervisedProcess};
use crate::shared::{STOP_TIMEOUT, SharedState, StopRequest};
use crate::status::EmitterStatus;

/// Longest wait for the acknowledgement of an exit: while it is missing the next process may not
/// start, and a terminal waits for its prompt.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

/// Supervisor of one process at a time, as which it reports. No method fails or waits for the network,
/// but those that say so.
pub struct Supervisor {
    shared: Arc<SharedState>,
    process: Arc<SupervisedProcess>,
}

impl Supervisor {
    pub(crate) fn new(shared: Arc<SharedState>, process: Arc<SupervisedProcess>) -> Self {
        Self { shared, process }
    }

    /// Returns the variables with which an emitter in the process reports through this supervisor.
    /// None where nothing is reported at all.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let addresses = self.process.addresses();
        if addresses.is_empty() {
            return Vec::new();
        }
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        vec![("HEARTLINE_COLLECTOR", addresses.join(","))]
    }

    /// Reports that the process was started.
    pub fn report_start(&self, pid: u32) {
        self.record(ProcessEvent::Started { pid });
    }

    /// Reports that the process has ended by itself.
    pub fn report_exit(&self, exit: ProcessExit) {
        self.record(ProcessEvent::Exited(exit));
    }

    /// Reports that the process has ended because this supervisor wanted it to.
    pub fn report_stop(&self) {
        self.record(ProcessEvent::Stopped);
    }

    /// Goes on beating between two processes, because the agent is killed and the next one starts when it
    /// is resumed.
    pub fn await_resume(&self) {
        self.record(ProcessEvent::AwaitsResume);
    }

    /// Waits until the exit that was reported last is acknowledged, at most a second. After that the
    /// next process may start. Returns whether it was.
    pub fn wait_until_reported(&self) -> bool {
        self.shared.has_sender() && self.process.wait_exit_acknowledged(EXIT_TIMEOUT)
    }

    /// Records progress of the process, such as output.
    pub fn record_progress(&self) {
        self.process.set_progress(self.shared.clock.now());
    }

    /// Records what the process and its children use: CPU time since the last call, in thousandths of a
    /// core, and resident memory, in bytes.
    pub fn record_usage(&self, cpu_permille: u32, memory_bytes: u64) {
        self.process.set_usage((cpu_permille, memory_bytes));
    }

    /// Returns whether the agent is killed: its process is to end, and not to start.
    pub fn killed(&self) -> bool {
        self.shared.gate.is_closed()
    }

    /// Returns the status of the emitter, with its problems.
    pub fn status(&self) -> EmitterStatus {
        self.shared.status()
    }

    /// Ends the emitter after an exit that was reported. Waits for its acknowledgement, at most a
    /// second.
    pub fn finish(self) {
        self.wait_until_reported();
        self.shared.stop(StopRequest::Silent, STOP_TIMEOUT);
    }

    /// Says goodbye, after the process was ended on purpose. Waits for the answer, at most a second and
    /// a half.
    pub fn say_goodbye(self) {
        self.shared.stop(StopRequest::WithGoodbye, STOP_TIMEOUT);
    }

    fn record(&self, event: ProcessEvent) {
        self.process.record(event, self.shared.clock.now());
        self.shared.wake_sender();
    }
}

impl Drop for Supervisor {
    /// A supervisor that is dropped otherwise, as in a panic, is found missing.
    fn drop(&mut self) {
        self.shared.stop(StopRequest::Silent, STOP_TIMEOUT);
    }
}
