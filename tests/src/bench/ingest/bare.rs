//! The least that any receiver must do: take datagrams off the socket, and check their tags.

use std::hint::black_box;
use std::os::fd::BorrowedFd;

use anyhow::{Context as _, Result, bail};
use heartline_collector::ingest::{Inbox, Listener};
use heartline_protocol::limits::TAG_LEN;
use ring::hmac;

use super::crowd::{Crowd, Load, ONE_KEY, Round};
use super::measured::Measured;
use super::round::each_burst;
use super::sender::Sender;

/// What is done with each datagram.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bare {
    /// Nothing.
    Receive,
    /// Its tag is checked, with one key that was prepared before.
    ReceiveAndVerify,
}

/// Receives at least so many packets.
pub(super) fn measure(what: Bare, packets: u64) -> Result<Measured> {
    let listener = Listener::bind("127.0.0.1:0".parse().context("an address")?)?;
    let sender = Sender::start(Crowd::with_one_key(4_096), listener.address())?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &ONE_KEY);
    let mut inbox = Inbox::default();
    let mut measured = Measured::default();
    let mut sequence = 0;
    while measured.packets < packets {
        sequence += 1;
        let round = Round { sequence, echo_ms: 0, load: Load::Segment(1) };
        measured += each_burst(&sender, round, || {
            drain(std::os::fd::AsFd::as_fd(&listener), &mut inbox, (what, &key))
        })?;
    }
    Ok(measured)
}

fn drain(socket: BorrowedFd<'_>, inbox: &mut Inbox, with: (Bare, &hmac::Key)) -> Result<u64> {
    let (what, key) = with;
    let mut received = 0;
    loop {
        let got = inbox.receive(socket).context("can't receive")?;
        if got == 0 {
            return Ok(received);
        }
        received += got as u64;
        for (bytes, from) in inbox.datagrams() {
            black_box(from);
            let (covered, tag) = bytes.split_at(bytes.len() - TAG_LEN);
            if what == Bare::ReceiveAndVerify && hmac::verify(key, covered, tag).is_err() {
                bail!("a tag is wrong: nothing was measured");
            }
        }
    }
}
