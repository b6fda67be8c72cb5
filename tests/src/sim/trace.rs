//! The last steps of a run, kept only when somebody is going to read them.

use std::collections::VecDeque;
use std::time::Duration;

/// The last steps of a run.
#[derive(Debug)]
pub(super) enum Trace {
    /// Nothing is kept.
    Off,
    /// The last lines, and how many of them are kept.
    On(VecDeque<String>, usize),
}

impl Trace {
    /// Keeps the last `lines`.
    pub(super) fn on(lines: usize) -> Self {
        Self::On(VecDeque::new(), lines)
    }

    /// Keeps a line.
    pub(super) fn note(&mut self, at: Duration, step: u64, text: impl FnOnce() -> String) {
        if let Self::On(lines, most) = self {
            if lines.len() >= *most {
                lines.pop_front();
            }
            lines.push_back(format!("{:>11.4}s step {step:>6}  {}", at.as_secs_f64(), text()));
        }
    }

    /// The lines, oldest first.
    pub(super) fn lines(self) -> Vec<String> {
        match self {
            Self::Off => Vec::new(),
            Self::On(lines, _) => lines.into(),
        }
    }
}
