"""Strict reading of MessagePack (`SPEC.md`, section 6)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from math import isfinite

from .refused import Refused

U32_MAX = 2**32 - 1
U64_MAX = 2**64 - 1
_ELEMENTS_MAX = 64
_DEPTH_MAX = 4


class Reader:
    """Reads a body value by value; raises `Refused` with the name of the first fault."""

    __slots__ = ("_at", "_data", "_depth")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._depth = 0

    def end(self) -> None:
        """Refuses what follows the body."""
        if self._at != len(self._data):
            raise Refused("Trailing")

    def nil(self) -> bool:
        """Takes a nil, if there is one."""
        if self._data[self._at : self._at + 1] == b"\xc0":
            self._at += 1
            return True
        return False

    def byte(self) -> int:
        """Takes one byte."""
        return self._number(1)

    def uint(self, least: int = 0, most: int = U64_MAX) -> int:
        mark = self._number(1)
        if mark < 0x80:
            value = mark
        elif 0xCC <= mark <= 0xCF:
            value = self._number(1 << (mark - 0xCC))
        elif 0xD0 <= mark <= 0xD3:
            value = self._number(1 << (mark - 0xD0), signed=True)
        elif mark >= 0xE0:
            value = -1
        else:
            raise Refused("WrongType")
        if not least <= value <= most:
            raise Refused("OutOfRange")
        return value

    def text(self, most: int = U64_MAX) -> str:
        mark = self._number(1)
        if 0xA0 <= mark < 0xC0:
            size = mark & 31
        elif 0xD9 <= mark <= 0xDB:
            size = self._number(1 << (mark - 0xD9))
        else:
            raise Refused("WrongType")
        if size > most:
            raise Refused("TooLong")
        try:
            return self._take(size).decode()
        except UnicodeDecodeError:
            raise Refused("NotUtf8") from None

    def bin(self, most: int = U64_MAX) -> bytes:
        mark = self._number(1)
        if not 0xC4 <= mark <= 0xC6:
            raise Refused("WrongType")
        size = self._number(1 << (mark - 0xC4))
        if size > most:
            raise Refused("TooLong")
        return self._take(size)

    def array(self, most: int = _ELEMENTS_MAX) -> Iterator[int]:
        """Yields the number of the elements left, once for each, which the caller reads."""
        length = self._enter(0x90, 0xDC, most)
        yield from range(length, 0, -1)
        self._depth -= 1

    def map(self, most: int, read: Callable[[str], None]) -> None:
        """Calls `read` with each key; it reads the value."""
        seen: set[str] = set()
        for _ in range(self._enter(0x80, 0xDE, most)):
            key = self.text()
            if key in seen:
                raise Refused("DuplicateKey")
            seen.add(key)
            read(key)
        self._depth -= 1

    def skip(self) -> None:
        """Checks a value and forgets it."""
        mark = self._data[self._at] if self._at < len(self._data) else self._number(1)
        if mark < 0x80 or mark >= 0xE0 or mark in (0xC0, 0xC2, 0xC3):
            self._at += 1
        elif 0xCC <= mark <= 0xD3:
            self._at += 1
            self._take(1 << (mark & 3))
        elif mark in (0xCA, 0xCB):
            self._skip_float(mark)
        elif 0xA0 <= mark < 0xC0 or 0xD9 <= mark <= 0xDB:
            self.text()
        elif 0xC4 <= mark <= 0xC6:
            self.bin()
        elif 0x90 <= mark < 0xA0 or mark in (0xDC, 0xDD):
            for _ in self.array():
                self.skip()
        elif 0x80 <= mark < 0x90 or mark in (0xDE, 0xDF):
            self.map(_ELEMENTS_MAX, lambda _: self.skip())
        else:
            raise Refused("WrongType")

    def _skip_float(self, mark: int) -> None:
        self._at += 1
        form, size = (">f", 4) if mark == 0xCA else (">d", 8)
        if not isfinite(struct.unpack(form, self._take(size))[0]):
            raise Refused("NotFinite")

    def _enter(self, fix: int, first: int, most: int) -> int:
        """Takes the header of an array or map; returns the number of its elements."""
        mark = self._number(1)
        if fix <= mark < fix + 16:
            length = mark & 15
        elif mark in (first, first + 1):
            length = self._number(2 << (mark - first))
        else:
            raise Refused("WrongType")
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise Refused("TooDeep")
        if length > min(most, _ELEMENTS_MAX):
            raise Refused("TooMany")
        return length

    def _number(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self._take(size), "big", signed=signed)

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise Refused("CutOff")
        taken = self._data[self._at : end]
        self._at = end
        return taken
