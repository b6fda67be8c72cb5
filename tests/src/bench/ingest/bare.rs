//! The least that any receiver must do, and what comes on top of it before an agent is looked up.

use std::hint::black_box;
use std::os::fd::{AsFd as _, BorrowedFd};

use anyhow::{Context as _, Result};
use heartline_collector::ingest::{Inbox, Listener};
use heartline_protocol::limits::TAG_LEN;
use heartline_protocol::{AgentKey, Datagram};
use ring::hmac;

use super::crowd::{Crowd, Load, ONE_KEY};
use super::measured::Measured;
use super::round::each_burst;
use super::sender::{Round, Sender};

/// What is done with each datagram; each does what the one before does, and more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bare {
    /// Nothing.
    Receive,
    /// Its tag is checked, with one key that was prepared before.
    Verify,
    /// Its framing is checked, and its tag with a key that is prepared for it from 32 bytes.
    VerifyOwnKey,
    /// Its body is decoded.
    Decode,
}

/// Receives at least so many packets.
pub(super) fn measure(what: Bare, packets: u64) -> Result<Measured> {
    let listener = Listener::bind("127.0.0.1:0".parse().context("an address")?)?;
    let sender = Sender::start(Crowd::with_one_key(4_096), listener.address())?;
    let prepared = hmac::Key::new(hmac::HMAC_SHA256, &ONE_KEY);
    let mut inbox = Inbox::default();
    let mut measured = Measured::default();
    let mut sequence = 0;
    while measured.packets < packets {
        sequence += 1;
        let round = Round { sequence, echo_ms: 0, load: Load::Segment(1) };
        measured += each_burst(&sender, round, || {
            drain(listener.as_fd(), &mut inbox, |bytes| touch(what, &prepared, bytes))
        })?;
    }
    Ok(measured)
}

fn drain(
    socket: BorrowedFd<'_>,
    inbox: &mut Inbox,
    touch: impl Fn(&[u8]) -> Option<()>,
) -> Result<u64> {
    let mut received = 0;
    loop {
        let got = inbox.receive(socket).context("can't receive")?;
        if got == 0 {
            return Ok(received);
        }
        received += got as u64;
        for (bytes, from) in inbox.datagrams() {
            black_box(from);
            touch(bytes).context("a beat was refused: nothing was measured")?;
        }
    }
}

fn touch(what: Bare, prepared: &hmac::Key, bytes: &[u8]) -> Option<()> {
    match what {
        Bare::Receive => {}
        Bare::Verify => {
            let (covered, tag) = bytes.split_at(bytes.len() - TAG_LEN);
            hmac::verify(prepared, covered, tag).ok()?;
        }
        Bare::VerifyOwnKey | Bare::Decode => {
            let key = AgentKey::new(black_box(&ONE_KEY));
            let verified = Datagram::parse(bytes).ok()?.verify(&key).ok()?;
            if what == Bare::Decode {
                black_box(verified.decode().ok()?);
            }
        }
    }
    Some(())
}
