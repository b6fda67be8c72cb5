//! The terminal, which belongs to one process group at a time.

use std::io::{self, IsTerminal as _};

use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

/// The terminal of this process, while its group is in the foreground.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForegroundTerminal {
    own_group: Pid,
}

impl ForegroundTerminal {
    /// Returns the terminal, if this process is in the foreground of one.
    pub(crate) fn of_process() -> Option<Self> {
        let (stdin, own_group) = (io::stdin(), getpgrp());
        let is_ours = stdin.is_terminal() && tcgetpgrp(stdin) == Ok(own_group);
        is_ours.then_some(Self { own_group })
    }

    /// Gives the terminal to the program: it reads from it, and its keys for signals are the program's.
    pub(crate) fn give_to(self, group: Pid) {
        set_foreground(group);
    }

    /// Takes the terminal back.
    pub(crate) fn take_back(self) {
        set_foreground(self.own_group);
    }
}

/// Makes a group the foreground one. A process in the background is stopped for that, unless the
/// signal is blocked.
fn set_foreground(group: Pid) {
    let mut stops = SigSet::empty();
    stops.add(Signal::SIGTTOU);
    let before = SigSet::thread_get_mask();
    if stops.thread_block().is_err() {
        return;
    }
    // A terminal that is gone has no foreground.
    let _ = tcsetpgrp(io::stdin(), group);
    if let Ok(before) = before {
        let _ = before.thread_set_mask();
    }
}
