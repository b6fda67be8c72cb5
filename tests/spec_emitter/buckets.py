"""Latency buckets, written from protocol/SPEC.md alone: section 10."""

from packing import Refused

COUNT_MAX = 2**53


def bucket(us):
    us = min(us, 86_400_000_000)
    if us < 64:
        return us
    shift = us.bit_length() - 1 - 5
    return 32 * shift + (us >> shift)


def lowest(index):
    return index if index < 64 else (index % 32 + 32) << (index // 32 - 1)


def midpoint(index):
    if index < 64:
        return index
    return min(lowest(index) + ((1 << (index // 32 - 1)) - 1) // 2, 86_400_000_000)


def leb128(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def pack_histogram(counts):
    """Packs a dict of bucket and count."""
    out, last = b"", 0
    for index in sorted(counts):
        out += leb128(index - last) + leb128(counts[index])
        last = index
    return out


def unpack_histogram(packed):
    """A list of (bucket, count)."""
    numbers, value, shift = [], 0, 0
    for byte in packed:
        value |= (byte & 0x7F) << shift
        shift += 7
        if shift > 63 or (byte == 0 and shift > 7):
            raise Refused("BadNumber")
        if byte < 0x80:
            numbers.append(value)
            value, shift = 0, 0
    if shift or len(numbers) % 2:
        raise Refused("BadNumber")
    pairs, index, total = [], 0, 0
    for step, amount in zip(numbers[::2], numbers[1::2]):
        index, total = index + step, total + amount
        if amount == 0 or (step == 0 and pairs) or index > 1032 or total > COUNT_MAX:
            raise Refused("BadPair")
        pairs.append((index, amount))
    return pairs
