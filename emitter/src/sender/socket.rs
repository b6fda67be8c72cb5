//! Socket to one collector.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use heartline_engine::CollectorAddress;

use super::lookup::AddressLookup;
use super::waker::SenderWaker;
use crate::problem::EmitterProblem;

/// UDP socket to the collector, connected to one of its addresses.
///
/// 1. An address that refuses a message is left for the next one at once, until each has had it.
/// 2. An address that was never heard from is left with the next message.
/// 3. A socket that can't send any more, as after a change of the own address, is opened anew at
///    once.
/// 4. Where answers are missing for long, the name is looked up again. Until that succeeds, and
///    if it does not, the addresses of before are used.
#[derive(Debug)]
pub(super) struct CollectorSocket {
    lookup: AddressLookup,
    /// What the last successful look-up has found.
    addresses: Vec<SocketAddr>,
    current: usize,
    socket: Option<UdpSocket>,
    /// Whether something was received from the current address.
    has_answered: bool,
    /// The last message, while nothing was received after it.
    unanswered: Vec<u8>,
    /// Number of addresses that have refused it, or could not be sent to.
    failures: usize,
    /// Whether the name was looked up because all addresses failed, since something was received.
    has_searched: bool,
    problem: Option<EmitterProblem>,
}

impl CollectorSocket {
    pub(super) fn new(collector: CollectorAddress, waker: Arc<SenderWaker>) -> Self {
        Self {
            lookup: AddressLookup::new(collector, waker),
            addresses: Vec::new(),
            current: 0,
            socket: None,
            has_answered: false,
            unanswered: Vec::new(),
            failures: 0,
            has_searched: false,
            problem: None,
        }
    }

    pub(super) fn collector(&self) -> &CollectorAddress {
        self.lookup.collector()
    }

    /// Returns the open socket, to wait for.
    pub(super) fn socket(&self) -> Option<&UdpSocket> {
        self.socket.as_ref()
    }

    /// Returns the collector's address that is in use, once its name was looked up.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.addresses.get(self.current).copied()
    }

    /// Returns the last problem; `None` once something was received.
    pub(super) fn problem(&self) -> Option<&EmitterProblem> {
        self.problem.as_ref()
    }

    /// Sends a message. What can't be sent is lost, and is a problem.
    pub(super) fn send(&mut self, datagram: &[u8]) {
        let is_unheard = !self.has_answered && !self.unanswered.is_empty();
        if is_unheard && self.failures == 0 && self.addresses.len() > 1 {
            self.use_next_address();
        }
        self.unanswered.clear();
        self.unanswered.extend_from_slice(datagram);
        self.failures = 0;
        self.transmit();
    }

    /// Receives a datagram, if one is queued.
    pub(super) fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        match self.socket.as_ref()?.recv(buffer) {
            Ok(len) => {
                self.problem = None;
                self.has_answered = true;
                self.has_searched = false;
                self.unanswered.clear();
                Some(&buffer[..len])
            }
            Err(error) => {
                match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::Interrupted => {}
                    ErrorKind::ConnectionRefused => {
                        self.fail("reach", &error);
                        self.on_refused();
                    }
                    _ => self.fail("receive from", &error),
                }
                None
            }
        }
    }

    /// Looks the collector's name up again, and goes on with its next address.
    pub(super) fn reopen(&mut self) {
        self.use_next_address();
        self.lookup.start();
        self.poll_lookup();
    }

    /// Takes over what a look-up has found, and sends the last message there.
    pub(super) fn poll_lookup(&mut self) {
        match self.lookup.poll() {
            None => {}
            Some(Ok(found)) => {
                let peer = self.addresses.get(self.current);
                let same = peer.and_then(|peer| found.iter().position(|address| address == peer));
                self.addresses = found;
                self.current = same.unwrap_or(0);
                if same.is_none() {
                    (self.socket, self.has_answered, self.failures) = (None, false, 0);
                    self.transmit();
                }
            }
            Some(Err(reason)) => {
                let collector = self.collector().to_string();
                self.problem = Some(EmitterProblem::Unresolved { collector, reason });
            }
        }
    }

    /// Sends the last message to the current address, or to the next one that takes it.
    fn transmit(&mut self) {
        if self.unanswered.is_empty() {
            return;
        }
        if self.addresses.is_empty() {
            self.lookup.start();
            // An address in digits is known by now; a name's look-up comes back here at its end.
            return self.poll_lookup();
        }
        while self.failures < self.addresses.len() {
            let was_open = self.socket.is_some();
            let Err(error) = self.try_send() else { return };
            self.socket = None;
            let is_refused = error.kind() == ErrorKind::ConnectionRefused;
            self.fail(if is_refused { "reach" } else { "send to" }, &error);
            // Refused is the error of an earlier message; any other one is that of a stale socket.
            if was_open && (!is_refused || self.addresses.len() == 1) {
                continue;
            }
            self.on_failed_address();
        }
    }

    fn try_send(&mut self) -> io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => connect(self.addresses[self.current])?,
        };
        self.socket.insert(socket).send(&self.unanswered).map(|_| ())
    }

    /// Sends the last message to the next address, unless each has refused it.
    fn on_refused(&mut self) {
        if !self.unanswered.is_empty() {
            self.on_failed_address();
            self.transmit();
        }
    }

    /// Goes on to the next address; after the last one, looks for others, once an outage.
    fn on_failed_address(&mut self) {
        self.failures += 1;
        if self.addresses.len() > 1 {
            self.use_next_address();
        }
        if self.failures >= self.addresses.len() && !self.has_searched {
            self.has_searched = true;
            self.lookup.start();
        }
    }

    fn use_next_address(&mut self) {
        self.socket = None;
        self.has_answered = false;
        self.current = (self.current + 1) % self.addresses.len().max(1);
    }

    fn fail(&mut self, action: &'static str, error: &io::Error) {
        let (collector, reason) = (self.collector().to_string(), error.to_string());
        self.problem = Some(EmitterProblem::Socket { action, collector, reason });
    }
}

