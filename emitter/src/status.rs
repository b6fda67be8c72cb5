//! Status of the emitter.

use std::fmt;
use std::time::Duration;

use heartline_engine::{ConnectionState, MonoNanos};

use crate::kill::KillCause;
use crate::problem::EmitterProblem;

/// Status of an emitter. As text it is one line: `live`, or what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmitterStatus {
    /// No new task starts, for the cause that follows.
    pub killed: bool,
    /// Why no new task starts: killed through any of its collectors, or a budget that is used up.
    pub kill_cause: Option<KillCause>,
    /// Status of the session with each collector; empty while nothing is sent at all.
    pub collectors: Vec<CollectorStatus>,
    /// Tasks begun and not ended.
    pub in_flight: u32,
    /// Observations that could not be counted.
    pub lost_observations: u64,
    /// Problems that were found and not solved yet.
    pub problems: Vec<EmitterProblem>,
}

/// Status of the session with one collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorStatus {
    /// `host:port` of the collector.
    pub collector: String,
    /// State of the session.
    pub connection: ConnectionState,
    /// Time since its last answer.
    pub last_answer_age: Option<Duration>,
    /// Datagrams received that were not from this agent's collector.
    pub refused_datagrams: u64,
}

impl EmitterStatus {
    /// Returns whether each collector takes the beats as live and there is no problem.
    pub fn is_healthy(&self) -> bool {
        let is_live = |it: &CollectorStatus| it.connection == ConnectionState::Confirmed;
        !self.collectors.is_empty()
            && self.collectors.iter().all(is_live)
            && self.problems.is_empty()
    }
}

impl fmt::Display for EmitterStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.collectors[..] {
            [] => f.write_str("off")?,
            [only] => f.write_str(connection_text(only.connection))?,
            several => {
                for (at, it) in several.iter().enumerate() {
                    let separator = if at == 0 { "" } else { ", " };
                    let connection = connection_text(it.connection);
                    write!(f, "{separator}{}: {connection}", it.collector)?;
                }
            }
        }
        match self.kill_cause {
            None => {}
            Some(KillCause::Command) => f.write_str(", killed")?,
            Some(KillCause::Budget) => f.write_str(", stopped: its budget is used up")?,
        }
        for problem in &self.problems {
            write!(f, "; {problem}")?;
        }
        Ok(())
    }
}

fn connection_text(connection: ConnectionState) -> &'static str {
    match connection {
        ConnectionState::Unanswered => "no answer yet",
        ConnectionState::Unconfirmed => "connecting",
        ConnectionState::Confirmed => "live",
    }
}

/// The sender's part of the status.
#[derive(Clone, Debug, Default)]
pub(crate) struct SenderStatus {
    pub(crate) links: Vec<LinkStatus>,
    pub(crate) settings_problems: Vec<EmitterProblem>,
    pub(crate) token_problem: Option<EmitterProblem>,
    /// Those of the last reading or writing of the kill memory.
    pub(crate) memory_problems: Vec<EmitterProblem>,
}

/// Status of a link, as the sender keeps it.
#[derive(Clone, Debug)]
pub(crate) struct LinkStatus {
    pub(crate) collector: String,
    /// `None`: there is no session.
    pub(crate) connection: Option<ConnectionState>,
    pub(crate) last_answer: Option<MonoNanos>,
    pub(crate) refused_datagrams: u64,
    pub(crate) problems: Vec<EmitterProblem>,
}

impl SenderStatus {
    pub(crate) fn problems(&self) -> Vec<EmitterProblem> {
        let of_links = self.links.iter().flat_map(|link| &link.problems);
        self.settings_problems
            .iter()
            .chain(&self.token_problem)
            .chain(of_links)
            .chain(&self.memory_problems)
            .cloned()
            .collect()
    }

    /// Returns the status of the sessions there are.
    pub(crate) fn collectors(&self, now: MonoNanos) -> Vec<CollectorStatus> {
        let status = |link: &LinkStatus| {
            Some(CollectorStatus {
                collector: link.collector.clone(),
                connection: link.connection?,
                last_answer_age: link.last_answer.map(|at| now.since(at)),
                refused_datagrams: link.refused_datagrams,
            })
        };
        self.links.iter().filter_map(status).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_names_collectors_where_there_are_several() {
        let collector = |name: &str, connection| CollectorStatus {
            collector: name.to_owned(),
            connection,
            last_answer_age: None,
            refused_datagrams: 0,
        };
        let mut status = EmitterStatus {
            killed: false,
            kill_cause: None,
            collectors: vec![collector("a:1", ConnectionState::Confirmed)],
            in_flight: 0,
            lost_observations: 0,
            problems: Vec::new(),
        };
        assert_eq!((status.to_string().as_str(), status.is_healthy()), ("live", true));
        status.collectors.push(collector("b:2", ConnectionState::Unanswered));
        (status.killed, status.kill_cause) = (true, Some(KillCause::Command));
        let expected = "a:1: live, b:2: no answer yet, killed";
        assert_eq!((status.to_string().as_str(), status.is_healthy()), (expected, false));
        status.collectors.clear();
        assert_eq!((status.to_string().as_str(), status.is_healthy()), ("off, killed", false));
    }
}
