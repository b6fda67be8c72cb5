"""Socket to one collector."""

from __future__ import annotations

import _socket
from collections.abc import Callable

from ..problem import Problem, reason
from .lookup import Lookup, Peer

_RECEIVE_MAX = 2_048


class CollectorSocket:
    """UDP socket to the collector, connected to one of its addresses.

    1. An address that refuses a message is left for the next one at once, until each has had it.
    2. An address that was never heard from is left with the next message.
    3. A socket that can't send any more, as after a change of the own address, is opened anew at once.
    4. Where answers are missing for long, the name is looked up again. Until that succeeds, and if it
       does not, the addresses of before are used.
    """

    def __init__(self, collector: str, on_lookup: Callable[[], None]) -> None:
        self.collector = collector
        """Its `host:port`."""
        self.problem: Problem | None = None
        """The last problem; None once something was received."""
        self._lookup = Lookup(collector, on_lookup)
        # What the last successful look-up has found.
        self._peers: list[Peer] = []
        self._current = 0
        self._socket: _socket.socket | None = None
        # Whether something was received from the current address.
        self._has_answered = False
        # The last message, while nothing was received after it.
        self._unanswered = b""
        # Number of addresses that have refused it, or could not be sent to.
        self._failures = 0
        # Whether the name was looked up because all addresses failed, since something was received.
        self._has_searched = False

    def fileno(self) -> int | None:
        """Returns the open socket, to wait for."""
        return None if self._socket is None else self._socket.fileno()

    def send(self, datagram: bytes) -> None:
        """Sends a message. What can't be sent is lost, and is a problem."""
        is_unheard = not self._has_answered and self._unanswered != b""
        if is_unheard and self._failures == 0 and len(self._peers) > 1:
            self._use_next_address()
        self._unanswered = datagram
        self._failures = 0
        self._transmit()

    def receive(self) -> bytes | None:
        """Receives a datagram, if one is queued."""
        if self._socket is None:
            return None
        try:
            datagram = self._socket.recv(_RECEIVE_MAX)
        except (BlockingIOError, InterruptedError):
            return None
        except ConnectionRefusedError as error:
            self._fail("reach", error)
            if self._unanswered:
                self._on_failed_address()
                self._transmit()
            return None
        except OSError as error:
            self._fail("receive from", error)
            return None
        self.problem = None
        self._has_answered = True
        self._has_searched = False
        self._unanswered = b""
        return datagram

    def reopen(self) -> None:
        """Looks the collector's name up again, and goes on with its next address."""
        self._use_next_address()
        self._lookup.start()
        self.poll_lookup()

    def poll_lookup(self) -> None:
        """Takes over what a look-up has found, and sends the last message there."""
        found = self._lookup.poll()
        if found is None:
            return
        if isinstance(found, str):
            self.problem = Problem(
                "unresolved", f"can't find the collector {self.collector}: {found}"
            )
            return
        peer = self._peers[self._current] if self._current < len(self._peers) else None
        self._peers = found
        if peer in found:
            self._current = found.index(peer)
            return
        self._current = self._failures = 0
        self._close()
        self._transmit()

    def close(self) -> None:
        """Closes the socket."""
        self._close()

    def _transmit(self) -> None:
        """Sends the last message to the current address, or to the next one that takes it."""
        if not self._unanswered:
            return
        if not self._peers:
            self._lookup.start()
            # An address in digits is known by now; a name's look-up comes back here at its end.
            self.poll_lookup()
            return
        while self._failures < len(self._peers):
            was_open = self._socket is not None
            error = self._try_send()
            if error is None:
                return
            is_refused = isinstance(error, ConnectionRefusedError)
            self._fail("reach" if is_refused else "send to", error)
            # Refused is the error of an earlier message; any other one is that of a stale socket.
            if was_open and (not is_refused or len(self._peers) == 1):
                continue
            self._on_failed_address()

    def _try_send(self) -> OSError | None:
        try:
            if self._socket is None:
                self._socket = _connect(self._peers[self._current])
            self._socket.send(self._unanswered)
        except OSError as error:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
            return error
        return None

    def _on_failed_address(self) -> None:
        """Goes on to the next address; after the last one, looks for others, once an outage."""
        self._failures += 1
        if len(self._peers) > 1:
            self._use_next_address()
        if self._failures >= len(self._peers) and not self._has_searched:
            self._has_searched = True
            self._lookup.start()

    def _use_next_address(self) -> None:
        self._close()
        self._current = (self._current + 1) % max(len(self._peers), 1)

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._has_answered = False

    def _fail(self, action: str, error: OSError) -> None:
        self.problem = Problem(
            "socket", f"can't {action} {self.collector}: {reason(error)}"
        )


def _connect(peer: Peer) -> _socket.socket:
    socket = _socket.socket(peer.family, _socket.SOCK_DGRAM)
    try:
        socket.setblocking(False)
        socket.connect(peer.address)
    except OSError:
        socket.close()
        raise
    return socket
