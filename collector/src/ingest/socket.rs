//! A UDP socket that beats arrive on, and the kernel's count of datagrams that it dropped there.

use std::fs;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo, RxqOvfl};
use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use socket2::{Domain, Protocol, Socket, Type};

/// Receive buffer that is asked for, in bytes: 0.4 s of 100,000 beats a second. It fills only while
/// the driver does not read.
pub const RECEIVE_BUFFER: usize = 16 << 20;
/// Receive buffer below which operators are warned, in bytes: an unprivileged process usually gets
/// no more.
const RECEIVE_BUFFER_MIN: usize = 4 << 20;

/// An address that can't be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program is bound to it.
    #[error(
        "can't receive on udp {address}: another program does (a second heartlined?); \
         stop it, or choose another port with --listen"
    )]
    InUse { address: SocketAddr },
    /// Any other error of the system.
    #[error("can't receive on udp {address}: {source}; choose another address with --listen")]
    Other { address: SocketAddr, source: io::Error },
}

/// A bound socket that beats arrive on.
#[derive(Debug)]
pub struct IngestSocket {
    socket: UdpSocket,
    address: SocketAddr,
    inode: u64,
    receive_buffer: usize,
    /// The kernel's count of drops that was last seen.
    drop_count: u32,
    /// Bytes that waited when `/proc/net/udp` was last read, as the kernel accounts them.
    queued: u64,
}

impl IngestSocket {
    /// Binds `address` with a large receive buffer.
    ///
    /// # Errors
    /// [`BindError`] names the address, the cause and the remedy.
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
            // IPv4 has sockets of its own: an ack must go out through the socket of its family.
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        // The kernel clips silently: what it granted is read back below.
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        // A privileged collector may go beyond the system's maximum; others keep what they have.
        let _ = set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER);
        // Where the kernel lacks this option, drops are read from `/proc/net/udp` alone.
        let _ = setsockopt(&socket, RxqOvfl, &1);
        if address.ip().is_unspecified() {
            // Each datagram says to which of the machine's addresses it was sent.
            match address {
                SocketAddr::V4(_) => setsockopt(&socket, Ipv4PacketInfo, &true)?,
                SocketAddr::V6(_) => setsockopt(&socket, Ipv6RecvPacketInfo, &true)?,
            }
        }
        socket.bind(&address.into())?;
        // Linux reports twice what is usable, for its own bookkeeping (socket(7), SO_RCVBUF).
        let receive_buffer = socket.recv_buffer_size()? / 2;
        let inode = rustix::fs::fstat(&socket)?.st_ino;
        let socket = UdpSocket::from(socket);
        let address = socket.local_addr()?;
        Ok(Self { socket, address, inode, receive_buffer, drop_count: 0, queued: 0 })
    }

    /// Returns the bound address, with the actual port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns a warning for operators if the kernel granted a small receive buffer.
    pub fn receive_buffer_warning(&self) -> Option<String> {
        (self.receive_buffer < RECEIVE_BUFFER_MIN).then(|| {
            format!(
                "the kernel granted a receive buffer of {} KiB instead of {} KiB: bursts of beats \
                 may be dropped; raise it with `sysctl -w net.core.rmem_max={RECEIVE_BUFFER_MIN}` and \
                 restart heartlined",
                self.receive_buffer >> 10,
                RECEIVE_BUFFER_MIN >> 10,
            )
        })
    }

    /// Records the kernel's count of drops. Returns how many are new: none when the count is older
    /// than the last one, because a datagram carries the count of the moment when it was queued.
    pub(super) fn record_drop_count(&mut self, count: u32) -> u64 {
        let new = count.wrapping_sub(self.drop_count);
        if new > u32::MAX / 2 {
            return 0;
        }
        self.drop_count = count;
        u64::from(new)
    }

    /// Returns how many bytes waited a second ago, and how many may, as the kernel accounts them.
    pub(super) fn queued(&self) -> (u64, u64) {
        (self.queued, 2 * self.receive_buffer as u64)
    }

    /// Records the count in `/proc/net/udp`, which also shows drops that no datagram followed, and what
    /// waits. Returns how many drops are new.
    pub(super) fn read_drop_count(&mut self) -> u64 {
        let table = if self.address.is_ipv4() { "/proc/net/udp" } else { "/proc/net/udp6" };
        let Ok(table) = fs::read_to_string(table) else { return 0 };
        let Some(line) = SocketLine::parse(&table, self.inode) else { return 0 };
        self.queued = line.queued;
        self.record_drop_count(line.drops)
    }
}

impl AsFd for IngestSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for IngestSocket {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.socket.as_raw_fd()
    }
}

/// A socket's line in `/proc/net/udp` (proc(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SocketLine {
    /// The second half of the column `tx_queue:rx_queue`.
    queued: u64,
    /// The last column.
    drops: u32,
}

impl SocketLine {
    fn parse(table: &str, inode: u64) -> Option<Self> {
        table.lines().skip(1).find_map(|line| {
            let columns: Vec<&str> = line.split_ascii_whitespace().collect();
            let is_it = columns.get(9)?.parse() == Ok(inode);
            let queued = u64::from_str_radix(columns.get(4)?.split_once(':')?.1, 16).ok()?;
            let drops = columns.get(12)?.parse::<u64>().ok()? as u32;
            is_it.then_some(Self { queued, drops })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_and_what_waits_are_parsed_from_proc_net_udp() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
            uid  timeout inode ref pointer drops\n\
            1: 0100007F:10E7 00000000:0000 07 00000000:00000300 00:00000000 00000000     0        \
            0 4242 2 0000000000000000 17\n";
        assert_eq!(SocketLine::parse(table, 4242), Some(SocketLine { queued: 768, drops: 17 }));
        assert_eq!(SocketLine::parse(table, 1), None);
    }

    #[test]
    fn drops_are_counted_while_nothing_is_received() {
        let mut socket = IngestSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(socket.read_drop_count(), 0);
        // More than the receive buffer holds.
        for _ in 0..60_000 {
            sender.send_to(&[0; 1_000], socket.address()).unwrap();
        }
        assert!(socket.read_drop_count() > 0);
        assert_eq!(socket.read_drop_count(), 0, "each drop is counted once");
        assert_eq!(socket.record_drop_count(0), 0, "an older count adds nothing");
    }

    #[test]
    fn the_error_for_a_port_in_use_names_the_remedy() {
        let bound = IngestSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let error = IngestSocket::bind(bound.address()).unwrap_err();
        assert!(error.to_string().contains("--listen"), "{error}");
    }
}
