//! The clocks of this package, read here and nowhere else.

use std::time::{Instant, SystemTime};

#[allow(clippy::disallowed_methods, reason = "this is the clock module")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Returns the time that files are stamped with.
#[allow(clippy::disallowed_methods, reason = "this is the clock module")]
pub(crate) fn file_time() -> SystemTime {
    SystemTime::now()
}
