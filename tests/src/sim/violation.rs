//! A promise that was broken.

use std::fmt;

/// Which promise, and how.
#[derive(Clone, Debug)]
pub(super) struct Violation(pub(super) String);

/// What every step of a run gives.
pub(super) type Checked<T = ()> = Result<T, Violation>;

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Gives back a [`Violation`] with this text unless the condition holds.
macro_rules! hold {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::sim::violation::Violation(format!($($text)+)));
        }
    };
}
pub(super) use hold;
