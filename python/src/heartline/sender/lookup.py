"""Look-up of a collector's addresses."""

from __future__ import annotations

import _socket
from collections.abc import Callable
from typing import Any, NamedTuple

from ..engine.address import is_ip_address, split_address
from ..native import start_thread
from ..problem import reason


class Peer(NamedTuple):
    """An address to connect a socket to."""

    family: int
    address: Any


class Lookup:
    """Looks a collector's name up on a thread of its own, as resolvers may hang; at most one look-up
    is under way. An address in digits needs neither."""

    __slots__ = ("_host", "_is_under_way", "_on_end", "_port", "_result")

    def __init__(self, collector: str, on_end: Callable[[], None]) -> None:
        self._host, self._port = split_address(collector)
        self._on_end = on_end
        self._is_under_way = False
        self._result: list[Peer] | str | None = None

    def start(self) -> None:
        """Begins a look-up, unless one is under way."""
        if self._is_under_way:
            return
        self._is_under_way = True
        self._result = None
        if is_ip_address(self._host):
            self._resolve()
            return
        try:
            start_thread(self._run)
        except RuntimeError as error:
            self._result = reason(error)

    def poll(self) -> list[Peer] | str | None:
        """Returns the result of a look-up that has ended, or why it failed."""
        result = self._result
        if result is not None:
            self._is_under_way = False
            self._result = None
        return result

    def _run(self) -> None:
        self._resolve()
        self._on_end()

    def _resolve(self) -> None:
        try:
            self._result = resolve(self._host, self._port) or "it has no address"
        except (OSError, UnicodeError) as error:
            self._result = reason(error)


def resolve(host: str, port: int) -> list[Peer]:
    """Returns the addresses of a host, in the order in which they are to be tried."""
    # As bytes: text is encoded by a codec that takes long to load.
    name = host.encode() if host.isascii() else host
    found = _socket.getaddrinfo(name, port, _socket.AF_UNSPEC, _socket.SOCK_DGRAM)
    return [Peer(family, address) for family, _, _, _, address in found]
