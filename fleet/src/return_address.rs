//! The address that an agent's answers go to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Where a datagram came from, and where its answer goes: the peer, and by which of the collector's
/// routes (socket and local address), since an agent takes answers only from the address that it sent
/// to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnAddress {
    pub peer: SocketAddr,
    /// Number of the collector's route.
    pub via: u8,
}

/// A [`ReturnAddress`] in three quarters of the bytes, as it is kept for each agent. IPv6's flow
/// label is left out: no answer needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackedReturnAddress {
    ip: [u8; 16],
    scope_id: u32,
    port: u16,
    via: u8,
    is_v4: bool,
}

impl From<ReturnAddress> for PackedReturnAddress {
    fn from(address: ReturnAddress) -> Self {
        let mut ip = [0; 16];
        let scope_id = match address.peer {
            SocketAddr::V4(peer) => {
                ip[..4].copy_from_slice(&peer.ip().octets());
                0
            }
            SocketAddr::V6(peer) => {
                ip = peer.ip().octets();
                peer.scope_id()
            }
        };
        Self {
            ip,
            scope_id,
            port: address.peer.port(),
            via: address.via,
            is_v4: address.peer.is_ipv4(),
        }
    }
}

impl From<PackedReturnAddress> for ReturnAddress {
    fn from(packed: PackedReturnAddress) -> Self {
        let PackedReturnAddress { ip, scope_id, port, via, is_v4 } = packed;
        let peer = if is_v4 {
            let [a, b, c, d, ..] = ip;
            SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port)
        } else {
            SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(ip), port, 0, scope_id))
        };
        Self { peer, via }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_keeps_an_address() {
        for peer in ["10.0.0.7:4327", "[2001:db8::7]:9", "[fe80::1%3]:4327"] {
            let address = ReturnAddress { peer: peer.parse().expect("an address"), via: 2 };
            assert_eq!(ReturnAddress::from(PackedReturnAddress::from(address)), address);
        }
    }
}
