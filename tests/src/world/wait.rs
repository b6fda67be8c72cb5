//! Waiting for a condition, with a deadline.

use std::thread::sleep;
use std::time::Duration;

use tokio::time::Instant;

/// Enough for anything that happens at all, on a machine that is busy with something else.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Waits until the condition gives something.
///
/// # Panics
/// If it has not after [`PATIENCE`]: `what` says what was waited for.
#[track_caller]
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {} s: {what}", PATIENCE.as_secs());
        sleep(LOOK_EVERY);
    }
}

/// Waits until the condition holds.
///
/// # Panics
/// If it does not after [`PATIENCE`]: `what` says what was waited for.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}
