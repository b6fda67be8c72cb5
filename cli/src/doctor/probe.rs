//! A signed probe, sent as an agent would send it.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use heartline_engine::{AgentKeys, Engine, EngineConfig, InMemoryMetrics, MonoNanos};
use heartline_protocol::{AgentName, Datagram, Direction, Token};

use crate::clock;

/// Most attempts: one may be lost.
pub(super) const ATTEMPTS: u32 = 3;
/// Limit of each attempt.
const TIMEOUT: Duration = Duration::from_millis(700);
/// Longer than any datagram of the protocol.
const BUFFER: usize = 2_048;

/// The outcome of a probe.
#[derive(Debug)]
pub(super) enum ProbeOutcome {
    /// The collector's answer, signed with the same key, came after this time.
    Answered(Duration),
    /// Nothing listens on the port.
    Refused,
    Unanswered,
    /// A collector of another version of the protocol answered.
    OtherVersion(char),
    /// Something that speaks another protocol answered.
    Foreign,
    /// It could not be sent.
    Failed(String),
}

/// Sends beats until one is answered.
pub(super) fn send(address: SocketAddr, token: &Token, name: &AgentName) -> ProbeOutcome {
    attempt(address, token, name).unwrap_or_else(ProbeOutcome::Failed)
}

fn attempt(address: SocketAddr, token: &Token, name: &AgentName) -> Result<ProbeOutcome, String> {
    let said = |error: std::io::Error| error.to_string();
    let keys = AgentKeys::new(token, name).map_err(|error| error.to_string())?;
    let local: SocketAddr = match address {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(local).map_err(said)?;
    socket.connect(address).map_err(said)?;
    for _ in 0..ATTEMPTS {
        // A session of its own for each, so that every answer is to the attempt that waits for it.
        let session = getrandom::u64().map_err(io::Error::from).map_err(said)?;
        let mut engine = Engine::new(EngineConfig::new(name.clone(), keys.clone(), session), now());
        let mut datagram = Vec::new();
        engine.poll_transmit(now(), &mut InMemoryMetrics::default(), &mut datagram);
        let sent = clock::now();
        match socket.send(&datagram) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                return Ok(ProbeOutcome::Refused);
            }
            Err(error) => return Err(error.to_string()),
        }
        match answer(&socket, &mut engine, sent)? {
            ProbeOutcome::Unanswered => {}
            outcome => return Ok(outcome),
        }
    }
    Ok(ProbeOutcome::Unanswered)
}

/// Returns who answers, if it is no collector of our version.
fn stranger(bytes: &[u8]) -> Option<ProbeOutcome> {
    match bytes {
        [b'H', b'L', b'N', version, ..] if *version != b'1' => {
            Some(ProbeOutcome::OtherVersion(char::from(*version)))
        }
        _ => {
            let answer = Datagram::parse(bytes).and_then(|it| it.check_direction(Direction::Down));
            answer.is_err().then_some(ProbeOutcome::Foreign)
        }
    }
}

/// Waits for the answer to what was just sent.
fn answer(socket: &UdpSocket, engine: &mut Engine, sent: Duration) -> Result<ProbeOutcome, String> {
    let mut buffer = [0; BUFFER];
    loop {
        let Some(left) = (sent + TIMEOUT).checked_sub(clock::now()).filter(|left| !left.is_zero())
        else {
            return Ok(ProbeOutcome::Unanswered);
        };
        socket.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
        match socket.recv(&mut buffer) {
            Ok(len) => {
                let heard = engine.handle_datagram(&buffer[..len], now());
                if heard.is_ok() && engine.last_answer().is_some() {
                    return Ok(ProbeOutcome::Answered(clock::now() - sent));
                }
                if let Some(stranger) = stranger(&buffer[..len]) {
                    return Ok(stranger);
                }
            }
            Err(error) => match error.kind() {
                ErrorKind::ConnectionRefused => return Ok(ProbeOutcome::Refused),
                ErrorKind::WouldBlock | ErrorKind::TimedOut => return Ok(ProbeOutcome::Unanswered),
                ErrorKind::Interrupted => {}
                _ => return Err(error.to_string()),
            },
        }
    }
}

fn now() -> MonoNanos {
    MonoNanos::new(u64::try_from(clock::now().as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use heartline_protocol::{KeyEpoch, MasterKey, TokenScope};

    use super::*;

    #[test]
    fn a_closed_port_is_told_from_silence() {
        let key = MasterKey::new([7; 32]).scope_key(KeyEpoch(1), "");
        let token = Token { epoch: KeyEpoch(1), scope: TokenScope::new("").unwrap(), key };
        let name = AgentName::new("probe").unwrap();
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        drop(taken);
        assert!(matches!(send(address, &token, &name), ProbeOutcome::Refused));
        let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(matches!(
            send(mute.local_addr().unwrap(), &token, &name),
            ProbeOutcome::Unanswered
        ));
    }

    #[test]
    fn an_answer_of_something_else_is_told_from_a_collectors() {
        assert!(matches!(stranger(b"HLN2 and more"), Some(ProbeOutcome::OtherVersion('2'))));
        assert!(matches!(stranger(b"\0\x1c\x81\x80 DNS"), Some(ProbeOutcome::Foreign)));
        assert!(matches!(stranger(b""), Some(ProbeOutcome::Foreign)));
    }
}
