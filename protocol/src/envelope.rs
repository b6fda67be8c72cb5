//! Envelope of every message (`SPEC.md`, "Envelope"): header, body, authentication tag.

use crate::key::{AgentKey, Direction, KeyEpoch, is_boundary};
use crate::limits::{
    AGENT_MAX, CHALLENGE_LEN, DATAGRAM_MAX, HEADER_FIXED, HEADER_TAIL, OVERHEAD, TAG_LEN,
};
use crate::name;

/// Magic and version, the first four bytes of every datagram.
pub const MAGIC: [u8; 4] = *b"HLN1";

/// Type of a message. The high bit is the direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MessageType {
    /// Agent to collector: vitals and work.
    Beat = 0x01,
    /// Agent to collector: orderly end of the session.
    Goodbye = 0x02,
    /// Supervisor to collector: exit status of the process.
    ExitReport = 0x03,
    /// Collector to agent: answer to one beat, goodbye or exit report.
    Ack = 0x81,
    /// Collector to agent: the desired state has changed.
    Push = 0x82,
}

impl MessageType {
    /// All types.
    pub const ALL: [Self; 5] = [Self::Beat, Self::Goodbye, Self::ExitReport, Self::Ack, Self::Push];

    /// Returns whether messages of this type go from agent to collector.
    pub fn is_upward(self) -> bool {
        (self as u8) & 0x80 == 0
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|&kind| kind as u8 == byte)
    }
}

/// Error of a received datagram. Each is counted; none is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum DatagramError {
    /// Shorter than the smallest message, or longer than 1,200 bytes.
    #[error("its length is outside what a message can have")]
    BadLength,
    /// The first four bytes are not `HLN1`.
    #[error("it does not start with HLN1")]
    BadMagic,
    /// The type is unknown to this version, or of the other direction.
    #[error("its type is unknown or of the wrong direction")]
    BadKind,
    /// The body length does not equal what remains.
    #[error("its body length is not what remains")]
    BadBodyLength,
    /// The agent id is empty, too long or has invalid characters.
    #[error("its agent id is not valid")]
    BadAgent,
    /// The scope does not end at a boundary of the agent id.
    #[error("its scope does not cover its agent id")]
    BadScope,
    /// The sequence is 0.
    #[error("its sequence is 0")]
    BadSequence,
    /// No valid key has this epoch.
    #[error("its key epoch is unknown")]
    UnknownEpoch,
    /// The scope or agent has been revoked.
    #[error("its key has been revoked")]
    Revoked,
    /// The authentication tag is wrong.
    #[error("its tag is wrong")]
    BadTag,
    /// The body is not a MessagePack array of the fields of its type.
    #[error("its body is malformed: {0}")]
    BadBody(crate::wire::DecodeError),
}

/// Header of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Type of the message.
    pub kind: MessageType,
    /// Epoch of the master key.
    pub epoch: KeyEpoch,
    /// Length of the key's scope, as a prefix of the agent id.
    pub scope_len: u8,
    /// Id of the agent, validated.
    pub agent: &'a str,
    /// Session of the emitter: random at each start.
    pub session: u64,
    /// Number of the message in its session, from 1; in an ack, the number of the message answered.
    pub sequence: u64,
    /// From an agent the newest challenge received (zeros before the first); in an ack the current
    /// one.
    pub challenge: [u8; CHALLENGE_LEN],
}

impl Header<'_> {
    /// Returns the key's scope: a prefix of the agent id.
    pub fn scope(&self) -> &str {
        &self.agent[..usize::from(self.scope_len)]
    }
}

/// Datagram with valid framing, not authenticated yet.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    header: Header<'a>,
    bytes: &'a [u8],
    body_at: usize,
}

/// Authenticated datagram: the only type that can be decoded.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedDatagram<'a> {
    /// Authenticated header.
    pub header: Header<'a>,
    body: &'a [u8],
    tag_prefix: u32,
}

