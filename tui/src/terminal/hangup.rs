//! Notices that the terminal was closed, which reading keys does not.

use std::io;
use std::os::fd::OwnedFd;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::oneshot;

/// Waits on a thread of its own until standard input is hung up. Dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Hangup {
    closed: oneshot::Receiver<()>,
    /// The thread sees its other end hang up when this is dropped.
    _wake: OwnedFd,
}

impl Hangup {
    /// # Errors
    /// No pipe or thread can be made.
    pub(crate) fn watch() -> io::Result<Self> {
        let (asleep, wake) = rustix::pipe::pipe()?;
        let (tell, closed) = oneshot::channel();
        thread::Builder::new().name("hangup".to_owned()).spawn(move || {
            if input_hangs_up(&asleep) {
                // Nobody listens any more only when the program ends anyway.
                let _ = tell.send(());
            }
        })?;
        Ok(Self { closed, _wake: wake })
    }

    /// Ends when the terminal is closed; may be cancelled.
    pub(crate) async fn closed(&mut self) {
        if (&mut self.closed).await.is_err() {
            // The thread could not watch: then reading keys must notice.
            std::future::pending::<()>().await;
        }
    }
}

/// Blocks until standard input is hung up, or `asleep` is. No flags are asked for: hang-ups and
/// errors are always reported, and keys are left to who reads them.
fn input_hangs_up(asleep: &OwnedFd) -> bool {
    let stdin = io::stdin();
    let ended = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    loop {
        let mut watched =
            [PollFd::new(&stdin, PollFlags::empty()), PollFd::new(asleep, PollFlags::empty())];
        match poll(&mut watched, None) {
            Ok(_) if watched[0].revents().intersects(ended) => return true,
            Ok(_) if watched[1].revents().intersects(ended) => return false,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
