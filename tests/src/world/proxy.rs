//! A bad network: a UDP proxy between agents and the collector, whose faults follow from a seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fastrand::Rng;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::time::Instant;

use crate::random::RngExt as _;

/// Most datagrams that are recorded.
const RECORDED_MAX: usize = 50_000;

/// How often the proxy looks whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What happens to datagrams, in each direction.
#[derive(Clone, Debug)]
pub struct Weather {
    /// So many in a thousand are lost.
    pub loss: u64,
    /// So many in a thousand arrive twice.
    pub duplicates: u64,
    /// How long they take, in ms: where this varies, they overtake each other.
    pub delay_ms: RangeInclusive<u64>,
    /// Whether the collector's answers get through at all.
    pub answers: Answers,
}

/// Whether the collector's answers get through at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// They do.
    Pass,
    /// None does.
    Vanish,
}

/// The proxy. It ends when dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    stop: AtomicBool,
    control: Mutex<Control>,
}

struct Control {
    weather: Weather,
    collector: SocketAddr,
    recorded: Vec<Vec<u8>>,
}

impl Weather {
    /// Everything arrives, once, at once.
    pub const FINE: Self = Self { loss: 0, duplicates: 0, delay_ms: 0..=0, answers: Answers::Pass };
    /// A quarter is lost, a fifth comes twice, all of it out of order.
    pub const STORM: Self =
        Self { loss: 250, duplicates: 200, delay_ms: 0..=40, answers: Answers::Pass };
    /// Beats arrive, answers do not.
    pub const ONE_WAY: Self =
        Self { loss: 0, duplicates: 0, delay_ms: 0..=0, answers: Answers::Vanish };
    /// Nothing arrives.
    pub const CUT: Self =
        Self { loss: 1_000, duplicates: 0, delay_ms: 0..=0, answers: Answers::Vanish };
}

impl Proxy {
    /// A proxy in front of a collector, with fine weather.
    ///
    /// # Panics
    /// If there is no port to be had.
    #[must_use]
    pub fn start(collector: SocketAddr, seed: u64) -> Self {
        let front = any_port().expect("a port can be had");
        let address = front.local_addr().expect("a bound socket has an address");
        let control = Control { weather: Weather::FINE, collector, recorded: Vec::new() };
        let shared =
            Arc::new(Shared { stop: AtomicBool::new(false), control: Mutex::new(control) });
        let network = Network {
            front,
            backs: Vec::new(),
            under_way: BinaryHeap::new(),
            count: 0,
            rng: Rng::with_seed(seed),
            shared: Arc::clone(&shared),
        };
        let thread = thread::spawn(move || network.run().expect("loopback works"));
        Self { address, shared, thread: Some(thread) }
    }

    /// Where agents send to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the network conditions.
    pub fn set_weather(&self, weather: Weather) {
        self.shared.control().weather = weather;
    }

    /// Says where the collector is now.
    pub fn set_collector(&self, collector: SocketAddr) {
        self.shared.control().collector = collector;
    }

    /// All that agents have sent so far, in order, whatever became of it.
    #[must_use]
    pub fn recorded(&self) -> Vec<Vec<u8>> {
        self.shared.control().recorded.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the proxy's thread owns.
struct Network {
    /// Faces the agents.
    front: UdpSocket,
    /// For each agent's socket the one that the collector sees in its place.
    backs: Vec<(SocketAddr, UdpSocket)>,
    /// Earliest first.
    under_way: BinaryHeap<Reverse<Packet>>,
    count: u64,
    rng: Rng,
    shared: Arc<Shared>,
}

/// A datagram under way. Ordered by when it arrives, then by when it was sent.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Packet {
    at: Instant,
    number: u64,
    leg: Leg,
    datagram: Vec<u8>,
}

/// Which way, and of which agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Leg {
    Up(usize),
    Down(usize),
}

impl Network {
    fn run(mut self) -> io::Result<()> {
        while !self.shared.stop.load(Ordering::Acquire) {
            self.deliver();
            self.wait()?;
            self.receive();
        }
        Ok(())
    }

    fn wait(&self) -> io::Result<()> {
        let next = self.under_way.peek().map_or(LOOK_EVERY, |Reverse(packet)| {
            packet.at.saturating_duration_since(Instant::now()).min(LOOK_EVERY)
        });
        let timeout = Timespec::try_from(next).map_err(io::Error::other)?;
        let backs = self.backs.iter().map(|(_, back)| back);
        let mut fds: Vec<PollFd<'_>> = [&self.front]
            .into_iter()
            .chain(backs)
            .map(|it| PollFd::new(it, PollFlags::IN))
            .collect();
        poll(&mut fds, Some(&timeout))?;
        Ok(())
    }

    fn receive(&mut self) {
        let mut buffer = [0; 2_048];
        while let Ok((len, agent)) = self.front.recv_from(&mut buffer) {
            let Ok(index) = self.back_of(agent) else { continue };
            let datagram = buffer[..len].to_vec();
            let mut control = self.shared.control();
            if control.recorded.len() < RECORDED_MAX {
                control.recorded.push(datagram.clone());
            }
            drop(control);
            self.send_off(Leg::Up(index), &datagram);
        }
        for index in 0..self.backs.len() {
            while let Ok(len) = self.backs[index].1.recv(&mut buffer) {
                let datagram = buffer[..len].to_vec();
                self.send_off(Leg::Down(index), &datagram);
            }
        }
    }

    fn back_of(&mut self, agent: SocketAddr) -> io::Result<usize> {
        if let Some(index) = self.backs.iter().position(|(known, _)| *known == agent) {
            return Ok(index);
        }
        self.backs.push((agent, any_port()?));
        Ok(self.backs.len() - 1)
    }

    fn send_off(&mut self, leg: Leg, datagram: &[u8]) {
        let weather = self.shared.control().weather.clone();
        if matches!(leg, Leg::Down(_)) && weather.answers == Answers::Vanish {
            return;
        }
        let copies = if self.rng.chance(weather.duplicates) { 2 } else { 1 };
        for _ in 0..copies {
            let delay_ms = self.rng.u64(*weather.delay_ms.start()..=*weather.delay_ms.end());
            if !self.rng.chance(weather.loss) {
                self.count += 1;
                let at = Instant::now() + Duration::from_millis(delay_ms);
                let (number, datagram) = (self.count, datagram.to_vec());
                self.under_way.push(Reverse(Packet { at, number, leg, datagram }));
            }
        }
    }

    fn deliver(&mut self) {
        let now = Instant::now();
        while self.under_way.peek().is_some_and(|Reverse(packet)| packet.at <= now) {
            let Some(Reverse(Packet { leg, datagram, .. })) = self.under_way.pop() else { return };
            // A datagram that can't be sent is one more that is lost.
            let _ = match leg {
                Leg::Up(index) => {
                    let collector = self.shared.control().collector;
                    self.backs[index].1.send_to(&datagram, collector)
                }
                Leg::Down(index) => self.front.send_to(&datagram, self.backs[index].0),
            };
        }
    }
}

fn any_port() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
