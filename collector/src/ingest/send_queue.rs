//! Acks and pushes on their way out: sealed into buffers that are used again, sent in batches
//! (`sendmmsg`).

use std::io::IoSlice;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};

use heartline_fleet::{MonoTime, OutgoingAck, OutgoingPush};
use heartline_protocol::limits::CHALLENGE_LEN;
use heartline_protocol::{DatagramWriter, Header, MessageType, Push};
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
use rustix::io::Errno;
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};

use super::IngestSocket;
use super::batch::BATCH_SIZE;
use super::keyring::{ChallengeTerms, Keyring};
use super::route::{LocalAddress, PacketInfo, RouteTable};

/// Sealed datagrams to be sent together.
#[derive(Default)]
pub struct SendQueue {
    buffers: Vec<Vec<u8>>,
    /// Destination and route of each datagram, in the order of the buffers.
    destinations: Vec<(SocketAddr, u8)>,
    withheld: u64,
}

impl SendQueue {
    /// Returns how many acks were not sent because they were longer than the message, and how many
    /// datagrams the kernel did not take.
    pub fn withheld(&self) -> u64 {
        self.withheld
    }

    pub fn is_full(&self) -> bool {
        self.destinations.len() >= BATCH_SIZE
    }

    /// Seals an ack to `agent`, whose challenges were voided so often.
    pub fn queue_ack(
        &mut self,
        keyring: &mut Keyring,
        agent: &str,
        voided: u32,
        ack: &OutgoingAck,
        now: MonoTime,
    ) {
        let OutgoingAck { index, to, session, sequence, interval_ms, message_len, ack } = *ack;
        let Some((key, epoch, scope_len)) = keyring.down_key(index, session) else { return };
        let terms = ChallengeTerms { interval_ms, voided };
        let challenge = keyring.challenge(Some(index), agent, session, terms, now);
        let header = Header {
            kind: MessageType::Ack,
            epoch,
            scope_len,
            agent,
            session,
            sequence,
            challenge,
        };
        let mut sealer = DatagramWriter::new(self.next_buffer(), &header);
        ack.write(sealer.body());
        let sealed = sealer.seal(&key).is_ok();
        let len = self.buffers[self.destinations.len()].len();
        // No amplification: a spoofed sender address receives no more bytes than were sent.
        if !sealed || len > usize::from(message_len) {
            self.withheld += 1;
            return;
        }
        self.destinations.push((to.peer, to.via));
    }

    /// Seals a push to `agent`.
    pub fn queue_push(&mut self, keyring: &Keyring, agent: &str, push: &OutgoingPush) {
        let Some((key, epoch, scope_len)) = keyring.down_key(push.index, push.session) else {
            return;
        };
        let header = Header {
            kind: MessageType::Push,
            epoch,
            scope_len,
            agent,
            session: push.session,
            sequence: push.desired.generation.max(1),
            challenge: [0; CHALLENGE_LEN],
        };
        let mut sealer = DatagramWriter::new(self.next_buffer(), &header);
        Push { desired: push.desired, lifts: push.lifts }.write(sealer.body());
        if sealer.seal(&key).is_ok() {
            self.destinations.push((push.to.peer, push.to.via));
        }
    }

    /// Sends all queued datagrams, each through the socket and from the address that its agent uses.
    pub(super) fn flush(&mut self, sockets: &[IngestSocket], routes: &RouteTable) {
        if self.destinations.is_empty() {
            return;
        }
        for (number, socket) in sockets.iter().enumerate() {
            let queued = self.buffers.iter().zip(&self.destinations);
            let routed = queued.filter_map(|(bytes, &(to, via))| {
                let route = routes.route(via).filter(|it| usize::from(it.socket) == number)?;
                Some((&bytes[..], to, route.local))
            });
            let (mut plain, mut sourced) = (Vec::new(), Vec::new());
            for (bytes, to, local) in routed {
                match local {
                    None => plain.push((bytes, to)),
                    Some(local) => sourced.push((bytes, to, local)),
                }
            }
            let mut sent = send_datagrams(socket.as_fd(), &plain);
            sent += send_in_parts(&mut sourced, |rest| send_from(socket, &rest[0]));
            self.withheld += (plain.len() + sourced.len() - sent) as u64;
        }
        self.destinations.clear();
    }

