//! Waiting for a condition, with a deadline.

use std::thread::sleep;
use std::time::Duration;

use tokio::time::Instant;

/// Longest wait: enough on a machine that is busy with something else.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until the condition returns a value.
///
/// # Panics
/// If it does not within [`WAIT_TIMEOUT`]; `what` names the condition.
#[track_caller]
pub fn wait_for<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    let found = poll_for(WAIT_TIMEOUT, condition);
    found.unwrap_or_else(|| panic!("not within {} s: {what}", WAIT_TIMEOUT.as_secs()))
}

/// Waits until the condition returns a value; returns `None` if it does not within `timeout`.
pub fn poll_for<T>(timeout: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + timeout;
    loop {
        let found = condition();
        if found.is_some() || Instant::now() >= deadline {
            return found;
        }
        sleep(POLL_INTERVAL);
    }
}

/// Waits until the condition holds.
///
/// # Panics
/// If it does not within [`WAIT_TIMEOUT`]; `what` names the condition.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}
