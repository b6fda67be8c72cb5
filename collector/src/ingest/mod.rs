//! Ingest: from bytes on a socket to judged state, and the answers back.
//!
//! For every datagram, in this order and no other: framing, key, tag, body, freshness, fleet. What
//! fails is counted under its reason and forgotten; nothing unproven is answered.

mod keyring;
mod mmsg;
mod outbox;
mod socket;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use heartline_fleet::{
    AgentIndex, Fleet, Input, Message, MonoTime, OutgoingAck, OutgoingPush, ReturnAddress,
};
use heartline_protocol::envelope::Datagram;
use heartline_protocol::{Body, DatagramError};

pub use keyring::Keyring;
pub use mmsg::{BATCH, Inbox};
pub use socket::{BindError, Listener, RECEIVE_BUFFER};

use outbox::Outbox;

/// Datagrams that never reached the fleet, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Wrong tag, unknown epoch, or a scope that does not cover its agent.
    pub bad_tag: u64,
    /// Not a message, or a body that breaks the rules.
    pub malformed: u64,
    /// Signed with a revoked key.
    pub revoked: u64,
    /// Dropped by the kernel.
    pub kernel_dropped: u64,
}

/// The sockets with everything that stands between them and the fleet.
pub struct Ingest {
    listeners: Vec<Listener>,
    inbox: Inbox,
    outbox: Outbox,
    /// The keys of all agents.
    pub keyring: Keyring,
    refused: Refused,
    new_drops: u64,
    /// Where the agents of a batch stand.
    found: Vec<Option<AgentIndex>>,
}

impl Ingest {
    /// Ingest from bound sockets.
    #[must_use]
    pub fn new(listeners: Vec<Listener>, keyring: Keyring) -> Self {
        Self {
            listeners,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            keyring,
            refused: Refused::default(),
            new_drops: 0,
            found: Vec::new(),
        }
    }

    /// The sockets, to wait on.
    pub fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.listeners.iter().map(AsFd::as_fd)
    }

    /// The addresses that beats arrive on.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(Listener::address).collect()
    }

    /// Datagrams that never reached the fleet.
    #[must_use]
    pub fn refused(&self) -> &Refused {
        &self.refused
    }

    /// Answers that could not be sent.
    #[must_use]
    pub fn withheld(&self) -> u64 {
        self.outbox.withheld()
    }

    /// Takes one batch from socket `via` into the fleet. Gives how many datagrams came.
    ///
    /// # Errors
    /// What the kernel said, when the socket can't be read.
    pub fn receive(&mut self, via: usize, fleet: &mut Fleet, now: MonoTime) -> io::Result<usize> {
        let Self { listeners, inbox, keyring, refused, new_drops, found, .. } = self;
        let Some(listener) = listeners.get_mut(via) else { return Ok(0) };
        // The batch before was answered.
        keyring.end_lending();
        let got = inbox.receive(listener.as_fd())?;
        if let Some(count) = inbox.dropped() {
            let new = listener.note_drops(count);
            refused.kernel_dropped += new;
            *new_drops += new;
        }
        let mut framed = Vec::with_capacity(got);
        for (bytes, peer) in inbox.datagrams() {
            let from = ReturnAddress { peer, via: via as u8 };
            match Datagram::parse(bytes) {
                Ok(datagram) => framed.push(Framed { datagram, from, len: bytes.len() as u16 }),
                Err(refusal) => refused.count(refusal),
            }
        }
        let agents: Vec<&str> = framed.iter().map(|it| it.datagram.claimed().agent).collect();
        fleet.find_all(&agents, found);
        keyring.touch(found);
        for (framed, &found) in framed.iter().zip(&*found) {
            if let Err(refusal) = take(keyring, fleet, framed, found, now) {
                refused.count(refusal);
            }
        }
        Ok(got)
    }

    /// How many datagrams the kernel has dropped since the last call. Asks the kernel itself when
    /// `ask` says so: that costs a read of `/proc`.
    pub fn take_drops(&mut self, ask: Ask) -> u64 {
        if ask == Ask::Kernel {
            let new: u64 = self.listeners.iter_mut().map(Listener::poll_drops).sum();
            self.refused.kernel_dropped += new;
            self.new_drops += new;
        }
        std::mem::take(&mut self.new_drops)
    }

    /// Sends an answer, with the next batch.
    pub fn answer(&mut self, fleet: &Fleet, answer: &OutgoingAck, now: MonoTime) {
        let Some(view) = fleet.view(answer.index) else { return };
        self.outbox.answer(&mut self.keyring, view.name(), answer, now);
        if self.outbox.is_full() {
            self.flush();
        }
    }

    /// Sends a push, with the next batch.
    pub fn push(&mut self, fleet: &Fleet, order: &OutgoingPush) {
        let Some(view) = fleet.view(order.index) else { return };
        self.outbox.push(&self.keyring, view.name(), order);
        if self.outbox.is_full() {
            self.flush();
        }
    }

    /// Sends what waits.
    pub fn flush(&mut self) {
        self.outbox.flush(&self.listeners);
    }
}

/// Where to look for drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// What the datagrams told.
    Datagrams,
    /// That, and the kernel's own table.
    Kernel,
}

/// A datagram with the right framing, and where it came from.
struct Framed<'a> {
    datagram: Datagram<'a>,
    from: ReturnAddress,
    len: u16,
}

fn take(
    keyring: &mut Keyring,
    fleet: &mut Fleet,
    framed: &Framed<'_>,
    found: Option<AgentIndex>,
    now: MonoTime,
) -> Result<(), DatagramError> {
    // One that was not found may have come with the same batch.
    let index = found.or_else(|| fleet.find(framed.datagram.claimed().agent));
    let (verified, derived) = keyring.verify(index, framed.datagram)?;
    let body = verified.decode()?;
    let header = &verified.header;
    let interval_ms = match &body {
        Body::Beat(beat) => beat.interval_ms,
        _ => index.and_then(|it| fleet.view(it)).map_or(0, |view| view.interval_ms()),
    };
    let fresh = keyring.is_fresh(index, header, interval_ms, now);
    if let (Some(index), Some(derived)) = (index, &derived) {
        if fresh || !keyring.has(index) {
            keyring.keep(index, header, derived);
        } else {
            keyring.lend(index, header, derived);
        }
    }
    let message = Message {
        index,
        agent: header.agent,
        session: header.session,
        sequence: header.sequence,
        fresh,
        from: framed.from,
        len: framed.len,
        body,
    };
    fleet.handle(Input::Message(&message), now);
    if index.is_none()
        && let (Some(index), Some(derived)) = (fleet.find(header.agent), &derived)
    {
        keyring.keep(index, header, derived);
    }
    Ok(())
}

impl Refused {
    fn count(&mut self, refusal: DatagramError) {
        match refusal {
            DatagramError::BadTag | DatagramError::UnknownEpoch | DatagramError::BadScope => {
                self.bad_tag += 1;
            }
            DatagramError::Revoked => self.revoked += 1,
            _ => self.malformed += 1,
        }
    }
}
