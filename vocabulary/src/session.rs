//! Sessions, the runs of an agent's emitter, and how they end.

use std::fmt;

use crate::named::named;

named! {
    /// The way in which a session ended.
    SessionEnd {
        /// The agent said goodbye.
        Shutdown = "shutdown",
        /// The agent's supervisor reported its exit.
        Crashed = "crashed",
        /// Another session of the same agent took over.
        Superseded = "superseded",
    }
}

/// The exit status of a process, as its supervisor reported it. Its `Display` is for operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExitStatus {
    /// The exit code, if the process exited by itself.
    pub code: Option<u32>,
    /// The signal that ended it.
    pub signal: Option<u32>,
    /// Whether the kernel's out-of-memory killer ended it.
    pub oom_killed: bool,
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.oom_killed, self.signal, self.code) {
            (true, _, _) => f.write_str("OOM-killed"),
            (_, Some(signal), _) => write!(f, "terminated by signal {signal}"),
            (_, _, Some(code)) => write!(f, "exit code {code}"),
            _ => f.write_str("exit status unknown"),
        }
    }
}