    fn next_buffer(&mut self) -> &mut Vec<u8> {
        let next = self.destinations.len();
        if self.buffers.len() <= next {
            self.buffers.resize_with(next + 1, Vec::new);
        }
        &mut self.buffers[next]
    }
}

/// Sends datagrams without waiting. Returns how many the kernel took; the rest are lost.
fn send_datagrams(socket: BorrowedFd<'_>, datagrams: &[(&[u8], SocketAddr)]) -> usize {
    let parts: Vec<(SocketAddrAny, [IoSlice<'_>; 1])> =
        datagrams.iter().map(|&(bytes, to)| (to.into(), [IoSlice::new(bytes)])).collect();
    let mut no_control: Vec<SendAncillaryBuffer<'_, '_, '_>> = Vec::new();
    no_control.resize_with(parts.len(), SendAncillaryBuffer::default);
    let headers = parts.iter().zip(&mut no_control);
    let mut headers: Vec<MMsgHdr<'_>> = headers
        .map(|((to, slices), control)| MMsgHdr::new_with_addr(to, slices, control))
        .collect();
    send_in_parts(&mut headers, |rest| sendmmsg(socket, rest, SendFlags::DONTWAIT))
}

/// Sends one datagram from a local address; returns that it was one. `sendmmsg` is not used here:
/// rustix has no such control message, and nix does not count safely what `sendmmsg` took.
fn send_from(
    socket: &IngestSocket,
    (bytes, to, local): &(&[u8], SocketAddr, LocalAddress),
) -> rustix::io::Result<usize> {
    let (slices, flags) = ([IoSlice::new(bytes)], MsgFlags::MSG_DONTWAIT);
    let (to, fd) = (SockaddrStorage::from(*to), socket.as_raw_fd());
    let sent = match local.packet_info() {
        PacketInfo::Ipv4(info) => {
            let control = [ControlMessage::Ipv4PacketInfo(&info)];
            sendmsg(fd, &slices, &control, flags, Some(&to))
        }
        PacketInfo::Ipv6(info) => {
            let control = [ControlMessage::Ipv6PacketInfo(&info)];
            sendmsg(fd, &slices, &control, flags, Some(&to))
        }
    };
    sent.map(|_| 1).map_err(|error| Errno::from_raw_os_error(error as i32))
}

/// Calls `send` until all messages were tried or the socket is full. A message that can't be sent,
/// because there is no route to its destination for example, is skipped.
fn send_in_parts<T>(
    mut rest: &mut [T],
    mut send: impl FnMut(&mut [T]) -> rustix::io::Result<usize>,
) -> usize {
    let mut sent = 0;
    while !rest.is_empty() {
        match send(rest) {
            Ok(count) if count > 0 => {
                sent += count;
                rest = &mut rest[count..];
            }
            Err(Errno::WOULDBLOCK) => break,
            _ => rest = &mut rest[1..],
        }
    }
    sent
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_datagram_that_cannot_be_sent_is_skipped() {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let (sender, receiver) =
                (UdpSocket::bind(local).unwrap(), UdpSocket::bind(local).unwrap());
            let to = receiver.local_addr().unwrap();
            let too_long = vec![0; 70_000];
            let datagrams: [(&[u8], _); 3] = [(b"a", to), (&too_long, to), (b"b", to)];
            assert_eq!(send_datagrams(sender.as_fd(), &datagrams), 2);
            for expected in [b"a", b"b"] {
                let mut buffer = [0; 2];
                let received = receiver.recv_from(&mut buffer).unwrap();
                assert_eq!(received, (1, sender.local_addr().unwrap()));
                assert_eq!(&buffer[..1], expected);
            }
        }
    }

    #[test]
    fn a_full_socket_ends_the_batch_with_one_more_call() {
        let mut messages: Vec<u32> = (0..64).collect();
        let mut calls = Vec::new();
        let sent = send_in_parts(&mut messages, |rest| {
            calls.push(rest[0]);
            match rest[0] {
                0 => Ok(10),
                10 => Err(Errno::HOSTUNREACH),
                11 => Ok(20),
                _ => Err(Errno::WOULDBLOCK),
            }
        });
        assert_eq!((sent, calls), (30, vec![0, 10, 11, 31]));
    }
}
