"""A way to end the sender's wait."""

from __future__ import annotations

from _socket import socket, socketpair

from ..native import new_lock


class Waker:
    """A pair of sockets: what is written to one ends a wait on the other."""

    __slots__ = ("_lock", "_reader", "_writer")

    def __init__(self) -> None:
        self._reader, self._writer = socketpair()
        for end in (self._reader, self._writer):
            end.setblocking(False)
        self._lock = new_lock()

    def fileno(self) -> int:
        """Returns what to wait for."""
        return self._reader.fileno()

    @property
    def writer(self) -> socket:
        """The end that is written to."""
        return self._writer

    def wake(self) -> None:
        """Ends the wait, or the next one."""
        # Never waits: a signal handler may run while its own thread wakes, and one is enough.
        if not self._lock.acquire(False):
            return
        try:
            self._writer.send(b"\0")
        except OSError:
            pass  # It is full, so the wait ends anyway; or closed, so there is none.
        finally:
            self._lock.release()

    def drain(self) -> bytes:
        """Takes what was written."""
        try:
            return self._reader.recv(4_096)
        except OSError:
            return b""

    def close(self) -> None:
        """Closes both ends; a later `wake` does nothing."""
        self._lock.acquire()
        try:
            self._reader.close()
            self._writer.close()
        finally:
            self._lock.release()

    def abandon(self) -> None:
        """Closes this process's copies, after a fork."""
        self._reader.close()
        self._writer.close()
