"""The envelope of every message (`SPEC.md`, section 3)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from .agent_id import AGENT_ID_MAX, is_agent_id, scope_covers
from .digest import Hmac
from .refused import Refused

BEAT, GOODBYE, EXIT_REPORT, ACK, PUSH = 0x01, 0x02, 0x03, 0x81, 0x82
MESSAGE_TYPES = frozenset({BEAT, GOODBYE, EXIT_REPORT, ACK, PUSH})

DATAGRAM_MIN, DATAGRAM_MAX = 75, 1_200
ENVELOPE_LENGTH = 74
SESSION_LENGTH = 8
CHALLENGE_LENGTH = 16
NO_CHALLENGE = bytes(CHALLENGE_LENGTH)

_MAGIC = b"HLN1"
_TAG_LENGTH = 32
_DOWNWARD = 0x80


class Envelope(NamedTuple):
    """The parts of a datagram that nobody has vouched for yet, before its tag is verified."""

    type: int
    epoch: int
    scope_length: int
    agent: str
    session: bytes
    sequence: int
    challenge: bytes
    body: bytes

    @property
    def is_downward(self) -> bool:
        """Whether the message travels from a collector to an agent."""
        return self.type & _DOWNWARD != 0


def seal(envelope: Envelope, key: Hmac) -> bytes:
    """Returns the datagram of an envelope, with its tag."""
    head = struct.pack(
        ">4sBBHBB",
        _MAGIC,
        envelope.type,
        envelope.epoch,
        len(envelope.body),
        envelope.scope_length,
        len(envelope.agent),
    )
    covered = b"".join((
        head,
        envelope.agent.encode(),
        envelope.session,
        envelope.sequence.to_bytes(8, "big"),
        envelope.challenge,
        envelope.body,
    ))  # fmt: skip
    return covered + key.digest(covered)


def parse(data: bytes) -> Envelope:
    """Parses a datagram; raises `Refused` for the first check that fails."""
    if not DATAGRAM_MIN <= len(data) <= DATAGRAM_MAX:
        raise Refused("BadLength", "parse")
    if data[:4] != _MAGIC:
        raise Refused("BadMagic", "parse")
    kind, epoch, body_length, scope_length, n = struct.unpack(">BBHBB", data[4:10])
    if kind not in MESSAGE_TYPES:
        raise Refused("BadKind", "parse")
    if not 1 <= n <= AGENT_ID_MAX:
        raise Refused("BadAgent", "parse")
    if ENVELOPE_LENGTH + n + body_length != len(data):
        raise Refused("BadBodyLength", "parse")
    agent = data[10 : 10 + n].decode("latin-1")
    if not is_agent_id(agent):
        raise Refused("BadAgent", "parse")
    if scope_length > n or not scope_covers(agent[:scope_length], agent):
        raise Refused("BadScope", "parse")
    session, sequence, challenge = struct.unpack(">8sQ16s", data[10 + n : 42 + n])
    if sequence == 0:
        raise Refused("BadSequence", "parse")
    return Envelope(
        kind, epoch, scope_length, agent, session, sequence, challenge, data[42 + n : -_TAG_LENGTH]
    )


def verify(data: bytes, key: Hmac) -> None:
    """Checks the tag of a datagram; raises `Refused`."""
    if not key.verifies(data[:-_TAG_LENGTH], data[-_TAG_LENGTH:]):
        raise Refused("BadTag", "verify")
