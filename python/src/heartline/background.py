"""Calls of what belongs to the agent, on threads that may hang without holding up a beat."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic

from .native import new_lock, start_thread

_QUEUE_MAX = 32


class BackgroundCalls:
    """Calls functions one after the other, on a thread that is started for the first of them and
    ends after the last. More than 32 that wait are dropped."""

    __slots__ = ("_calls", "_idle", "_on_error")

    def __init__(self, on_error: Callable[[BaseException], None]) -> None:
        self._calls: deque[Callable[[], object]] = deque()
        # Held by the thread.
        self._idle = new_lock()
        self._on_error = on_error

    def call(self, function: Callable[[], object]) -> None:
        """Calls a function soon."""
        if len(self._calls) >= _QUEUE_MAX:
            return
        self._calls.append(function)
        if self._idle.acquire(False):
            try:
                start_thread(self._run)
            except RuntimeError:
                # The interpreter ends, or has no room for a thread: here, then.
                self._run()

    def wait(self, timeout: float) -> None:
        """Waits until all have been called, but not for longer than `timeout` seconds."""
        end = monotonic() + timeout
        while self._calls or self._idle.locked():
            left = end - monotonic()
            if left <= 0 or not self._idle.acquire(True, left):
                return
            self._idle.release()
            if self._calls:
                self._resume()

    def _resume(self) -> None:
        if self._idle.acquire(False):
            self._run()

    def _run(self) -> None:
        while True:
            try:
                while self._calls:
                    self._call_one()
            finally:
                self._idle.release()
            # One that came after the last look would be left.
            if not self._calls or not self._idle.acquire(False):
                return

    def _call_one(self) -> None:
        try:
            self._calls.popleft()()
        except BaseException as error:  # Whatever the agent's own function raises.
            self._on_error(error)
