"""Writing of MessagePack, in shortest encodings (`SPEC.md`, section 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Union

Value = Union[None, bool, int, str, bytes, Sequence["Value"], Mapping[str, "Value"]]

# Least length of the body of a message from an agent: room for any answer to it.
BODY_MIN = 64
_ARRAY_HEADER = 3


def pack(value: Value) -> bytes:
    """Packs a value; integers are 0 to 2^64-1."""
    out = bytearray()
    _pack(value, out)
    return bytes(out)


def pack_body(fields: Sequence[Value]) -> bytes:
    """Packs the body of a message from an agent: its header in 3 bytes, padded with nils."""
    out = bytearray()
    for field in fields:
        _pack(field, out)
    nils = max(0, BODY_MIN - _ARRAY_HEADER - len(out))
    return b"\xdc" + (len(fields) + nils).to_bytes(2, "big") + out + b"\xc0" * nils


def _pack(value: Value, out: bytearray) -> None:
    if value is None:
        out.append(0xC0)
    elif isinstance(value, bool):
        out.append(0xC3 if value else 0xC2)
    elif isinstance(value, int):
        _pack_uint(value, out)
    elif isinstance(value, str):
        raw = value.encode()
        _pack_length(len(raw), out, fix=(0xA0, 32), first=0xD9, least=1)
        out += raw
    elif isinstance(value, bytes):
        _pack_length(len(value), out, fix=None, first=0xC4, least=1)
        out += value
    elif isinstance(value, Mapping):
        _pack_length(len(value), out, fix=(0x80, 16), first=0xDE, least=2)
        for key, item in value.items():
            _pack(key, out)
            _pack(item, out)
    else:
        _pack_length(len(value), out, fix=(0x90, 16), first=0xDC, least=2)
        for item in value:
            _pack(item, out)


def _pack_uint(value: int, out: bytearray) -> None:
    if value < 0x80:
        out.append(value)
        return
    for power in range(4):
        if value < 1 << (8 << power):
            out.append(0xCC + power)
            out += value.to_bytes(1 << power, "big")
            return
    raise OverflowError("an integer above 2^64-1 can't be packed")


def _pack_length(
    length: int, out: bytearray, *, fix: tuple[int, int] | None, first: int, least: int
) -> None:
    """Packs a length: in the marker itself where that fits, else in `least` bytes or more."""
    if fix is not None and length < fix[1]:
        out.append(fix[0] | length)
        return
    size, marker = least, first
    while length >= 1 << (8 * size):
        size, marker = size * 2, marker + 1
    out.append(marker)
    out += length.to_bytes(size, "big")
