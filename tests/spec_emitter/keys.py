"""Ids, keys and tokens, written from protocol/SPEC.md alone: sections 2 and 4."""

import base64
import hashlib
import hmac

from packing import Refused

ALPHABET = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789._-")

# 2 Agent ids and scopes


def is_id(raw):
    return 1 <= len(raw) <= 63 and all(byte in ALPHABET for byte in raw) and raw[0] not in b"-."


def covers(scope, agent):
    """Whether the scope (text) covers the agent id (text)."""
    return agent.startswith(scope) and (scope in ("", agent) or scope.endswith("."))


# 4 Keys


def sha256_hmac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def hkdf(salt, key, info):
    return sha256_hmac(sha256_hmac(salt, key), info + b"\x01")


def scope_key(master, epoch, scope):
    return hkdf(b"heartline/1 scope", master, bytes([epoch]) + scope.encode())


def agent_keys(key, agent):
    """The keys of both directions, up and down."""
    return tuple(hkdf(b"heartline/1 agent", key, bytes([way]) + agent.encode()) for way in (0, 1))


def read_token(text):
    """Epoch, scope and scope key."""
    text = text.strip()
    if not text.startswith("hl1."):
        raise Refused("NotAToken")
    encoded = text[4:]
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise Refused("Damaged") from None
    exact = base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == encoded
    if not exact or len(raw) < 2 or raw[1] > 63 or len(raw) != 2 + raw[1] + 32 + 4:
        raise Refused("Damaged")
    if hashlib.sha256(raw[:-4]).digest()[:4] != raw[-4:]:
        raise Refused("Damaged")
    try:
        scope = raw[2 : 2 + raw[1]].decode()
    except UnicodeDecodeError:
        raise Refused("Damaged") from None
    if scope and not is_id(scope.encode()):
        raise Refused("BadScope")
    return raw[0], scope, raw[-36:-4]
