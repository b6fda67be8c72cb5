//! Thread priorities. Where the processor is short the driver goes first: a beat that is not received
//! in time is lost, whereas rows and replies to operators are only late.

use rustix::process::{getpriority_process, setpriority_process};

/// The roles of threads other than the driver, by falling priority.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ThreadRole {
    /// Serves operators, or commits what their commands wait for.
    Operators,
    /// Writes or reads history.
    History,
}

/// Lowers the priority of the calling thread below the driver's. On Linux each thread has a niceness
/// of its own (setpriority(2)), and raising it takes no privilege.
pub(crate) fn lower_priority(role: ThreadRole) {
    let increment = match role {
        ThreadRole::Operators => 5,
        ThreadRole::History => 10,
    };
    // A failure matters only on an overloaded machine.
    let _ = getpriority_process(None).and_then(|now| setpriority_process(None, now + increment));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_lowers_its_own_priority_only() {
        let before = getpriority_process(None).unwrap();
        let other = std::thread::spawn(|| {
            lower_priority(ThreadRole::History);
            getpriority_process(None).unwrap()
        });
        assert_eq!(other.join().unwrap(), (before + 10).min(19));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
