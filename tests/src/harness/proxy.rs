//! A UDP proxy between agents and the collector, whose faults follow from a seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
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

/// Largest number of recorded datagrams.
const RECORDED_MAX: usize = 50_000;

/// Longest wait before the proxy checks whether it is to end.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Faults of the network, in both directions.
#[derive(Clone, Debug)]
pub struct NetworkConditions {
    /// Probability of loss, per mille.
    pub loss: u64,
    /// Probability of arriving twice, per mille.
    pub duplicates: u64,
    /// Latency in ms; where it varies, datagrams are reordered.
    pub delay_ms: RangeInclusive<u64>,
    pub acks: AckDelivery,
}

/// What happens to datagrams of the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckDelivery {
    Deliver,
    Drop,
}

/// Numbers of datagrams, in both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProxyCounters {
    /// Datagrams received from either side.
    pub datagrams: u64,
    /// Datagrams of which nothing was passed on.
    pub lost: u64,
    /// Datagrams of which two copies were passed on.
    pub duplicated: u64,
    /// Copies that arrived after one that was sent later.
    pub reordered: u64,
}

/// A running proxy, stopped on drop.
pub struct UdpProxy {
    address: SocketAddr,
    shared: Arc<SharedProxyState>,
    thread: Option<JoinHandle<()>>,
}

struct SharedProxyState {
    stop: AtomicBool,
    control: Mutex<ProxyControl>,
}

struct ProxyControl {
    conditions: NetworkConditions,
    collector: SocketAddr,
    recorded: Vec<Vec<u8>>,
    counters: ProxyCounters,
}

impl NetworkConditions {
    /// No faults.
    pub const RELIABLE: Self =
        Self { loss: 0, duplicates: 0, delay_ms: 0..=0, acks: AckDelivery::Deliver };
    /// A quarter is lost, a fifth arrives twice, and the order is random.
    pub const LOSSY: Self =
        Self { loss: 250, duplicates: 200, delay_ms: 0..=40, acks: AckDelivery::Deliver };
    /// Beats arrive, acks do not.
    pub const ONE_WAY: Self =
        Self { loss: 0, duplicates: 0, delay_ms: 0..=0, acks: AckDelivery::Drop };
    /// Nothing arrives.
    pub const DISCONNECTED: Self =
        Self { loss: 1_000, duplicates: 0, delay_ms: 0..=0, acks: AckDelivery::Drop };
}

impl UdpProxy {
    /// Starts a proxy in front of a collector, without faults.
    ///
    /// # Panics
    /// If there is no port to bind.
    pub fn start(collector: SocketAddr, seed: u64) -> Self {
        let front = bind_any_port().expect("a port can be had");
        let address = front.local_addr().expect("a bound socket has an address");
        let control = ProxyControl {
            conditions: NetworkConditions::RELIABLE,
            collector,
            recorded: Vec::new(),
            counters: ProxyCounters::default(),
        };
        let shared = Arc::new(SharedProxyState {
            stop: AtomicBool::new(false),
            control: Mutex::new(control),
        });
        let proxy = ProxyThread {
            front,
            backs: Vec::new(),
            in_flight: BinaryHeap::new(),
            newest_delivered: BTreeMap::new(),
            count: 0,
            rng: Rng::with_seed(seed),
            shared: Arc::clone(&shared),
        };
        let thread = thread::spawn(move || proxy.run().expect("loopback works"));
        Self { address, shared, thread: Some(thread) }
    }

    /// Returns the address that agents send to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the faults.
    pub fn set_conditions(&self, conditions: NetworkConditions) {
        self.shared.control().conditions = conditions;
    }

    /// Changes the collector's address.
    pub fn set_collector(&self, collector: SocketAddr) {
        self.shared.control().collector = collector;
    }

    /// Returns all datagrams of agents so far, in order, including lost ones.
    pub fn recorded(&self) -> Vec<Vec<u8>> {
        self.shared.control().recorded.clone()
    }

    /// Returns the numbers of datagrams so far.
    pub fn counters(&self) -> ProxyCounters {
        self.shared.control().counters
    }
}

