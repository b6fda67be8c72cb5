//! Where an agent was last heard from, in three quarters of the bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::input::ReturnAddress;

/// A [`ReturnAddress`] as it is kept for each agent. The flow label of IPv6, which nobody answers by, is
/// left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackedReturnAddress {
    ip: [u8; 16],
    scope_id: u32,
    port: u16,
    via: u8,
    is_v4: bool,
}

impl From<ReturnAddress> for PackedReturnAddress {
    fn from(path: ReturnAddress) -> Self {
        let mut ip = [0; 16];
        let scope_id = match path.peer {
            SocketAddr::V4(peer) => {
                ip[..4].copy_from_slice(&peer.ip().octets());
                0
            }
            SocketAddr::V6(peer) => {
                ip = peer.ip().octets();
                peer.scope_id()
            }
        };
        Self { ip, scope_id, port: path.peer.port(), via: path.via, is_v4: path.peer.is_ipv4() }
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
    fn a_path_survives_its_packing() {
        for peer in ["10.0.0.7:4327", "[2001:db8::7]:9", "[fe80::1%3]:4327"] {
            let path = ReturnAddress { peer: peer.parse().expect("an address"), via: 2 };
            assert_eq!(ReturnAddress::from(PackedReturnAddress::from(path)), path);
        }
    }
}
