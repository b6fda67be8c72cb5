//! Receives many datagrams with one system call (`recvmmsg`), with their senders, the local addresses
//! that they were sent to, and the kernel's count of those that it dropped.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;

use heartline_protocol::limits::DATAGRAM_MAX;
use nix::errno::Errno;
use nix::libc::in6_pktinfo;
use nix::sys::socket::{
    CmsgIterator, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6,
    SockaddrLike, recvmmsg,
};

use super::IngestSocket;
use super::route::LocalAddress;

/// Datagrams received or sent with one system call at most.
pub const BATCH_SIZE: usize = 64;
/// One byte more than the longest message: a longer datagram is recognised by its length.
const BUFFER_LEN: usize = DATAGRAM_MAX + 1;

/// Buffers for the batches of one socket, allocated once. They stay on the thread that made them.
pub struct DatagramBatch {
    buffers: Box<[[u8; BUFFER_LEN]; BATCH_SIZE]>,
    headers: BatchHeaders,
    received: Vec<ReceivedMessage>,
    drop_count: Option<u32>,
}

#[derive(Clone, Copy)]
struct ReceivedMessage {
    len: usize,
    from: SocketAddr,
    /// Known of sockets that are bound to the wildcard address.
    local: Option<LocalAddress>,
}

enum BatchHeaders {
    Ipv4(MultiHeaders<SockaddrIn>),
    Ipv6(MultiHeaders<SockaddrIn6>),
}

impl DatagramBatch {
    /// Allocates the buffers for a socket.
    pub fn new(socket: &IngestSocket) -> Self {
        let headers = if socket.address().is_ipv4() {
            BatchHeaders::Ipv4(new_headers())
        } else {
            BatchHeaders::Ipv6(new_headers())
        };
        let buffers = Box::new([[0; BUFFER_LEN]; BATCH_SIZE]);
        Self { buffers, headers, received: Vec::with_capacity(BATCH_SIZE), drop_count: None }
    }