impl Drop for UdpProxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl SharedProxyState {
    fn control(&self) -> MutexGuard<'_, ProxyControl> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// State of the proxy's thread.
struct ProxyThread {
    front: UdpSocket,
    /// For each agent's address, the socket that the collector sees in its place.
    backs: Vec<(SocketAddr, UdpSocket)>,
    in_flight: BinaryHeap<Reverse<DelayedDatagram>>,
    /// Number of the newest datagram that was delivered on each route.
    newest_delivered: BTreeMap<RelayRoute, u64>,
    count: u64,
    rng: Rng,
    shared: Arc<SharedProxyState>,
}

/// A datagram in flight, ordered by time of arrival, then of sending.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct DelayedDatagram {
    at: Instant,
    number: u64,
    route: RelayRoute,
    datagram: Vec<u8>,
}

/// A direction, and the index of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum RelayRoute {
    Up(usize),
    Down(usize),
}

impl ProxyThread {
    fn run(mut self) -> io::Result<()> {
        while !self.shared.stop.load(Ordering::Acquire) {
            self.deliver();
            self.wait()?;
            self.receive();
        }
        Ok(())
    }

    fn wait(&self) -> io::Result<()> {
        let next = self.in_flight.peek().map_or(POLL_INTERVAL, |Reverse(packet)| {
            packet.at.saturating_duration_since(Instant::now()).min(POLL_INTERVAL)
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
            let Ok(index) = self.back_socket(agent) else { continue };
            let datagram = buffer[..len].to_vec();
            let mut control = self.shared.control();
            if control.recorded.len() < RECORDED_MAX {
                control.recorded.push(datagram.clone());
            }
            drop(control);
            self.relay(RelayRoute::Up(index), &datagram);
        }
        for index in 0..self.backs.len() {
            while let Ok(len) = self.backs[index].1.recv(&mut buffer) {
                let datagram = buffer[..len].to_vec();
                self.relay(RelayRoute::Down(index), &datagram);
            }
        }
    }

    fn back_socket(&mut self, agent: SocketAddr) -> io::Result<usize> {
        if let Some(index) = self.backs.iter().position(|(known, _)| *known == agent) {
            return Ok(index);
        }
        self.backs.push((agent, bind_any_port()?));
        Ok(self.backs.len() - 1)
    }

    fn relay(&mut self, route: RelayRoute, datagram: &[u8]) {
        let conditions = self.shared.control().conditions.clone();
        let mut passed_on = 0;
        if matches!(route, RelayRoute::Up(_)) || conditions.acks == AckDelivery::Deliver {
            let copies = if self.rng.chance(conditions.duplicates) { 2 } else { 1 };
            self.count += 1;
            for _ in 0..copies {
                let (min, max) = conditions.delay_ms.clone().into_inner();
                let delay_ms = self.rng.u64(min..=max);
                if !self.rng.chance(conditions.loss) {
                    passed_on += 1;
                    let at = Instant::now() + Duration::from_millis(delay_ms);
                    let (number, datagram) = (self.count, datagram.to_vec());
                    self.in_flight.push(Reverse(DelayedDatagram { at, number, route, datagram }));
                }
            }
        }
        let counters = &mut self.shared.control().counters;
        counters.datagrams += 1;
        counters.lost += u64::from(passed_on == 0);
        counters.duplicated += u64::from(passed_on == 2);
    }

    fn deliver(&mut self) {
        let now = Instant::now();
        while self.in_flight.peek().is_some_and(|Reverse(packet)| packet.at <= now) {
            let Some(Reverse(arrived)) = self.in_flight.pop() else { return };
            let DelayedDatagram { route, datagram, number, .. } = arrived;
            let newest = self.newest_delivered.entry(route).or_default();
            self.shared.control().counters.reordered += u64::from(number < *newest);
            *newest = number.max(*newest);
            // A datagram that can't be sent counts as lost.
            let _ = match route {
                RelayRoute::Up(index) => {
                    let collector = self.shared.control().collector;
                    self.backs[index].1.send_to(&datagram, collector)
                }
                RelayRoute::Down(index) => self.front.send_to(&datagram, self.backs[index].0),
            };
        }
    }
}

fn bind_any_port() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
