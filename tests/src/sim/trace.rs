//! The last steps of a run, kept only when somebody is going to read them.

use std::collections::VecDeque;
use std::time::Duration;

/// The last steps of a run.
#[derive(Debug)]
pub(super) enum Trace {
    /// Nothing is kept.
    Off,
    /// The last lines.
    On(VecDeque<String>),
}

/// Lines kept.
const LINES: usize = 60;

impl Trace {
    /// Keeps the last lines.
    pub(super) fn on() -> Self {
        Self::On(VecDeque::new())
    }

    /// Keeps a line.
    pub(super) fn note(&mut self, at: Duration, step: u64, text: impl FnOnce() -> String) {
        if let Self::On(lines) = self {
            if lines.len() == LINES {
                lines.pop_front();
            }
            lines.push_back(format!("{:>11.4}s step {step:>6}  {}", at.as_secs_f64(), text()));
        }
    }

    /// The lines, oldest first.
    pub(super) fn lines(self) -> Vec<String> {
        match self {
            Self::Off => Vec::new(),
            Self::On(lines) => lines.into(),
        }
    }
}
