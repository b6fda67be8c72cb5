"""MessagePack, strictly, written from protocol/SPEC.md alone: section 6."""

import math
import struct


class Refused(Exception):
    """A datagram, token or histogram that must not be taken, and the name of the reason."""

    def __init__(self, reason, stage=None):
        super().__init__(reason)
        self.reason, self.stage = reason, stage


def pack(value):
    """A value in its shortest encoding."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        if value < 0x80:
            return bytes([value])
        size = next(n for n in range(4) if value < 1 << (8 << n))
        return bytes([0xCC + size]) + value.to_bytes(1 << size, "big")
    if isinstance(value, str):
        return _pack_sized(value.encode(), (0xA0, 32), 0xD9)
    if isinstance(value, bytes):
        return _pack_sized(value, (0, 0), 0xC4)
    if isinstance(value, dict):
        return _pack_head(len(value), 0x80, 0xDE) + b"".join(pack(k) + pack(v) for k, v in value.items())
    return _pack_head(len(value), 0x90, 0xDC) + b"".join(map(pack, value))


def pack_padded(array, least=64):
    """The body of a message from an agent: its header in 3 bytes, nils at its end."""
    fields = b"".join(map(pack, array))
    nils = max(0, least - 3 - len(fields))
    return struct.pack(">BH", 0xDC, len(array) + nils) + fields + b"\xc0" * nils


def _pack_sized(raw, short, long):
    if len(raw) < short[1]:
        return bytes([short[0] | len(raw)]) + raw
    size = 0 if len(raw) < 256 else 1
    return bytes([long + size]) + len(raw).to_bytes(1 << size, "big") + raw


def _pack_head(length, short, long):
    return bytes([short | length]) if length < 16 else struct.pack(">BH", long, length)


class Reader:
    """Reads a body strictly, value by value."""

    def __init__(self, data):
        self.data, self.at, self.depth = data, 0, 0

    def take(self, size):
        if self.at + size > len(self.data):
            raise Refused("CutOff")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size, signed=False):
        return int.from_bytes(self.take(size), "big", signed=signed)

    def nil(self):
        if self.data[self.at : self.at + 1] == b"\xc0":
            self.at += 1
            return True
        return False

    def uint(self, least=0, most=2**64 - 1):
        mark = self.number(1)
        if mark < 0x80:
            value = mark
        elif 0xCC <= mark <= 0xCF:
            value = self.number(1 << (mark - 0xCC))
        elif 0xD0 <= mark <= 0xD3:
            value = self.number(1 << (mark - 0xD0), signed=True)
        elif mark >= 0xE0:
            value = -1
        else:
            raise Refused("WrongType")
        if not least <= value <= most:
            raise Refused("OutOfRange")
        return value

    def bool(self):
        mark = self.number(1)
        if mark not in (0xC2, 0xC3):
            raise Refused("WrongType")
        return mark == 0xC3

    def text(self, most=math.inf):
        mark = self.number(1)
        if 0xA0 <= mark < 0xC0:
            size = mark & 31
        elif 0xD9 <= mark <= 0xDB:
            size = self.number(1 << (mark - 0xD9))
        else:
            raise Refused("WrongType")
        if size > most:
            raise Refused("TooLong")
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise Refused("NotUtf8") from None

    def bin(self, most=math.inf):
        mark = self.number(1)
        if not 0xC4 <= mark <= 0xC6:
            raise Refused("WrongType")
        size = self.number(1 << (mark - 0xC4))
        if size > most:
            raise Refused("TooLong")
        return self.take(size)

    def enter(self, short, long, most):
        """The length of an array or map."""
        mark = self.number(1)
        if short <= mark < short + 16:
            length = mark & 15
        elif mark in (long, long + 1):
            length = self.number(2 << (mark - long))
        else:
            raise Refused("WrongType")
        self.depth += 1
        if self.depth > 4:
            raise Refused("TooDeep")
        if length > min(most, 64):
            raise Refused("TooMany")
        return length

    def array(self, most=64):
        return self.enter(0x90, 0xDC, most)

    def map(self, most, read):
        """Calls `read` with each key."""
        seen = set()
        for _ in range(self.enter(0x80, 0xDE, most)):
            key = self.text()
            if key in seen:
                raise Refused("DuplicateKey")
            seen.add(key)
            read(key)
        self.depth -= 1

    def skip(self):
        mark = self.data[self.at] if self.at < len(self.data) else self.number(1)
        if mark < 0x80 or 0xCC <= mark <= 0xD3 or mark >= 0xE0:
            self.at += 1
            self.take(1 << (mark & 3) if 0xCC <= mark <= 0xD3 else 0)
        elif mark in (0xC0, 0xC2, 0xC3):
            self.at += 1
        elif mark in (0xCA, 0xCB):
            self.at += 1
            form, size = (">f", 4) if mark == 0xCA else (">d", 8)
            if not math.isfinite(struct.unpack(form, self.take(size))[0]):
                raise Refused("NotFinite")
        elif 0xA0 <= mark < 0xC0 or 0xD9 <= mark <= 0xDB:
            self.text()
        elif 0xC4 <= mark <= 0xC6:
            self.bin()
        elif 0x90 <= mark < 0xA0 or mark in (0xDC, 0xDD):
            for _ in range(self.array()):
                self.skip()
            self.depth -= 1
        elif 0x80 <= mark < 0x90 or mark in (0xDE, 0xDF):
            self.map(64, lambda _: self.skip())
        else:
            raise Refused("WrongType")
