//! The system calls that have no safe wrapper here: `recvmmsg` and `sendmmsg`, many datagrams in one
//! call, and `SO_RXQ_OVFL`. Nothing else in this file.
#![allow(unsafe_code)]

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

use heartline_protocol::limits::DATAGRAM_MAX;

/// DatagramCounters in one call.
pub const BATCH: usize = 64;
/// One byte more than the longest message: a longer datagram shows by filling it.
const SLOT: usize = DATAGRAM_MAX + 1;
/// Room for one `SO_RXQ_OVFL` control message, aligned as `cmsghdr` wants.
const CONTROL_WORDS: usize = 4;

/// Buffers for receiving, made once.
pub struct Inbox {
    bytes: Box<[[u8; SLOT]; BATCH]>,
    names: Box<[libc::sockaddr_storage; BATCH]>,
    control: Box<[[u64; CONTROL_WORDS]; BATCH]>,
    lengths: [u32; BATCH],
    received: usize,
    dropped: Option<u32>,
}

impl Default for Inbox {
    fn default() -> Self {
        // SAFETY: `sockaddr_storage` is plain integers, for which all zeros is a value.
        let name: libc::sockaddr_storage = unsafe { MaybeUninit::zeroed().assume_init() };
        Self {
            bytes: Box::new([[0; SLOT]; BATCH]),
            names: Box::new([name; BATCH]),
            control: Box::new([[0; CONTROL_WORDS]; BATCH]),
            lengths: [0; BATCH],
            received: 0,
            dropped: None,
        }
    }
}

impl Inbox {
    /// Receives what is there, up to [`BATCH`] datagrams, without waiting. Gives their number.
    ///
    /// # Errors
    /// Whatever `recvmmsg` fails with; `WouldBlock` is no error but a count of zero.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let mut iovecs: [libc::iovec; BATCH] = std::array::from_fn(|n| libc::iovec {
            iov_base: self.bytes[n].as_mut_ptr().cast(),
            iov_len: SLOT,
        });
        let mut messages: [libc::mmsghdr; BATCH] = std::array::from_fn(|n| {
            header(&mut self.names[n], &mut iovecs[n], Some(&mut self.control[n]))
        });
        self.received = 0;
        self.dropped = None;
        // SAFETY: each header points to a name, an iovec with its slot, and a control buffer, all
        // of the stated lengths, exclusively borrowed from `self` or this frame until after the
        // call; the kernel writes no further than those lengths.
        let got = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                BATCH as u32,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let Ok(got) = usize::try_from(got) else {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock { Ok(0) } else { Err(error) };
        };
        self.received = got;
        for (length, message) in self.lengths.iter_mut().zip(&messages[..got]) {
            *length = message.msg_len;
        }
        if let Some(last) = messages[..got].last() {
            self.dropped = drop_count(&last.msg_hdr);
        }
        Ok(got)
    }

    /// The received datagrams with their senders. One from a family that is not IP is left out.
    pub fn datagrams(&self) -> impl Iterator<Item = (&[u8], SocketAddr)> {
        (0..self.received).filter_map(|n| {
            let bytes = &self.bytes[n][..(self.lengths[n] as usize).min(SLOT)];
            Some((bytes, address(&self.names[n])?))
        })
    }

    /// The socket's count of dropped datagrams, as the newest datagram told it: it grows for ever
    /// and wraps at 2^32.
    #[must_use]
    pub fn dropped(&self) -> Option<u32> {
        self.dropped
    }
}

/// Sends datagrams `(bytes, to)` of one socket, without waiting. Gives how many were taken by the
/// kernel; the rest are lost.
pub fn send(socket: BorrowedFd<'_>, datagrams: &[(&[u8], SocketAddr)]) -> usize {
    let mut sent = 0;
    for chunk in datagrams.chunks(BATCH) {
        // SAFETY: as in `default`, all zeros is a value of this plain struct.
        let name: libc::sockaddr_storage = unsafe { MaybeUninit::zeroed().assume_init() };
        let mut names = [name; BATCH];
        let mut iovecs: [libc::iovec; BATCH] = std::array::from_fn(|n| libc::iovec {
            // The kernel only reads what it sends; the type is shared with receiving.
            iov_base: chunk
                .get(n)
                .map_or(std::ptr::null_mut(), |it| it.0.as_ptr().cast_mut().cast()),
            iov_len: chunk.get(n).map_or(0, |it| it.0.len()),
        });
        let mut messages: [libc::mmsghdr; BATCH] =
            std::array::from_fn(|n| header(&mut names[n], &mut iovecs[n], None));
        for (message, &(_, to)) in messages.iter_mut().zip(chunk) {
            message.msg_hdr.msg_namelen = write_address(message.msg_hdr.msg_name, to);
        }
        let mut rest = &mut messages[..chunk.len()];
        while !rest.is_empty() {
            // SAFETY: each header points to a name and an iovec of the stated lengths, which live
            // until after the call; the kernel reads them and writes only `msg_len`.
            let taken = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    rest.as_mut_ptr(),
                    rest.len() as u32,
                    libc::MSG_DONTWAIT,
                )
            };
            match usize::try_from(taken) {
                Ok(taken) if taken > 0 => {
                    sent += taken;
                    rest = &mut rest[taken..];
                }
                // The first one can't be sent (no route, refused, full): go on behind it.
                _ => rest = &mut rest[1..],
            }
        }
    }
    sent
}

