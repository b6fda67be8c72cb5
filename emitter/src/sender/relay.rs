//! Relay of datagrams between a collector and emitters that speak for other agents.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};

use heartline_protocol::limits::DATAGRAM_MAX;
use heartline_protocol::{Datagram, Direction};

use super::socket::connect;

/// Most sessions whose answers find their way back.
const ROUTES_MAX: usize = 1_024;
/// Most answers that are delivered in one turn.
const BATCH: usize = 256;

/// Relays datagrams as they are, and their answers to where they came from.
#[derive(Debug, Default)]
pub(super) struct DatagramRelay {
    /// Connected to the collector.
    upstream: Option<(SocketAddr, UdpSocket)>,
    routes: BTreeMap<(String, u64), Route>,
    /// Datagrams so far.
    forwarded: u64,
}

#[derive(Debug)]
struct Route {
    to: SocketAddr,
    /// Number of its last datagram.
    last: u64,
}

impl DatagramRelay {
    /// Returns the open socket, to wait for.
    pub(super) fn socket(&self) -> Option<&UdpSocket> {
        self.upstream.as_ref().map(|(_, socket)| socket)
    }

    /// Sends a datagram of `from` to the collector.
    pub(super) fn forward(
        &mut self,
        datagram: &Datagram<'_>,
        bytes: &[u8],
        from: SocketAddr,
        peer: SocketAddr,
    ) {
        self.forwarded += 1;
        let route = Route { to: from, last: self.forwarded };
        let claimed = datagram.claimed();
        self.routes.insert((claimed.agent.to_owned(), claimed.session), route);
        if self.routes.len() > ROUTES_MAX
            && let Some(oldest) = self.routes.iter().min_by_key(|(_, route)| route.last)
        {
            let oldest = oldest.0.clone();
            self.routes.remove(&oldest);
        }
        if self.upstream.as_ref().is_none_or(|(connected, _)| *connected != peer) {
            self.upstream = connect(peer).ok().map(|socket| (peer, socket));
        }
        if let Some((_, socket)) = &self.upstream
            && socket.send(bytes).is_err()
        {
            // Lost, as in any network; the next one opens the socket anew.
            self.upstream = None;
        }
    }

    /// Delivers the answers that have come, from the socket that they were asked at.
    pub(super) fn deliver_answers(&mut self, local: &UdpSocket) {
        let Some((_, upstream)) = &self.upstream else { return };
        let mut buffer = [0; DATAGRAM_MAX + 1];
        for _ in 0..BATCH {
            let Ok(len) = upstream.recv(&mut buffer) else { return };
            let datagram = Datagram::parse(&buffer[..len]);
            let Ok(datagram) = datagram.and_then(|it| it.check_direction(Direction::Down)) else {
                continue;
            };
            let claimed = datagram.claimed();
            if let Some(route) = self.routes.get(&(claimed.agent.to_owned(), claimed.session)) {
                // An answer that can't be sent is lost, as in any network.
                let _ = local.send_to(&buffer[..len], route.to);
            }
        }
    }
}
