//! Answers and pushes on their way out: sealed into buffers that are used again, sent in batches.

use std::net::SocketAddr;
use std::os::fd::AsFd;

use heartline_fleet::{MonoTime, OutgoingAck, OutgoingPush};
use heartline_protocol::limits::CHALLENGE_LEN;
use heartline_protocol::{DatagramWriter, Header, MessageType, Push};

use super::keyring::Keyring;
use super::mmsg::{self, BATCH};
use super::socket::Listener;

/// Sealed datagrams that wait to be sent together.
#[derive(Default)]
pub struct Outbox {
    buffers: Vec<Vec<u8>>,
    to: Vec<(SocketAddr, u8)>,
    withheld: u64,
}

impl Outbox {
    /// How many answers were not sent: longer than their question, or not taken by the kernel.
    #[must_use]
    pub fn withheld(&self) -> u64 {
        self.withheld
    }

    /// Whether it is time to [`Self::flush`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.to.len() >= BATCH
    }

    /// Seals an answer to `agent`.
    pub fn answer(
        &mut self,
        keyring: &mut Keyring,
        agent: &str,
        answer: &OutgoingAck,
        now: MonoTime,
    ) {
        let OutgoingAck { index, to, session, sequence, interval_ms, message_len, ack } = *answer;
        let Some((key, epoch, scope_len)) = keyring.down(index, session) else { return };
        let challenge = keyring.challenge(Some(index), agent, session, interval_ms, now);
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
        let len = self.buffers[self.to.len()].len();
        // Never a weapon: nobody gets more bytes back than came in under their address.
        if !sealed || len > usize::from(message_len) {
            self.withheld += 1;
            return;
        }
        self.to.push((to.peer, to.via));
    }

    /// Seals a push to `agent`.
    pub fn push(&mut self, keyring: &Keyring, agent: &str, order: &OutgoingPush) {
        let Some((key, epoch, scope_len)) = keyring.down(order.index, order.session) else {
            return;
        };
        let header = Header {
            kind: MessageType::Push,
            epoch,
            scope_len,
            agent,
            session: order.session,
            sequence: order.generation.max(1),
            challenge: [0; CHALLENGE_LEN],
        };
        let mut sealer = DatagramWriter::new(self.next_buffer(), &header);
        Push { generation: order.generation, killed: order.killed }.write(sealer.body());
        if sealer.seal(&key).is_ok() {
            self.to.push((order.to.peer, order.to.via));
        }
    }

    /// Sends what waits.
    pub fn flush(&mut self, listeners: &[Listener]) {
        if self.to.is_empty() {
            return;
        }
        let mut batch: Vec<(&[u8], SocketAddr)> = Vec::with_capacity(self.to.len());
        for (number, listener) in listeners.iter().enumerate() {
            batch.clear();
            let waiting = self.buffers.iter().zip(&self.to);
            let own = waiting.filter(|(_, (_, via))| usize::from(*via) == number);
            batch.extend(own.map(|(bytes, &(to, _))| (bytes.as_slice(), to)));
            let sent = mmsg::send(listener.as_fd(), &batch);
            self.withheld += (batch.len() - sent) as u64;
        }
        self.to.clear();
    }

    fn next_buffer(&mut self) -> &mut Vec<u8> {
        let next = self.to.len();
        if self.buffers.len() <= next {
            self.buffers.resize_with(next + 1, Vec::new);
        }
        &mut self.buffers[next]
    }
}
