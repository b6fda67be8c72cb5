//! Wake-ups of the sender's thread.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// Wakes the sender's thread out of `poll`: a pair of connected sockets, of which one becomes
/// readable by a write to the other.
#[derive(Debug)]
pub(crate) struct SenderWaker {
    write_end: UnixStream,
    read_end: UnixStream,
}

impl SenderWaker {
    pub(crate) fn new() -> io::Result<Self> {
        let (write_end, read_end) = UnixStream::pair()?;
        write_end.set_nonblocking(true)?;
        read_end.set_nonblocking(true)?;
        Ok(Self { write_end, read_end })
    }

    /// Wakes the thread. Never blocks: a full socket means that it is awake already.
    pub(crate) fn wake(&self) {
        let _ = (&self.write_end).write(&[1]);
    }

    /// Discards all wake-ups so far.
    pub(crate) fn drain(&self) {
        let mut buffer = [0; 64];
        while matches!((&self.read_end).read(&mut buffer), Ok(count) if count == buffer.len()) {}
    }
}

impl AsFd for SenderWaker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.read_end.as_fd()
    }
}