impl<'a> Datagram<'a> {
    /// Parses the framing of a received datagram.
    ///
    /// # Errors
    /// The first [`DatagramError`] that applies, in the order of the header's fields.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DatagramError> {
        if bytes.len() <= OVERHEAD || bytes.len() > DATAGRAM_MAX {
            return Err(DatagramError::BadLength);
        }
        if bytes[..4] != MAGIC {
            return Err(DatagramError::BadMagic);
        }
        let kind = MessageType::from_byte(bytes[4]).ok_or(DatagramError::BadKind)?;
        let epoch = KeyEpoch(bytes[5]);
        let body_len = usize::from(u16::from_be_bytes([bytes[6], bytes[7]]));
        let (scope_len, agent_len) = (bytes[8], usize::from(bytes[9]));
        if agent_len == 0 || agent_len > AGENT_MAX {
            return Err(DatagramError::BadAgent);
        }
        if bytes.len() != OVERHEAD + agent_len + body_len {
            return Err(DatagramError::BadBodyLength);
        }
        let (agent, tail) = bytes[HEADER_FIXED..].split_at(agent_len);
        let agent = name::check(agent).map_err(|_| DatagramError::BadAgent)?;
        if !is_boundary(agent, usize::from(scope_len)) {
            return Err(DatagramError::BadScope);
        }
        let sequence = u64::from_be_bytes(tail[8..16].try_into().expect("8 bytes"));
        if sequence == 0 {
            return Err(DatagramError::BadSequence);
        }
        let header = Header {
            kind,
            epoch,
            scope_len,
            agent,
            session: u64::from_be_bytes(tail[..8].try_into().expect("8 bytes")),
            sequence,
            challenge: tail[16..HEADER_TAIL].try_into().expect("16 bytes"),
        };
        Ok(Self { header, bytes, body_at: HEADER_FIXED + agent_len + HEADER_TAIL })
    }

    /// Checks the direction of the message.
    ///
    /// # Errors
    /// [`DatagramError::BadKind`].
    pub fn check_direction(self, direction: Direction) -> Result<Self, DatagramError> {
        let upward = direction == Direction::Up;
        if self.header.kind.is_upward() == upward { Ok(self) } else { Err(DatagramError::BadKind) }
    }

    /// Returns the header, not authenticated: for finding the key, and nothing else.
    pub fn claimed(&self) -> &Header<'a> {
        &self.header
    }

    /// Verifies the tag over all bytes before it, in constant time.
    ///
    /// # Errors
    /// [`DatagramError::BadTag`].
    pub fn verify(self, key: &AgentKey) -> Result<VerifiedDatagram<'a>, DatagramError> {
        let (covered, tag) = self.bytes.split_at(self.bytes.len() - TAG_LEN);
        if !key.verify(covered, tag) {
            return Err(DatagramError::BadTag);
        }
        let tag_prefix = tag.first_chunk().map_or(0, |first| u32::from_be_bytes(*first));
        Ok(VerifiedDatagram { header: self.header, body: &covered[self.body_at..], tag_prefix })
    }
}

impl<'a> VerifiedDatagram<'a> {
    /// Returns the bytes of the body.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Returns the first four bytes of the tag: different ones are of different messages.
    pub fn tag_prefix(&self) -> u32 {
        self.tag_prefix
    }
}

/// Writes a datagram into the caller's buffer: header, then the caller's body, then length and tag.
pub struct DatagramWriter<'b> {
    out: &'b mut Vec<u8>,
    body_at: usize,
}

/// Error: the datagram would be longer than [`DATAGRAM_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a datagram of {0} bytes is over the limit of 1200")]
pub struct DatagramTooLong(pub usize);

