//! Ingest: from bytes on a socket to judged state, and the acks back.
//!
//! Every datagram passes these checks in this order: framing, key, tag, body, freshness, fleet. One
//! that fails is dropped and counted by reason; nothing unverified is answered.

mod batch;
mod keyring;
mod route;
mod send_queue;
mod socket;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use heartline_fleet::{
    Agent, AgentIndex, AgentMessage, Fleet, Input, MonoTime, OutgoingAck, OutgoingPush,
    ReturnAddress,
};
use heartline_protocol::envelope::Datagram;
use heartline_protocol::{Body, DatagramError};
use heartline_vocabulary::DatagramCounters;

pub use batch::{BATCH_SIZE, DatagramBatch};
pub use keyring::{ChallengeTerms, Keyring};
pub use socket::{BindError, IngestSocket, RECEIVE_BUFFER};

use route::{Route, RouteTable};
use send_queue::SendQueue;

/// The sockets, and all that a datagram passes between them and the fleet.
pub struct Ingest {
    sockets: Vec<IngestSocket>,
    routes: RouteTable,
    send_queue: SendQueue,
    /// The keys of all agents.
    pub keyring: Keyring,
    counters: DatagramCounters,
    /// Datagrams dropped by the kernel that [`Self::take_kernel_drops`] has not returned yet.
    new_kernel_drops: u64,
    /// The agents of a batch, allocated once.
    indices: Vec<Option<AgentIndex>>,
}

impl Ingest {
    /// Creates the ingest of bound sockets.
    pub fn new(sockets: Vec<IngestSocket>, keyring: Keyring) -> Self {
        Self {
            routes: RouteTable::new(sockets.len()),
            sockets,
            send_queue: SendQueue::default(),
            keyring,
            counters: DatagramCounters::default(),
            new_kernel_drops: 0,
            indices: Vec::new(),
        }
    }

    /// Returns the sockets, to poll them.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.iter().map(AsFd::as_fd)
    }

    /// Returns the addresses that beats arrive on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(IngestSocket::address).collect()
    }

    /// Returns the counters of datagrams that did not reach the fleet, and of answers not sent.
    pub fn counters(&self) -> DatagramCounters {
        DatagramCounters { answers_withheld: self.send_queue.withheld(), ..self.counters }
    }

    /// Allocates the buffers of all sockets, on the thread that will receive.
    pub fn new_batches(&self) -> Vec<DatagramBatch> {
        self.sockets.iter().map(DatagramBatch::new).collect()
    }

    /// Receives one batch from socket `via` and hands it to the fleet. Returns the number of
    /// datagrams received.
    ///
    /// # Errors
    /// The system's error, when the socket can't be read.
    pub fn receive(
        &mut self,
        batches: &mut [DatagramBatch],
        via: usize,
        fleet: &mut Fleet,
        now: MonoTime,
    ) -> io::Result<usize> {
        let Self { sockets, routes, keyring, counters, new_kernel_drops, indices, .. } = self;
        let (Some(socket), Some(batch)) = (sockets.get_mut(via), batches.get_mut(via)) else {
            return Ok(0);
        };
        // The acks to the previous batch are sealed.
        keyring.clear_transient();
        let count = batch.receive(socket)?;
        if let Some(drop_count) = batch.drop_count() {
            let new = socket.record_drop_count(drop_count);
            counters.kernel_dropped += new;
            *new_kernel_drops += new;
        }
        let mut parsed = Vec::with_capacity(count);
        routes.begin_batch();
        for ((bytes, peer), local) in batch.datagrams().zip(batch.local_addresses()) {
            let via = routes.number(Route { socket: via as u8, local });
            let (from, len) = (ReturnAddress { peer, via }, bytes.len() as u16);
            match Datagram::parse(bytes) {
                Ok(datagram) => parsed.push(ReceivedDatagram { datagram, from, len }),
                Err(error) => count_error(error, counters),
            }
        }
        let agents: Vec<&str> = parsed.iter().map(|it| it.datagram.claimed().agent).collect();
        fleet.find_all(&agents, indices);
        keyring.prefetch(indices);
        for (received, &index) in parsed.iter().zip(&*indices) {
            if let Err(error) = handle_datagram(keyring, fleet, received, index, now) {
                count_error(error, counters);
            }
        }
        Ok(count)
    }

    /// Reads the kernel's own counts of drops from `/proc`: those that datagrams carry come too late
    /// when no datagram follows.
    pub fn read_kernel_drops(&mut self) {
        let new: u64 = self.sockets.iter_mut().map(IngestSocket::read_drop_count).sum();
        self.counters.kernel_dropped += new;
        self.new_kernel_drops += new;
    }

    /// Returns how many bytes wait in the receive buffer of each socket, and how many may.
    pub fn receive_queues(&self) -> impl Iterator<Item = (SocketAddr, (u64, u64))> {
        self.sockets.iter().map(|socket| (socket.address(), socket.queued()))
    }

    /// Returns how many datagrams the kernel is known to have dropped since the last call.
    pub fn take_kernel_drops(&mut self) -> u64 {
        std::mem::take(&mut self.new_kernel_drops)
    }

    /// Queues an ack for the next [`Self::flush`].
    pub fn queue_ack(&mut self, fleet: &Fleet, ack: &OutgoingAck, now: MonoTime) {
        let Some(view) = fleet.agent(ack.index) else { return };
        let voided = fleet.challenges_voided(Some(ack.index), view.name());
        self.send_queue.queue_ack(&mut self.keyring, view.name(), voided, ack, now);
        if self.send_queue.is_full() {
            self.flush();
        }
    }

    /// Queues a push for the next [`Self::flush`].
    pub fn queue_push(&mut self, fleet: &Fleet, push: &OutgoingPush) {
        let Some(view) = fleet.agent(push.index) else { return };
        self.send_queue.queue_push(&self.keyring, view.name(), push);
        if self.send_queue.is_full() {
            self.flush();
        }
    }

    /// Sends all queued acks and pushes.
    pub fn flush(&mut self) {
        self.send_queue.flush(&self.sockets, &self.routes);
    }
}

