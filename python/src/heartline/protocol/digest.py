"""SHA-256, HMAC and HKDF (RFC 2104, RFC 5869).

The interpreter's own SHA-256 is used where it has one: `hashlib` loads OpenSSL, which takes longer
than all other imports of this package together.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:

    class _Hash(Protocol):
        def update(self, data: bytes, /) -> None: ...
        def digest(self) -> bytes: ...
        def copy(self) -> _Hash: ...

    def sha256(data: bytes, /) -> _Hash:
        """Returns the SHA-256 state of `data`."""
        ...

    def is_equal(a: bytes, b: bytes, /) -> bool:
        """Compares two byte strings in a time that depends on their lengths alone."""
        ...

else:
    try:
        if sys.version_info >= (3, 12):
            from _sha2 import sha256
        else:
            from _sha256 import sha256
    except ImportError:
        from hashlib import sha256
    try:
        from _operator import _compare_digest as is_equal
    except ImportError:
        from hmac import compare_digest as is_equal

_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


class Hmac:
    """HMAC-SHA256 under one key, whose first block is hashed once."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        if len(key) > _BLOCK:
            key = sha256(key).digest()
        block = key.ljust(_BLOCK, b"\0")
        self._inner = sha256(block.translate(_INNER))
        self._outer = sha256(block.translate(_OUTER))

    def digest(self, message: bytes) -> bytes:
        """Returns the tag of a message."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()

    def verifies(self, message: bytes, tag: bytes) -> bool:
        """Returns whether a tag is that of the message, in constant time."""
        return is_equal(self.digest(message), tag)


def hkdf(salt: bytes, key: bytes, info: bytes) -> bytes:
    """Returns 32 bytes of HKDF-SHA256."""
    return Hmac(Hmac(salt).digest(key)).digest(info + b"\x01")
