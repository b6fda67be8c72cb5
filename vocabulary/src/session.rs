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

/// The names of signals on Linux, from 1: all but those of real time.
const SIGNALS: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

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

impl ExitStatus {
    /// Returns whether the process ended by itself and without a fault.
    pub fn is_success(&self) -> bool {
        *self == Self { code: Some(0), ..Self::default() }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.oom_killed, self.signal, self.code) {
            (true, _, _) => f.write_str("OOM-killed"),
            (_, Some(signal), _) => match signal_name(signal) {
                Some(name) => write!(f, "terminated by {name} ({signal})"),
                None => write!(f, "terminated by signal {signal}"),
            },
            (_, _, Some(code)) => write!(f, "exit code {code}"),
            _ => f.write_str("exit status unknown"),
        }
    }
}

fn signal_name(signal: u32) -> Option<&'static str> {
    SIGNALS.get(usize::try_from(signal).ok()?.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_status_names_the_signal() {
        let by_signal = |signal| ExitStatus { signal: Some(signal), ..ExitStatus::default() };
        let texts = [1, 9, 11, 15, 31, 0, 32, 64].map(|signal| by_signal(signal).to_string());
        assert_eq!(
            texts,
            [
                "terminated by SIGHUP (1)",
                "terminated by SIGKILL (9)",
                "terminated by SIGSEGV (11)",
                "terminated by SIGTERM (15)",
                "terminated by SIGSYS (31)",
                "terminated by signal 0",
                "terminated by signal 32",
                "terminated by signal 64",
            ]
        );
        let oom = ExitStatus { oom_killed: true, ..by_signal(9) };
        assert_eq!(oom.to_string(), "OOM-killed");
        assert_eq!(ExitStatus::default().to_string(), "exit status unknown");
        let exited = ExitStatus { code: Some(3), ..ExitStatus::default() };
        assert_eq!(exited.to_string(), "exit code 3");
    }
}
