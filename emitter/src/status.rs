//! Status of the emitter.

use std::fmt;
use std::time::Duration;

use heartline_engine::{ConnectionState, MonoNanos};

use crate::problem::EmitterProblem;

/// Status of an emitter. As text it is one line: `live`, or what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmitterStatus {
    /// State of the session with the collector; `None` while nothing is sent at all.
    pub connection: Option<ConnectionState>,
    /// Killed: no new task starts.
    pub killed: bool,
    /// Time since the collector's last answer.
    pub last_answer_age: Option<Duration>,
    /// Tasks begun and not ended.
    pub in_flight: u32,
    /// Observations that could not be counted.
    pub lost_observations: u64,
    /// Datagrams received that were not from this agent's collector.
    pub refused_datagrams: u64,
    /// Problems that were found and not solved yet.
    pub problems: Vec<EmitterProblem>,
}

impl EmitterStatus {
    /// Returns whether the collector takes the beats as live and there is no problem.
    pub fn is_healthy(&self) -> bool {
        self.connection == Some(ConnectionState::Confirmed) && self.problems.is_empty()
    }
}

impl fmt::Display for EmitterStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.connection {
            None => "off",
            Some(ConnectionState::Unanswered) => "no answer yet",
            Some(ConnectionState::Unconfirmed) => "connecting",
            Some(ConnectionState::Confirmed) => "live",
        })?;
        if self.killed {
            f.write_str(", killed")?;
        }
        for problem in &self.problems {
            write!(f, "; {problem}")?;
        }
        Ok(())
    }
}

/// The sender's part of the status.
#[derive(Clone, Debug, Default)]
pub(crate) struct SenderStatus {
    pub(crate) connection: Option<ConnectionState>,
    pub(crate) killed: bool,
    pub(crate) last_answer: Option<MonoNanos>,
    pub(crate) refused_datagrams: u64,
    pub(crate) settings_problems: Vec<EmitterProblem>,
    pub(crate) token_problem: Option<EmitterProblem>,
    pub(crate) socket_problem: Option<EmitterProblem>,
    pub(crate) state_file_problem: Option<EmitterProblem>,
    pub(crate) answer_problem: Option<EmitterProblem>,
}

impl SenderStatus {
    pub(crate) fn problems(&self) -> Vec<EmitterProblem> {
        let ongoing = [
            &self.token_problem,
            &self.answer_problem,
            &self.socket_problem,
            &self.state_file_problem,
        ];
        self.settings_problems.iter().chain(ongoing.into_iter().flatten()).cloned().collect()
    }
}
