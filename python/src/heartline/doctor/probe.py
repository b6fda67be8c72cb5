"""A signed probe to one address of a collector."""

from __future__ import annotations

import _socket
import os
from enum import Enum
from time import monotonic
from typing import NamedTuple

from ..problem import reason
from ..protocol.bodies import INTERVAL_DEFAULT_MS, Beat
from ..protocol.envelope import ACK, BEAT, NO_CHALLENGE, SESSION_LENGTH, Envelope, parse, seal, verify
from ..protocol.keys import AgentKeys
from ..protocol.refused import Refused
from ..sender.lookup import Peer

_TRIES = 3
_TIMEOUT = 0.7
_RECEIVE_MAX = 2_048


class Outcome(Enum):
    """What became of a probe."""

    ANSWERED = "answered"
    UNVERIFIED = "answered by what does not have the key"
    UNANSWERED = "no answer"
    REFUSED = "nothing listens there"
    FAILED = "it can't be sent"


class ProbeResult(NamedTuple):
    """What became of a probe, with its round trip in ms, or why it could not be sent."""

    peer: Peer
    outcome: Outcome
    round_trip_ms: float = 0.0
    reason: str = ""


def send(peer: Peer, agent: str, keys: AgentKeys) -> ProbeResult:
    """Sends a probe, a few times, and waits for its answer."""
    socket = _socket.socket(peer.family, _socket.SOCK_DGRAM)
    try:
        socket.settimeout(_TIMEOUT)
        socket.connect(peer.address)
        outcome, round_trip_ms = _send(socket, agent, keys)
        return ProbeResult(peer, outcome, round_trip_ms)
    except ConnectionRefusedError:
        return ProbeResult(peer, Outcome.REFUSED)
    except OSError as error:
        return ProbeResult(peer, Outcome.FAILED, reason=reason(error))
    finally:
        socket.close()


def _send(socket: _socket.socket, agent: str, keys: AgentKeys) -> tuple[Outcome, float]:
    session, outcome = os.urandom(SESSION_LENGTH), Outcome.UNANSWERED
    for sequence in range(1, _TRIES + 1):
        beat = Envelope(
            type=BEAT,
            epoch=keys.epoch,
            scope_length=keys.scope_length,
            agent=agent,
            session=session,
            sequence=sequence,
            challenge=NO_CHALLENGE,
            body=Beat(INTERVAL_DEFAULT_MS, 0).pack(),
        )
        sent_at = monotonic()
        socket.send(seal(beat, keys.up))
        while (left := sent_at + _TIMEOUT - monotonic()) > 0:
            socket.settimeout(left)
            try:
                answer = socket.recv(_RECEIVE_MAX)
            except TimeoutError:
                break
            if _is_answer(answer, session, keys):
                return Outcome.ANSWERED, (monotonic() - sent_at) * 1_000
            outcome = Outcome.UNVERIFIED
    return outcome, 0.0


def _is_answer(datagram: bytes, session: bytes, keys: AgentKeys) -> bool:
    try:
        envelope = parse(datagram)
        verify(datagram, keys.down)
    except Refused:
        return False
    return envelope.type == ACK and envelope.session == session
