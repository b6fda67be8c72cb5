//! Receives many datagrams with one system call (`recvmmsg`), with their senders and the kernel's
//! count of those that it dropped.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;

use heartline_protocol::limits::DATAGRAM_MAX;
use nix::errno::Errno;
use nix::sys::socket::{
    CmsgIterator, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6,
    SockaddrLike, recvmmsg,
};

use super::IngestSocket;

/// Datagrams received or sent with one system call at most.
pub const BATCH_SIZE: usize = 64;
/// One byte more than the longest message: a longer datagram is recognised by its length.
const BUFFER_LEN: usize = DATAGRAM_MAX + 1;

/// Buffers for the batches of one socket, allocated once. They stay on the thread that made them.
pub struct DatagramBatch {
    buffers: Box<[[u8; BUFFER_LEN]; BATCH_SIZE]>,
    headers: BatchHeaders,
    received: Vec<(usize, SocketAddr)>,
    drop_count: Option<u32>,
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
        received.map(|(buffer, &(len, from))| (&buffer[..len.min(BUFFER_LEN)], from))
    }

    /// Returns the socket's count of dropped datagrams, if the newest datagram carries it. It only
    /// grows, and wraps at 2^32.
    pub fn drop_count(&self) -> Option<u32> {
        self.drop_count
    }
}

fn new_headers<S: SockaddrLike + Copy>() -> MultiHeaders<S> {
    MultiHeaders::preallocate(BATCH_SIZE, Some(nix::cmsg_space!(u32)))
}

fn receive_into<S: SockaddrLike + Copy + Into<SocketAddr>>(
    socket: &IngestSocket,
    headers: &mut MultiHeaders<S>,
    buffers: &mut [[u8; BUFFER_LEN]; BATCH_SIZE],
    received: &mut Vec<(usize, SocketAddr)>,
) -> nix::Result<Option<u32>> {
    let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
    let flags = MsgFlags::MSG_DONTWAIT;
    let mut newest = None;
    for message in recvmmsg(socket.as_raw_fd(), headers, &mut slices, flags, None)? {
        received.extend(message.address.map(|from| (message.bytes, from.into())));
        newest = Some(message);
    }
    let Some(newest) = newest else { return Ok(None) };
    if let Ok(messages) = newest.cmsgs() {
        return Ok(rxq_ovfl(messages));
    }
    // The kernel shortens the room for control messages to what it wrote, and nix does not restore
    // it (github.com/nix-rust/nix/pull/2813): none is left once a datagram came without a count, as
    // they all do before the first drop. The first count then shows as a truncated control message;
    // from the next batch on there is room for it.
    *headers = new_headers();
    Ok(None)
}

fn rxq_ovfl(mut messages: CmsgIterator<'_>) -> Option<u32> {
    messages.find_map(|message| match message {
        ControlMessageOwned::RxqOvfl(count) => Some(count),
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
}
