//! Socket to the collector, and the wait for it.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::problem::EmitterProblem;

/// UDP socket to the collector: opened for the first message, and anew when answers are missing.
#[derive(Debug)]
pub(super) struct CollectorSocket {
    collector: String,
    socket: Option<UdpSocket>,
    /// Counts up through the collector's addresses.
    next_address: usize,
    problem: Option<EmitterProblem>,
}

impl CollectorSocket {
    pub(super) fn new(collector: String) -> Self {
        Self { collector, socket: None, next_address: 0, problem: None }
    }

    pub(super) fn collector(&self) -> &str {
        &self.collector
    }

    /// Returns the last problem; `None` once something was received.
    pub(super) fn problem(&self) -> Option<&EmitterProblem> {
        self.problem.as_ref()
    }

    /// Sends, or records the problem: the datagram is lost, and the next beat tries again.
    pub(super) fn send(&mut self, datagram: &[u8]) {
        if self.socket.is_none() {
            self.open();
        }
        let Some(socket) = &self.socket else { return };
        match socket.send(datagram) {
            Ok(_) => {}
            // The error of an earlier datagram; this one was not sent.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                let again = socket.send(datagram).err().unwrap_or(error);
                self.fail("reach", &again);
            }
            Err(error) => self.fail("send to", &error),
        }
    }

    /// Receives a datagram, if one is queued.
    pub(super) fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        match self.socket.as_ref()?.recv(buffer) {
            Ok(len) => {
                self.problem = None;
                Some(&buffer[..len])
            }
            Err(error) => {
                match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::Interrupted => {}
                    ErrorKind::ConnectionRefused => self.fail("reach", &error),
                    _ => self.fail("receive from", &error),
                }
                None
            }
        }
    }

    /// Closes the socket: the next message resolves the collector's name again, and uses its next
    /// address.
    pub(super) fn reopen(&mut self) {
        self.socket = None;
        self.next_address = self.next_address.wrapping_add(1);
    }

    /// Waits until a datagram is received, the waker is used, or the timeout is over.
    pub(super) fn wait(&self, waker: &SenderWaker, timeout: Duration) {
        let timeout = Timespec::try_from(timeout).ok();
        let waker_fd = PollFd::new(&waker.read_end, PollFlags::IN);
        // An error, such as EINTR, is one more turn of the loop.
        let _ = match &self.socket {
            Some(socket) => {
                let socket = PollFd::new(socket, PollFlags::IN);
                poll(&mut [waker_fd, socket], timeout.as_ref())
            }
            None => poll(&mut [waker_fd], timeout.as_ref()),
        };
        waker.drain();
    }

    fn open(&mut self) {
        let addresses: Vec<SocketAddr> = match self.collector.to_socket_addrs() {
            Ok(addresses) => addresses.collect(),
            Err(error) => return self.unresolved(error.to_string()),
        };
        if addresses.is_empty() {
            return self.unresolved("it has no address".to_owned());
        }
        match connect(addresses[self.next_address % addresses.len()]) {
            Ok(socket) => self.socket = Some(socket),
            Err(error) => {
                self.fail("reach", &error);
                self.next_address = self.next_address.wrapping_add(1);
            }
        }
    }

    fn unresolved(&mut self, reason: String) {
        self.problem =
            Some(EmitterProblem::Unresolved { collector: self.collector.clone(), reason });
    }

    fn fail(&mut self, action: &'static str, error: &io::Error) {
        let (collector, reason) = (self.collector.clone(), error.to_string());
        self.problem = Some(EmitterProblem::Socket { action, collector, reason });
    }
}

fn connect(peer: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    socket.connect(peer)?;
    Ok(socket)
}

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
