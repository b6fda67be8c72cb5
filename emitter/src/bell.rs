//! Wakes the sender's thread out of its wait.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// The agent's end.
#[derive(Debug)]
pub(crate) struct Bell(UnixStream);

/// The sender's end.
#[derive(Debug)]
pub(crate) struct Ear(UnixStream);

pub(crate) fn pair() -> io::Result<(Bell, Ear)> {
    let (bell, ear) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    ear.set_nonblocking(true)?;
    Ok((Bell(bell), Ear(ear)))
}

impl Bell {
    /// Never blocks. When it can't ring it has been rung so often that the sender is awake.
    pub(crate) fn ring(&self) {
        let _ = (&self.0).write(&[1]);
    }
}

impl Ear {
    /// Takes in all ringing so far.
    pub(crate) fn hush(&self) {
        let mut rung = [0; 64];
        while matches!((&self.0).read(&mut rung), Ok(count) if count == rung.len()) {}
    }
}

impl AsFd for Ear {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