    /// Replaces the batch by what the socket holds, at most [`BATCH_SIZE`] datagrams, without
    /// waiting. Returns their number.
    ///
    /// # Errors
    /// Any error of `recvmmsg` but `EWOULDBLOCK`, which is an empty batch.
    pub fn receive(&mut self, socket: &IngestSocket) -> io::Result<usize> {
        self.received.clear();
        let Self { buffers, headers, received, .. } = self;
        let outcome = match headers {
            BatchHeaders::Ipv4(headers) => receive_into(socket, headers, buffers, received),
            BatchHeaders::Ipv6(headers) => receive_into(socket, headers, buffers, received),
        };
        self.drop_count = match outcome {
            Ok(count) => count,
            Err(Errno::EWOULDBLOCK) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(self.received.len())
    }

    /// Returns the received datagrams with their senders.
    pub fn datagrams(&self) -> impl Iterator<Item = (&[u8], SocketAddr)> {
        let received = self.buffers.iter().zip(&self.received);
        received.map(|(buffer, it)| (&buffer[..it.len.min(BUFFER_LEN)], it.from))
    }

    /// Returns the local address to answer each datagram from, where the socket has many.
    pub(super) fn local_addresses(&self) -> impl Iterator<Item = Option<LocalAddress>> {
        self.received.iter().map(|it| it.local)
    }

    /// Returns the socket's count of dropped datagrams, if the newest datagram carries it. It only
    /// grows, and wraps at 2^32.
    pub fn drop_count(&self) -> Option<u32> {
        self.drop_count
    }
}

fn new_headers<S: SockaddrLike + Copy>() -> MultiHeaders<S> {
    MultiHeaders::preallocate(BATCH_SIZE, Some(nix::cmsg_space!(u32, in6_pktinfo)))
}

fn receive_into<S: SockaddrLike + Copy + Into<SocketAddr>>(
    socket: &IngestSocket,
    headers: &mut MultiHeaders<S>,
    buffers: &mut [[u8; BUFFER_LEN]; BATCH_SIZE],
    received: &mut Vec<ReceivedMessage>,
) -> nix::Result<Option<u32>> {
    let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
    let flags = MsgFlags::MSG_DONTWAIT;
    let is_wildcard = socket.address().ip().is_unspecified();
    let (mut newest, mut is_truncated) = (None, false);
    for message in recvmmsg(socket.as_raw_fd(), headers, &mut slices, flags, None)? {
        let local = if is_wildcard {
            let messages = message.cmsgs();
            is_truncated |= messages.is_err();
            messages.ok().and_then(local_address)
        } else {
            None
        };
        let sender = message.address.map(Into::into);
        received.extend(sender.map(|from| ReceivedMessage { len: message.bytes, from, local }));
        newest = Some(message);
    }
    let Some(newest) = newest else { return Ok(None) };
    let drop_count = newest.cmsgs().map(rxq_ovfl);
    if is_truncated || drop_count.is_err() {
        // The kernel shortens the room for control messages to what it wrote, and nix does not restore
        // it (github.com/nix-rust/nix/pull/2813): once a datagram came without a count, as they all do
        // before the first drop, there is none left for it. The first count then shows as a truncated
        // control message; from the next batch on there is room for it. Until then local addresses,
        // which stand behind it, are missing, and answers leave from the address that the kernel
        // chooses: an agent that does not hear one asks again.
        *headers = new_headers();
    }
    Ok(drop_count.ok().flatten())
}

fn rxq_ovfl(mut messages: CmsgIterator<'_>) -> Option<u32> {
    messages.find_map(|message| match message {
        ControlMessageOwned::RxqOvfl(count) => Some(count),
        _ => None,
    })
}

fn local_address(mut messages: CmsgIterator<'_>) -> Option<LocalAddress> {
    messages.find_map(|message| match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(LocalAddress::from_ipv4(&info)),
        ControlMessageOwned::Ipv6PacketInfo(info) => LocalAddress::from_ipv6(&info),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    fn socket_pair(local: &str) -> (UdpSocket, IngestSocket) {
        let receiver = IngestSocket::bind(local.parse().unwrap()).unwrap();
        let sender = UdpSocket::bind(local).unwrap();
        sender.connect(receiver.address()).unwrap();
        (sender, receiver)
    }

    #[test]
    fn datagrams_of_both_families_arrive_in_order_with_their_senders() {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let (sender, receiver) = socket_pair(local);
            let mut batch = DatagramBatch::new(&receiver);
            for round in 0..2 {
                let sent: Vec<String> = (0..100).map(|n| format!("{round}: {n}")).collect();
                for text in &sent {
                    sender.send(text.as_bytes()).unwrap();
                }
                let mut received = Vec::new();
                while batch.receive(&receiver).unwrap() > 0 {
                    for (bytes, from) in batch.datagrams() {
                        assert_eq!(from, sender.local_addr().unwrap());
                        received.push(String::from_utf8(bytes.to_vec()).unwrap());
                    }
                }
                assert_eq!(received, sent);
                assert_eq!(batch.drop_count(), None);
            }
        }
    }

    #[test]
    fn a_datagram_longer_than_any_message_shows_by_its_length() {
        let (sender, receiver) = socket_pair("127.0.0.1:0");
        sender.send(&[7; DATAGRAM_MAX + 200]).unwrap();
        let mut batch = DatagramBatch::new(&receiver);
        assert_eq!(batch.receive(&receiver).unwrap(), 1);
        assert_eq!(batch.datagrams().next().unwrap().0.len(), DATAGRAM_MAX + 1);
    }

    #[test]
    fn drops_are_counted_however_often_the_batch_was_used_before() {
        /// More than the receive buffer holds.
        const SENT: u32 = 60_000;
        let (sender, receiver) = socket_pair("127.0.0.1:0");
        let mut batch = DatagramBatch::new(&receiver);
        for _ in 0..3 {
            sender.send(b"before any drop").unwrap();
            assert_eq!(batch.receive(&receiver).unwrap(), 1);
            assert_eq!(batch.drop_count(), None);
        }
        let drain = |batch: &mut DatagramBatch| {
            let (mut received, mut count) = (0, None);
            loop {
                match batch.receive(&receiver).unwrap() {
                    0 => return (received, count),
                    got => received += got as u32,
                }
                count = batch.drop_count().or(count);
            }
        };
        for _ in 0..SENT {
            sender.send(&[0; 1_000]).unwrap();
        }
        let (received, _) = drain(&mut batch);
        assert!(received < SENT);
        // All of these were queued before the first drop. The next datagram carries the count, which
        // does not fit; from then on it does.
        let counts: Vec<Option<u32>> = (0..4)
            .map(|_| {
                sender.send(b"after the drops").unwrap();
                drain(&mut batch).1
            })
            .collect();
        assert_eq!(counts[1..], [Some(SENT - received); 3]);
    }

    #[test]
    fn a_wildcard_socket_says_which_address_was_asked_also_while_datagrams_are_dropped() {
        let receiver = IngestSocket::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let port = receiver.address().port();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut batch = DatagramBatch::new(&receiver);
        let mut asked = |ip: &str| {
            sender.send_to(b"x", (ip, port)).unwrap();
            let mut locals = Vec::new();
            while batch.receive(&receiver).unwrap() > 0 {
                locals.extend(batch.local_addresses());
            }
            *locals.last().unwrap()
        };
        let first = asked("127.0.0.1");
        assert!(first.is_some());
        assert_ne!(asked("127.0.0.2"), first);
        assert_eq!(asked("127.0.0.1"), first);
        for _ in 0..60_000 {
            sender.send_to(&[0; 1_000], ("127.0.0.1", port)).unwrap();
        }
        asked("127.0.0.1");
        asked("127.0.0.1");
        assert_eq!(asked("127.0.0.1"), first, "beside the count of drops");
        assert_ne!(asked("127.0.0.2"), first);
    }
}
