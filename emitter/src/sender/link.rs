//! The socket to the collector.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::os::fd::AsFd as _;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::bell::Ear;
use crate::problem::Problem;

/// The socket to the collector: opened when there is something to send, kept for the session, and
/// opened anew when nobody answers on it.
#[derive(Debug)]
pub(super) struct Link {
    collector: String,
    socket: Option<UdpSocket>,
    /// Which of the collector's addresses is next.
    turn: usize,
    problem: Option<Problem>,
}

impl Link {
    pub(super) fn new(collector: String) -> Self {
        Self { collector, socket: None, turn: 0, problem: None }
    }

    pub(super) fn collector(&self) -> &str {
        &self.collector
    }

    /// What went wrong last; `None` once something was heard.
    pub(super) fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// Sends, or notes why it could not: that counts as loss, and the next beat tries again.
    pub(super) fn send(&mut self, datagram: &[u8]) {
        if self.socket.is_none() {
            self.open();
        }
        let Some(socket) = &self.socket else { return };
        match socket.send(datagram) {
            Ok(_) => {}
            // The answer to an earlier datagram: this one was not sent, and may fare better.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                let again = socket.send(datagram).err().unwrap_or(error);
                self.note("reach", &again);
            }
            Err(error) => self.note("send to", &error),
        }
    }

    /// Receives a datagram if one is there.
    pub(super) fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        match self.socket.as_ref()?.recv(buffer) {
            Ok(len) => {
                self.problem = None;
                Some(&buffer[..len])
            }
            Err(error) => {
                match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::Interrupted => {}
                    ErrorKind::ConnectionRefused => self.note("reach", &error),
                    _ => self.note("hear", &error),
                }
                None
            }
        }
    }

    /// Forgets the socket: the next message looks the collector's name up and opens another, to
    /// the next address if there are several.
    pub(super) fn reopen(&mut self) {
        self.socket = None;
        self.turn = self.turn.wrapping_add(1);
    }

    /// Waits until something is there to be received, the bell rings, or the time is over.
    pub(super) fn wait(&self, ear: &Ear, timeout: Duration) {
        let timeout = Timespec::try_from(timeout).ok();
        let ear_fd = PollFd::new(ear, PollFlags::IN);
        // An error, also an interruption, is one more look around.
        let _ = match &self.socket {
            Some(socket) => {
                let socket = PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN);
                poll(&mut [ear_fd, socket], timeout.as_ref())
            }
            None => poll(&mut [ear_fd], timeout.as_ref()),
        };
        ear.hush();
    }

    fn open(&mut self) {
        let addresses: Vec<SocketAddr> = match self.collector.to_socket_addrs() {
            Ok(addresses) => addresses.collect(),
            Err(error) => return self.unresolved(error.to_string()),
        };
        if addresses.is_empty() {
            return self.unresolved("it has no address".to_owned());
        }
        match connect(addresses[self.turn % addresses.len()]) {
            Ok(socket) => self.socket = Some(socket),
            Err(error) => {
                self.note("reach", &error);
                self.turn = self.turn.wrapping_add(1);
            }
        }
    }

    fn unresolved(&mut self, reason: String) {
        self.problem = Some(Problem::Unresolved { collector: self.collector.clone(), reason });
    }

    fn note(&mut self, action: &'static str, error: &io::Error) {
        let (collector, reason) = (self.collector.clone(), error.to_string());
        self.problem = Some(Problem::Link { action, collector, reason });
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
