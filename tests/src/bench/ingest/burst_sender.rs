//! The agents' side of the socket: a thread on a core of its own that sends bursts of beats on
//! request. It knows the collector's challenge key, so that even first beats are live.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{self, Receiver, SyncSender};

use anyhow::{Context as _, Result};
use heartline_collector::ingest::RECEIVE_BUFFER;
use heartline_protocol::DesiredState;
use heartline_protocol::challenge::{ChallengeKey, step_ms};
use rustix::net::sockopt::set_socket_recv_buffer_size;

use crate::bench::machine;
use crate::bench::synthetic_fleet::{self, BeatFields, BeatPayload, INTERVAL_MS, SyntheticFleet};

/// Beats sent at once: they all fit the receive buffer, so that draining it can be measured alone.
pub(super) const BURST_LEN: usize = 4_096;

/// The collector's challenge key.
pub(super) const BOOT_KEY: [u8; 32] = [0xb0; 32];

/// One beat of every agent.
#[derive(Clone, Copy)]
pub(super) struct BeatRound {
    /// Number in each session, from 1.
    pub(super) sequence: u64,
    /// When the echoed challenge was issued, in ms since the collector started.
    pub(super) echo_ms: u64,
    pub(super) payload: BeatPayload,
}

struct BurstRequest {
    first: usize,
    count: usize,
    round: BeatRound,
}

/// Handle of the sending thread.
pub(super) struct BurstSender {
    requests: SyncSender<BurstRequest>,
    done: Receiver<io::Result<()>>,
    agents: usize,
}

impl BurstSender {
    /// Starts a thread that sends the beats of `fleet`. It ends with this handle.
    pub(super) fn start(fleet: SyntheticFleet, to: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").context("can't bind a sender")?;
        socket.connect(to).with_context(|| format!("can't send to {to}"))?;
        socket.set_nonblocking(true).context("can't keep a sender from waiting")?;
        set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER).context("can't make room")?;
        let (requests, received) = mpsc::sync_channel::<BurstRequest>(1);
        let (finished, done) = mpsc::sync_channel(1);
        let agents = fleet.len();
        let work = move || {
            // On a machine with one core both share it: slower, and still right.
            let _ = machine::pin(1);
            let boot_key = ChallengeKey::new(&BOOT_KEY);
            for request in received {
                let sent = send(&fleet, &boot_key, &socket, &request);
                if finished.send(sent).is_err() {
                    break;
                }
            }
        };
        let named = std::thread::Builder::new().name("sender".into());
        named.spawn(work).context("can't start a sender")?;
        Ok(Self { requests, done, agents })
    }

    pub(super) fn agents(&self) -> usize {
        self.agents
    }

    /// Sends the beats of `count` agents and waits until they are all in the receive buffer.
    pub(super) fn send_burst(&self, first: usize, count: usize, round: BeatRound) -> Result<()> {
        let request = BurstRequest { first, count, round };
        self.requests.send(request).ok().context("the sender has ended")?;
        self.done.recv().context("the sender has ended")?.context("can't send")
    }
}

fn send(
    fleet: &SyntheticFleet,
    boot_key: &ChallengeKey,
    socket: &UdpSocket,
    request: &BurstRequest,
) -> io::Result<()> {
    // Acks to the previous burst are discarded: the acks to this one need the room.
    while socket.recv(&mut [0; 256]).is_ok() {}
    let BeatRound { sequence, echo_ms, payload } = request.round;
    let step_ms = step_ms(INTERVAL_MS);
    let mut datagram = Vec::new();
    for nth in request.first..request.first + request.count {
        let agent = fleet.agent(nth);
        let (name, session) = (synthetic_fleet::name(agent), synthetic_fleet::session(agent));
        let challenge = boot_key.challenge(&name, session, echo_ms / step_ms, step_ms);
        let applied = DesiredState::default();
        let fields = BeatFields { sequence, challenge, applied, payload };
        fleet.write_beat(agent, fields, &mut datagram);
        socket.send(&datagram)?;
    }
    Ok(())
}
