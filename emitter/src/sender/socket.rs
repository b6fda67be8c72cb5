//! Socket to the collector.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::os::fd::AsFd as _;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::problem::Problem;
use crate::waker::SenderWaker;

/// UDP socket to the collector: opened for the first message, and anew when answers are missing.
#[derive(Debug)]
pub(super) struct CollectorSocket {
    collector: String,
    socket: Option<UdpSocket>,
    /// Counts up through the collector's addresses.
    next_address: usize,
    problem: Option<Problem>,
}

impl CollectorSocket {
    pub(super) fn new(collector: String) -> Self {
        Self { collector, socket: None, next_address: 0, problem: None }
    }

    pub(super) fn collector(&self) -> &str {
        &self.collector
    }

    /// Returns the last problem; `None` once something was received.
    pub(super) fn problem(&self) -> Option<&Problem> {
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
        let waker_fd = PollFd::new(waker, PollFlags::IN);
        // An error, such as EINTR, is one more turn of the loop.
        let _ = match &self.socket {
            Some(socket) => {
                let socket = PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN);
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
        self.problem = Some(Problem::Unresolved { collector: self.collector.clone(), reason });
    }

    fn fail(&mut self, action: &'static str, error: &io::Error) {
        let (collector, reason) = (self.collector.clone(), error.to_string());
        self.problem = Some(Problem::Socket { action, collector, reason });
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
