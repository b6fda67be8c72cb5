//! Violated invariants, and the trace of steps that led to them.

use std::collections::VecDeque;
use std::time::Duration;

/// The text of a violated invariant.
#[derive(Clone, Debug)]
pub(super) struct InvariantViolation(pub(super) String);

pub(super) type CheckResult<T = ()> = Result<T, InvariantViolation>;

/// Returns an [`InvariantViolation`] with this text unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::sim::violation::InvariantViolation(format!($($text)+)));
        }
    };
}
pub(super) use ensure;

/// The last steps of a run.
#[derive(Debug)]
pub(super) enum StepTrace {
    Off,
    /// The last lines, and the largest number of them.
    On(VecDeque<String>, usize),
}

impl StepTrace {
    pub(super) fn on(lines: usize) -> Self {
        Self::On(VecDeque::new(), lines)
    }

    pub(super) fn push(&mut self, at: Duration, step: u64, text: impl FnOnce() -> String) {
        if let Self::On(lines, most) = self {
            if lines.len() >= *most {
                lines.pop_front();
            }
            lines.push_back(format!("{:>11.4}s step {step:>6}  {}", at.as_secs_f64(), text()));
        }
    }

    /// Returns the lines, oldest first.
    pub(super) fn lines(self) -> Vec<String> {
        match self {
            Self::Off => Vec::new(),
            Self::On(lines, _) => lines.into(),
        }
    }
}
