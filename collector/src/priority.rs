//! Who goes first where the processor is short: the driver. A beat that nobody takes out of the
//! socket in time is lost; rows, news and answers to operators only come later.

use rustix::process::{getpriority_process, setpriority_process};

/// What a thread other than the driver is for, in the order in which they go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Operators, and the commits that their commands wait for.
    Operators,
    /// History: what was written a second later was written.
    History,
}

/// Puts the calling thread behind the driver. On Linux each thread has a niceness of its own
/// (setpriority(2)), and anybody may raise theirs.
pub(crate) fn step_behind_driver(role: Role) {
    let nicer = match role {
        Role::Operators => 5,
        Role::History => 10,
    };
    // Without it everything works, only not so well on a machine that is overloaded.
    let _ = getpriority_process(None).and_then(|now| setpriority_process(None, now + nicer));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_steps_behind_by_itself() {
        let before = getpriority_process(None).unwrap();
        let other = std::thread::spawn(|| {
            step_behind_driver(Role::History);
            getpriority_process(None).unwrap()
        });
        assert_eq!(other.join().unwrap(), (before + 10).min(19));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
