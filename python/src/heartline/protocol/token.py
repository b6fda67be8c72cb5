"""Tokens: how an emitter is given its key (`SPEC.md`, section 4)."""

from __future__ import annotations

import binascii
from typing import NamedTuple

from .agent_id import AGENT_ID_MAX, agent_id_fault
from .digest import sha256
from .keys import AgentKeys
from .refused import Refused

_PREFIX = "hl1."
_KEY_LENGTH = 32
_CHECK_LENGTH = 4
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


class Token(NamedTuple):
    """A scope's key, and the epoch of the master key that it was derived from."""

    epoch: int
    scope: str
    key: bytes
    check: bytes

    def agent_keys(self, agent: str) -> AgentKeys:
        """Derives the keys of an agent that the scope covers."""
        return AgentKeys(self.epoch, self.scope, self.key, agent)

    @property
    def fleet(self) -> str:
        """The check as 8 hexadecimal digits, which tells this fleet's files from those of others."""
        return self.check.hex()

    def __repr__(self) -> str:
        # Without the key: what is printed ends in logs.
        return f"Token(epoch={self.epoch}, scope={self.scope!r})"


def read_token(text: str) -> Token:
    """Reads a token; raises `Refused` with `NotAToken`, `Damaged` or `BadScope`."""
    text = text.strip()
    if not text.startswith(_PREFIX):
        raise Refused("NotAToken")
    raw = _base64url(text[len(_PREFIX) :])
    if len(raw) < 2 or raw[1] > AGENT_ID_MAX:
        raise Refused("Damaged")
    scope_end = 2 + raw[1]
    if len(raw) != scope_end + _KEY_LENGTH + _CHECK_LENGTH:
        raise Refused("Damaged")
    covered, check = raw[:-_CHECK_LENGTH], raw[-_CHECK_LENGTH:]
    if sha256(covered).digest()[:_CHECK_LENGTH] != check:
        raise Refused("Damaged")
    try:
        scope = raw[2:scope_end].decode()
    except UnicodeDecodeError:
        raise Refused("Damaged") from None
    if scope and agent_id_fault(scope) is not None:
        raise Refused("BadScope")
    return Token(raw[0], scope, covered[scope_end:], check)


def _base64url(encoded: str) -> bytes:
    """Decodes base64 with the alphabet for URLs, without padding or left-over bits."""
    if not _ALPHABET.issuperset(encoded):
        raise Refused("Damaged")
    try:
        raw = binascii.a2b_base64(
            encoded.replace("-", "+").replace("_", "/") + "=" * (-len(encoded) % 4)
        )
    except ValueError:
        raise Refused("Damaged") from None
    again = binascii.b2a_base64(raw, newline=False).decode().rstrip("=")
    if again.replace("+", "-").replace("/", "_") != encoded:
        raise Refused("Damaged")
    return raw