impl<'b> DatagramWriter<'b> {
    /// Clears `out` and writes the header. `header.agent` must be a valid id.
    pub fn new(out: &'b mut Vec<u8>, header: &Header<'_>) -> Self {
        debug_assert!(name::check(header.agent.as_bytes()).is_ok());
        out.clear();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[header.kind as u8, header.epoch.0, 0, 0, header.scope_len]);
        out.push(header.agent.len() as u8);
        out.extend_from_slice(header.agent.as_bytes());
        out.extend_from_slice(&header.session.to_be_bytes());
        out.extend_from_slice(&header.sequence.to_be_bytes());
        out.extend_from_slice(&header.challenge);
        let body_at = out.len();
        Self { out, body_at }
    }

    /// Returns the buffer, for the body to be appended.
    pub fn body(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Completes the datagram with the length of its body and its tag.
    ///
    /// # Errors
    /// [`DatagramTooLong`] when the datagram would be over the limit; the buffer is then not a
    /// message.
    pub fn seal(self, key: &AgentKey) -> Result<(), DatagramTooLong> {
        let total = self.out.len() + TAG_LEN;
        if total > DATAGRAM_MAX {
            return Err(DatagramTooLong(total));
        }
        let body_len = (self.out.len() - self.body_at) as u16;
        self.out[6..8].copy_from_slice(&body_len.to_be_bytes());
        let tag = key.sign(self.out);
        self.out.extend_from_slice(&tag);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn key() -> AgentKey {
        AgentKey::new(&[7; 32])
    }

    fn sealed(header: &Header<'_>, body: &[u8]) -> Result<Vec<u8>, DatagramTooLong> {
        let mut datagram = Vec::new();
        let mut sealer = DatagramWriter::new(&mut datagram, header);
        sealer.body().extend_from_slice(body);
        sealer.seal(&key()).map(|()| datagram)
    }

    proptest! {
        #[test]
        fn a_datagram_survives_the_wire(
            (kind, epoch, whole) in (prop::sample::select(&MessageType::ALL), any::<u8>(), any::<bool>()),
            agent in "[a-z0-9_][a-z0-9._-]{0,62}",
            (session, sequence) in (any::<u64>(), 1..=u64::MAX),
            challenge in any::<[u8; CHALLENGE_LEN]>(),
            body in vec(any::<u8>(), 0..1_200),
        ) {
            let scope_len = if whole { agent.len() as u8 } else { 0 };
            let epoch = KeyEpoch(epoch);
            let header =
                Header { kind, epoch, scope_len, agent: &agent, session, sequence, challenge };
            let total = OVERHEAD + agent.len() + body.len();
            match sealed(&header, &body) {
                Err(DatagramTooLong(length)) => prop_assert!(length == total && total > DATAGRAM_MAX),
                Ok(datagram) => {
                    prop_assert_eq!(datagram.len(), total);
                    let verified = Datagram::parse(&datagram).unwrap().verify(&key()).unwrap();
                    prop_assert_eq!(verified.header, header);
                    prop_assert_eq!(verified.body(), &body[..]);
                }
            }
        }

        #[test]
        fn any_bytes_are_refused(mut bytes in vec(any::<u8>(), 0..1_300), begins in any::<bool>()) {
            if begins && bytes.len() > 10 {
                bytes[..5].copy_from_slice(b"HLN1\x01");
            }
            let refused = Datagram::parse(&bytes).and_then(|datagram| datagram.verify(&key()));
            prop_assert!(refused.is_err());
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused() {
        let header = Header {
            kind: MessageType::Beat,
            epoch: KeyEpoch(1),
            scope_len: 5,
            agent: "mail.3",
            session: 0x5be1_0c4f_92d7_3a68,
            sequence: 7,
            challenge: [9; CHALLENGE_LEN],
        };
        let datagram = sealed(&header, &[0x91, 0x00]).unwrap();
        for bit in 0..datagram.len() * 8 {
            let mut flipped = datagram.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let refused = Datagram::parse(&flipped).and_then(|datagram| datagram.verify(&key()));
            assert!(refused.is_err(), "bit {bit} went unnoticed");
        }
    }
}