pub(super) fn connect(peer: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    socket.connect(peer)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::net::Shutdown;

    use super::*;

    /// A socket whose name was looked up before, and can't be looked up again.
    fn socket_to(addresses: &[SocketAddr]) -> CollectorSocket {
        let collector = CollectorAddress::parse("nowhere.invalid:4327").unwrap();
        let waker = Arc::new(SenderWaker::new().unwrap());
        let mut socket = CollectorSocket::new(collector, waker);
        socket.addresses = addresses.to_vec();
        socket
    }

    fn listener() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    /// Returns an address at which messages are refused.
    fn refusing() -> SocketAddr {
        listener().1
    }

    fn received(listener: &UdpSocket) -> Vec<u8> {
        let mut buffer = [0; 64];
        let len = listener.recv(&mut buffer).expect("a message arrives");
        buffer[..len].to_vec()
    }

    /// Waits as the sender does, and handles what has come.
    fn turn(socket: &mut CollectorSocket) {
        let fd = socket.socket().expect("it is open");
        let timeout = Timespec { tv_sec: 20, tv_nsec: 0 };
        assert_eq!(poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timeout)), Ok(1));
        assert_eq!(socket.receive(&mut [0; 64]), None);
    }

    #[test]
    fn a_refused_message_goes_to_the_next_address_at_once() {
        let (listener, address) = listener();
        let mut socket = socket_to(&[refusing(), refusing(), address]);
        socket.send(b"beat 1");
        turn(&mut socket);
        turn(&mut socket);
        assert_eq!(received(&listener), b"beat 1");
        socket.send(b"beat 2");
        assert_ne!(received(&listener), b"beat 1", "each message is sent to it once");
    }

    #[test]
    fn a_message_that_all_refuse_is_a_problem_and_is_not_sent_for_ever() {
        let mut socket = socket_to(&[refusing(), refusing()]);
        socket.send(b"beat");
        turn(&mut socket);
        turn(&mut socket);
        assert_eq!(socket.failures, 2);
        assert!(matches!(socket.problem(), Some(EmitterProblem::Socket { action: "reach", .. })));
        assert!(socket.socket().is_none(), "the next message opens the next address");
    }

    #[test]
    fn an_address_that_is_silent_from_the_start_is_left_with_the_next_message() {
        let ((silent, first), (listener, second)) = (listener(), listener());
        let mut socket = socket_to(&[first, second]);
        socket.send(b"beat 1");
        socket.send(b"beat 2");
        assert_eq!((received(&silent), received(&listener)), (b"beat 1".into(), b"beat 2".into()));
    }

    #[test]
    fn a_failed_lookup_keeps_the_addresses_of_before() {
        let (listener, address) = listener();
        let mut socket = socket_to(&[address]);
        socket.reopen();
        let is_unresolved =
            |it: &CollectorSocket| matches!(it.problem(), Some(EmitterProblem::Unresolved { .. }));
        while !is_unresolved(&socket) {
            socket.poll_lookup();
            std::thread::yield_now();
        }
        socket.send(b"beat");
        assert_eq!(received(&listener), b"beat");
    }

    #[test]
    fn a_socket_that_can_not_send_is_opened_anew_for_the_same_message() {
        let (listener, address) = listener();
        let mut socket = socket_to(&[address]);
        socket.send(b"beat 1");
        rustix::net::shutdown(socket.socket().unwrap(), Shutdown::Write).unwrap();
        socket.send(b"beat 2");
        assert_eq!(
            (received(&listener), received(&listener)),
            (b"beat 1".into(), b"beat 2".into())
        );
    }

    #[test]
    fn a_lookup_that_finds_others_moves_there_with_the_last_message() {
        let ((_old, before), (listener, address)) = (listener(), listener());
        let collector = CollectorAddress::parse(&address.to_string()).unwrap();
        let waker = Arc::new(SenderWaker::new().unwrap());
        let mut socket = CollectorSocket::new(collector, waker);
        socket.addresses = vec![before];
        socket.send(b"beat");
        socket.reopen();
        assert_eq!(received(&listener), b"beat");
    }
}
