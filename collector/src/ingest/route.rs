//! The routes by which answers leave: through the socket, and from the local address, that were asked.
//!
//! A socket that is bound to the wildcard address receives on every address of the machine, and sends
//! from the one that the kernel chooses. An agent takes answers from the address alone that it sent to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};

/// A local address that a datagram was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LocalAddress {
    ip: IpAddr,
    /// The interface of a link-local address, which means nothing without it; otherwise 0.
    interface: u32,
}

impl LocalAddress {
    /// Returns the address from which to answer a datagram of IPv4; of one to a broadcast address, the
    /// interface's own.
    pub(super) fn from_ipv4(info: &in_pktinfo) -> Self {
        let ip = Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr));
        Self { ip: ip.into(), interface: 0 }
    }

    /// Returns the address from which to answer a datagram of IPv6; `None` for one to a group.
    pub(super) fn from_ipv6(info: &in6_pktinfo) -> Option<Self> {
        let ip = Ipv6Addr::from(info.ipi6_addr.s6_addr);
        let interface = if ip.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
        (!ip.is_multicast()).then_some(Self { ip: ip.into(), interface })
    }

    /// Returns the control message that makes the kernel send from here.
    pub(super) fn packet_info(self) -> PacketInfo {
        let unset = in_addr { s_addr: 0 };
        match self.ip {
            IpAddr::V4(ip) => PacketInfo::Ipv4(in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: in_addr { s_addr: u32::from(ip).to_be() },
                ipi_addr: unset,
            }),
            IpAddr::V6(ip) => PacketInfo::Ipv6(in6_pktinfo {
                ipi6_addr: in6_addr { s6_addr: ip.octets() },
                ipi6_ifindex: self.interface,
            }),
        }
    }
}

/// The content of a control message with a source address.
pub(super) enum PacketInfo {
    Ipv4(in_pktinfo),
    Ipv6(in6_pktinfo),
}

/// A socket, and the local address to send from if the socket has many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) socket: u8,
    pub(super) local: Option<LocalAddress>,
}

/// Routes by number: a byte is kept for each agent, and not an address.
///
/// The first ones are those of the sockets alone. There is room for all addresses of a machine; one
/// whose addresses change all the time loses the route that was unused for longest, whose agents
/// have long sent to another address.
#[derive(Debug)]
pub(super) struct RouteTable {
    routes: Vec<Route>,
    /// The batch in which a route was used last.
    used: Vec<u64>,
    batch: u64,
    sockets: usize,
}

/// Routes that a `u8` can number.
const ROUTES_MAX: usize = 256;

impl RouteTable {
    /// Creates the table of so many sockets.
    pub(super) fn new(sockets: usize) -> Self {
        let routes: Vec<Route> = (0..sockets.min(ROUTES_MAX))
            .map(|socket| Route { socket: socket as u8, local: None })
            .collect();
        Self { used: vec![0; routes.len()], sockets: routes.len(), routes, batch: 0 }
    }

    /// Begins a batch of datagrams.
    pub(super) fn begin_batch(&mut self) {
        self.batch += 1;
    }

    /// Returns the number of a route, which is new if it was not known.
    pub(super) fn number(&mut self, route: Route) -> u8 {
        let number = match self.routes.iter().position(|known| *known == route) {
            Some(number) => number,
            None if self.routes.len() < ROUTES_MAX => {
                self.routes.push(route);
                self.used.push(0);
                self.routes.len() - 1
            }
            None => {
                let replaceable =
                    (self.sockets..ROUTES_MAX).min_by_key(|&number| self.used[number]);
                let number = replaceable.unwrap_or(usize::from(route.socket));
                if number >= self.sockets {
                    self.routes[number] = route;
                }
                number
            }
        };
        self.used[number] = self.batch;
        number as u8
    }

    /// Returns the route with a number that [`Self::number`] gave.
    pub(super) fn route(&self, number: u8) -> Option<Route> {
        self.routes.get(usize::from(number)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(n: u32) -> Option<LocalAddress> {
        Some(LocalAddress { ip: Ipv4Addr::from(0x0a00_0000 + n).into(), interface: 0 })
    }

    #[test]
    fn routes_keep_their_numbers_and_the_longest_unused_one_is_replaced() {
        let mut table = RouteTable::new(2);
        let route = |n| Route { socket: 1, local: local(n) };
        assert_eq!(table.number(Route { socket: 1, local: None }), 1);
        for n in 0..254 {
            table.begin_batch();
            assert_eq!(usize::from(table.number(route(n))), 2 + n as usize);
        }
        table.begin_batch();
        assert_eq!(table.number(route(0)), 2, "it is used again");
        table.begin_batch();
        assert_eq!(table.number(route(254)), 3, "in place of the second");
        assert_eq!(table.route(3), Some(route(254)));
        assert_eq!(table.route(0), Some(Route { socket: 0, local: None }), "never replaced");
    }

    #[test]
    fn a_link_local_address_keeps_its_interface() {
        let info = |ip: &str| in6_pktinfo {
            ipi6_addr: in6_addr { s6_addr: ip.parse::<Ipv6Addr>().unwrap().octets() },
            ipi6_ifindex: 7,
        };
        for (ip, interface) in [("fe80::1", 7), ("2001:db8::1", 0)] {
            let local = LocalAddress::from_ipv6(&info(ip)).unwrap();
            let PacketInfo::Ipv6(sent) = local.packet_info() else { panic!("{ip} is IPv6") };
            assert_eq!((sent.ipi6_addr, sent.ipi6_ifindex), (info(ip).ipi6_addr, interface));
        }
        assert_eq!(LocalAddress::from_ipv6(&info("ff02::1")), None);
    }
}
