"""Latency buckets and their packed histogram (`SPEC.md`, section 10)."""

from __future__ import annotations

from collections.abc import Iterable

from .refused import Refused

LATENCY_MAX_US = 86_400_000_000
BUCKETS = 1_033
COUNT_MAX = 2**53


def bucket(us: int) -> int:
    """Returns the bucket of a latency in whole microseconds."""
    us = min(us, LATENCY_MAX_US)
    if us < 64:
        return us
    shift = us.bit_length() - 6
    return 32 * shift + (us >> shift)


def lowest(index: int) -> int:
    """Returns the lowest latency of a bucket, in microseconds."""
    return index if index < 64 else (index % 32 + 32) << (index // 32 - 1)


def midpoint(index: int) -> int:
    """Returns the latency that stands for a bucket, in microseconds."""
    if index < 64:
        return index
    return min(lowest(index) + ((1 << (index // 32 - 1)) - 1) // 2, LATENCY_MAX_US)


def pack_histogram(pairs: Iterable[tuple[int, int]]) -> bytes:
    """Packs `(bucket, count)` pairs, buckets ascending, counts above 0."""
    out = bytearray()
    last = 0
    for index, count in pairs:
        pack_number(index - last, out)
        pack_number(count, out)
        last = index
    return bytes(out)


def pack_number(value: int, out: bytearray) -> None:
    """Packs an unsigned LEB128 number."""
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def unpack_histogram(packed: bytes) -> list[tuple[int, int]]:
    """Unpacks `(bucket, count)` pairs; raises `Refused` with `BadNumber` or `BadPair`."""
    numbers = _unpack_numbers(packed)
    pairs: list[tuple[int, int]] = []
    index = total = 0
    for step, count in zip(numbers[::2], numbers[1::2]):
        index += step
        total += count
        if count == 0 or (step == 0 and pairs) or index >= BUCKETS or total > COUNT_MAX:
            raise Refused("BadPair")
        pairs.append((index, count))
    return pairs


def _unpack_numbers(packed: bytes) -> list[int]:
    numbers: list[int] = []
    value = shift = 0
    for byte in packed:
        value |= (byte & 0x7F) << shift
        shift += 7
        if shift > 63 or (byte == 0 and shift > 7):
            raise Refused("BadNumber")
        if byte < 0x80:
            numbers.append(value)
            value = shift = 0
    if shift or len(numbers) % 2:
        raise Refused("BadNumber")
    return numbers