/// Asks the kernel to tell its count of dropped datagrams with each datagram (`SO_RXQ_OVFL`).
///
/// # Errors
/// Whatever `setsockopt` fails with.
pub fn report_overflow(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option takes a C int, which lives until after the call.
    let failed = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RXQ_OVFL,
            std::ptr::from_ref(&on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn header(
    name: &mut libc::sockaddr_storage,
    iovec: &mut libc::iovec,
    control: Option<&mut [u64; CONTROL_WORDS]>,
) -> libc::mmsghdr {
    // SAFETY: plain integers and pointers, for which all zeros is a value.
    let mut message: libc::mmsghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_hdr.msg_name = std::ptr::from_mut(name).cast();
    message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    message.msg_hdr.msg_iov = iovec;
    message.msg_hdr.msg_iovlen = 1;
    if let Some(control) = control {
        message.msg_hdr.msg_control = control.as_mut_ptr().cast();
        message.msg_hdr.msg_controllen = size_of::<[u64; CONTROL_WORDS]>() as _;
    }
    message
}

/// Reads `SO_RXQ_OVFL` from a received header.
fn drop_count(message: &libc::msghdr) -> Option<u32> {
    // SAFETY: `message` was filled by the kernel and its control buffer is alive and aligned;
    // CMSG_FIRSTHDR and CMSG_NXTHDR stay within `msg_controllen`, and an SO_RXQ_OVFL message
    // carries a u32.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(message);
        while !control.is_null() {
            if (*control).cmsg_level == libc::SOL_SOCKET
                && (*control).cmsg_type == libc::SO_RXQ_OVFL
            {
                return Some(libc::CMSG_DATA(control).cast::<u32>().read_unaligned());
            }
            control = libc::CMSG_NXTHDR(message, control);
        }
    }
    None
}

fn address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that the storage, which is large and aligned enough for
            // every family, holds a `sockaddr_in`.
            let v4 = unsafe { &*std::ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above, for `sockaddr_in6`.
            let v6 = unsafe { &*std::ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            Some(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}

/// Writes `to` where `name` points, which is always a `sockaddr_storage` of [`send`].
fn write_address(name: *mut libc::c_void, to: SocketAddr) -> libc::socklen_t {
    match to {
        SocketAddr::V4(v4) => {
            // SAFETY: all zeros is a value; `name` points to a storage that is large and aligned
            // enough for every family and exclusively ours.
            let written: &mut libc::sockaddr_in = unsafe { &mut *name.cast() };
            written.sin_family = libc::AF_INET as libc::sa_family_t;
            written.sin_port = v4.port().to_be();
            written.sin_addr.s_addr = u32::from(*v4.ip()).to_be();
            size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        SocketAddr::V6(v6) => {
            // SAFETY: as above.
            let written: &mut libc::sockaddr_in6 = unsafe { &mut *name.cast() };
            written.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            written.sin6_port = v6.port().to_be();
            written.sin6_addr.s6_addr = v6.ip().octets();
            written.sin6_flowinfo = v6.flowinfo();
            written.sin6_scope_id = v6.scope_id();
            size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn datagrams_cross_in_batches_with_their_addresses() {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let (here, there) = (UdpSocket::bind(local).unwrap(), UdpSocket::bind(local).unwrap());
            let to = there.local_addr().unwrap();
            let texts: Vec<String> = (0..100).map(|n| format!("datagram {n}")).collect();
            let batch: Vec<_> = texts.iter().map(|text| (text.as_bytes(), to)).collect();
            assert_eq!(send(here.as_fd(), &batch), 100);
            let (mut inbox, mut got) = (Inbox::default(), Vec::new());
            while inbox.receive(there.as_fd()).unwrap() > 0 {
                for (bytes, from) in inbox.datagrams() {
                    assert_eq!(from, here.local_addr().unwrap());
                    got.push(String::from_utf8(bytes.to_vec()).unwrap());
                }
            }
            assert_eq!(got, texts);
        }
    }

    #[test]
    fn one_that_cannot_be_sent_does_not_hold_up_the_rest() {
        let (here, there) =
            (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let to = there.local_addr().unwrap();
        let too_long = vec![0; 70_000];
        let batch: [(&[u8], _); 3] = [(b"a", to), (&too_long, to), (b"b", to)];
        assert_eq!(send(here.as_fd(), &batch), 2);
    }
}
