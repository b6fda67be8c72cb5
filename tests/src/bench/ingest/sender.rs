//! The crowd's side of the socket: a thread on a core of its own that sends when told to. It knows
//! the collector's boot key, so that even first beats are live.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{self, Receiver, SyncSender};

use anyhow::{Context as _, Result};
use heartline_collector::ingest::RECEIVE_BUFFER;
use heartline_protocol::challenge::{ChallengeKey, step_ms};
use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::crowd::{self, Crowd, INTERVAL_MS, Load, Said};
use crate::bench::machine;

/// Beats sent at once: they all fit the receive buffer, so that draining it can be measured alone.
pub(super) const BURST: usize = 4_096;

/// The collector's boot key.
pub(super) const BOOT: [u8; 32] = [0xb0; 32];

/// Which beat of everybody it is.
#[derive(Clone, Copy)]
pub(super) struct Round {
    /// Number in each session, from 1.
    pub(super) sequence: u64,
    /// The time at which each got the challenge that it echoes, in ms since the collector started.
    pub(super) echo_ms: u64,
    pub(super) load: Load,
}

/// A burst to be sent.
struct Order {
    first: usize,
    count: usize,
    round: Round,
}

/// Tells the sending thread what to do.
pub(super) struct Sender {
    orders: SyncSender<Order>,
    done: Receiver<io::Result<()>>,
    agents: usize,
}

impl Sender {
    /// Starts a thread that speaks for `crowd`. It ends with this handle.
    pub(super) fn start(crowd: Crowd, to: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").context("can't bind a sender")?;
        socket.connect(to).with_context(|| format!("can't send to {to}"))?;
        socket.set_nonblocking(true).context("can't keep a sender from waiting")?;
        set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER).context("can't make room")?;
        let (orders, inbox) = mpsc::sync_channel::<Order>(1);
        let (outbox, done) = mpsc::sync_channel(1);
        let agents = crowd.len();
        let work = move || {
            // On a machine with one core both share it: slower, and still right.
            let _ = machine::pin(1);
            let boot = ChallengeKey::new(&BOOT);
            for order in inbox {
                let sent = send(&crowd, &boot, &socket, &order);
                if outbox.send(sent).is_err() {
                    break;
                }
            }
        };
        let named = std::thread::Builder::new().name("sender".into());
        named.spawn(work).context("can't start a sender")?;
        Ok(Self { orders, done, agents })
    }

    /// How many agents it speaks for.
    pub(super) fn agents(&self) -> usize {
        self.agents
    }

    /// Sends the beats of `count` agents and waits until they are all in the receive buffer.
    pub(super) fn burst(&self, first: usize, count: usize, round: Round) -> Result<()> {
        let order = Order { first, count, round };
        self.orders.send(order).ok().context("the sender has ended")?;
        self.done.recv().context("the sender has ended")?.context("can't send")
    }
}

fn send(crowd: &Crowd, boot: &ChallengeKey, socket: &UdpSocket, order: &Order) -> io::Result<()> {
    // What was answered to the burst before makes room for the answers to this one.
    while socket.recv(&mut [0; 256]).is_ok() {}
    let Round { sequence, echo_ms, load } = order.round;
    let step_ms = step_ms(INTERVAL_MS);
    let mut datagram = Vec::new();
    for nth in order.first..order.first + order.count {
        let agent = crowd.agent(nth);
        let (name, session) = (crowd::name(agent), crowd::session(agent));
        let challenge = boot.challenge(&name, session, echo_ms / step_ms, step_ms);
        crowd.write(agent, Said { sequence, challenge, load }, &mut datagram);
        socket.send(&datagram)?;
    }
    Ok(())
}
