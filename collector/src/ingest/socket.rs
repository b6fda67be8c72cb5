//! The sockets that beats arrive on, and what the kernel dropped of them.

use std::fs;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::net::sockopt;
use socket2::{Domain, Protocol, Socket, Type};

/// What is asked for as receive buffer, in bytes: 0.4 s of 100,000 beats a second. The kernel fills
/// it only while nobody reads.
pub const RECEIVE_BUFFER: usize = 16 << 20;
/// What is enough, in bytes: what an unprivileged process usually gets at most.
const ENOUGH: usize = 4 << 20;

/// Why an address can't be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program has it.
    #[error(
        "can't receive on udp {address}: another program does (a second heartlined?); \
         stop it, or choose another port with --listen"
    )]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("can't receive on udp {address}: {source}; choose another address with --listen")]
    Other {
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
}

/// One bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: UdpSocket,
    address: SocketAddr,
    inode: u64,
    granted: usize,
    /// The kernel's count of drops when last looked at.
    dropped: u32,
}

impl Listener {
    /// Binds `address` with a large receive buffer.
    ///
    /// # Errors
    /// [`BindError`] says what is in the way and what to do.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        Self::try_bind(address).map_err(|source| {
            if source.kind() == io::ErrorKind::AddrInUse {
                BindError::InUse { address }
            } else {
                BindError::Other { address, source }
            }
        })
    }

    fn try_bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            // IPv4 has sockets of its own: a mapped address would be no key for an answer.
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        // Clipped by the kernel without a word: what was granted is read back below.
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        // A privileged collector may go beyond the system's maximum; others keep what they have.
        let _ = sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER);
        // Not every kernel has it: then `/proc/net/udp` alone tells of drops.
        let _ = super::mmsg::report_overflow(socket.as_fd());
        socket.bind(&address.into())?;
        // Linux reports twice what is usable, for its own bookkeeping (socket(7), SO_RCVBUF).
        let granted = socket.recv_buffer_size()? / 2;
        let inode = rustix::fs::fstat(&socket)?.st_ino;
        let socket = UdpSocket::from(socket);
        let address = socket.local_addr()?;
        Ok(Self { socket, address, inode, granted, dropped: 0 })
    }

    /// The address that was bound, with the port that was picked.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The receive buffer that the kernel granted, in bytes.
    #[must_use]
    pub fn granted(&self) -> usize {
        self.granted
    }

    /// A sentence for operators where the kernel granted less than was asked for.
    #[must_use]
    pub fn clipped(&self) -> Option<String> {
        (self.granted < ENOUGH).then(|| {
            format!(
                "the kernel granted a receive buffer of {} KiB instead of {} KiB: bursts of beats \
                 may be dropped; raise it with `sysctl -w net.core.rmem_max={ENOUGH}` and \
                 restart heartlined",
                self.granted >> 10,
                ENOUGH >> 10,
            )
        })
    }

    /// Takes note of the kernel's count of drops; gives how many are new. A datagram carries the
    /// count of when it was queued, so a count may be older than what the table told: it is then
    /// behind, and nothing new.
    pub(super) fn note_drops(&mut self, count: u32) -> u64 {
        let new = count.wrapping_sub(self.dropped);
        if new > u32::MAX / 2 {
            return 0;
        }
        self.dropped = count;
        u64::from(new)
    }

    /// Asks the kernel: a count that comes with a datagram comes too late when none follows.
    pub(super) fn poll_drops(&mut self) -> u64 {
        let table = if self.address.is_ipv4() { "/proc/net/udp" } else { "/proc/net/udp6" };
        let Ok(table) = fs::read_to_string(table) else { return 0 };
        drops_of(&table, self.inode).map_or(0, |count| self.note_drops(count))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}

/// The last column of the socket's line in `/proc/net/udp` (proc(5)): its drops.
fn drops_of(table: &str, inode: u64) -> Option<u32> {
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_it = columns.get(9)?.parse() == Ok(inode);
        is_it.then(|| columns.get(12)?.parse::<u64>().ok()).flatten().map(|count| count as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_read_from_the_kernels_table() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
            uid  timeout inode ref pointer drops\n\
            1: 0100007F:10E7 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        \
            0 4242 2 0000000000000000 17\n";
        assert_eq!(drops_of(table, 4242), Some(17));
        assert_eq!(drops_of(table, 1), None);
    }

    #[test]
    fn drops_show_up_when_nobody_reads() {
        let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(listener.poll_drops(), 0);
        let mut dropped = 0;
        // The buffer holds some ten thousand: bounded, and well past it.
        for _ in 0..60_000 {
            sender.send_to(&[0; 1_000], listener.address()).unwrap();
        }
        dropped += listener.poll_drops();
        assert!(dropped > 0);
        assert_eq!(listener.poll_drops(), 0, "each drop is told once");
        assert_eq!(listener.note_drops(0), 0, "a count from before is no news");
    }

    #[test]
    fn a_taken_port_says_what_to_do() {
        let taken = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = Listener::bind(taken.address()).unwrap_err();
        assert!(error.to_string().contains("--listen"), "{error}");
    }
}