/// A datagram with valid framing, its return address and its length.
struct ReceivedDatagram<'a> {
    datagram: Datagram<'a>,
    from: ReturnAddress,
    len: u16,
}

fn handle_datagram(
    keyring: &mut Keyring,
    fleet: &mut Fleet,
    received: &ReceivedDatagram<'_>,
    index: Option<AgentIndex>,
    now: MonoTime,
) -> Result<(), DatagramError> {
    // The first datagram of this agent may be in the same batch.
    let index = index.or_else(|| fleet.find(received.datagram.claimed().agent));
    let (verified, derived) = keyring.verify(index, received.datagram)?;
    let body = verified.decode()?;
    let header = &verified.header;
    let interval_ms = match &body {
        Body::Beat(beat) => beat.interval_ms,
        _ => index.and_then(|it| fleet.agent(it)).map_or(0, Agent::interval_ms),
    };
    let voided = fleet.challenges_voided(index, header.agent);
    let fresh = keyring.is_fresh(index, header, ChallengeTerms { interval_ms, voided }, now);
    if let (Some(index), Some(derived)) = (index, &derived) {
        if fresh || !keyring.has_keys(index) {
            keyring.cache(index, header, derived);
        } else {
            keyring.keep_transient(index, header, derived);
        }
    }
    let message = AgentMessage {
        index,
        agent: header.agent,
        scope: header.scope(),
        session: header.session,
        sequence: header.sequence,
        tag_prefix: verified.tag_prefix(),
        fresh,
        from: received.from,
        len: received.len,
        body,
    };
    fleet.handle(Input::Message(&message), now);
    if index.is_none()
        && let (Some(index), Some(derived)) = (fleet.find(header.agent), &derived)
    {
        keyring.cache(index, header, derived);
    }
    Ok(())
}

fn count_error(error: DatagramError, counters: &mut DatagramCounters) {
    *match error {
        DatagramError::BadLength => &mut counters.bad_length,
        DatagramError::BadMagic => &mut counters.bad_magic,
        DatagramError::BadKind => &mut counters.bad_kind,
        DatagramError::BadBodyLength => &mut counters.bad_body_length,
        DatagramError::BadAgent => &mut counters.bad_agent,
        DatagramError::BadScope => &mut counters.bad_scope,
        DatagramError::BadSequence => &mut counters.bad_sequence,
        DatagramError::UnknownEpoch => &mut counters.unknown_epoch,
        DatagramError::Revoked => &mut counters.revoked,
        DatagramError::BadTag => &mut counters.bad_tag,
        DatagramError::BadBody(_) => &mut counters.bad_body,
    } += 1;
}
