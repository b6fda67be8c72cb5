"""Runs that were interrupted and wait, outside of any task, to be resumed by another one.

Such a run is not in flight: a kill would have to wait for it, perhaps for days. The agent *waits*
while there is one and nothing runs; while something runs, what matters is whether that goes on.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from heartline import Heartline

_SUSPENDED_MAX = 1024
_AGE_MAX_SECONDS = 86_400.0  # resumed by another process, or never


class Suspensions:
    """Interrupted runs of this process, each under the key by which it will be resumed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._suspended: OrderedDict[Hashable, tuple[float, str]] = OrderedDict()
        self._running = 0
        self._wait: tuple[Heartline, int] | None = None

    def task_began(self, handle: Heartline) -> None:
        """Notes that a task of a framework runs."""
        with self._lock:
            self._running += 1
            self._show(handle)

    def task_ended(self, handle: Heartline) -> None:
        """Notes that a task of a framework has ended."""
        with self._lock:
            self._running = max(0, self._running - 1)
            self._show(handle)

    def suspend(self, key: Hashable, name: str, handle: Heartline) -> None:
        """Adds a run that waits for `name`."""
        with self._lock:
            self._suspended.pop(key, None)
            self._suspended[key] = (time.monotonic(), name)
            if len(self._suspended) > _SUSPENDED_MAX:
                self._suspended.popitem(last=False)
            self._show(handle)

    def resume(self, key: Hashable, handle: Heartline) -> bool:
        """Removes a run that goes on, or begins anew, under its key; says whether it was there."""
        with self._lock:
            known = self._suspended.pop(key, None) is not None
            if known:
                self._show(handle)
            return known

    def _show(self, handle: Heartline) -> None:
        oldest = time.monotonic() - _AGE_MAX_SECONDS
        while self._suspended:
            key, (since, _) = next(iter(self._suspended.items()))
            if since >= oldest:
                break
            del self._suspended[key]
        waits = bool(self._suspended) and self._running == 0
        if waits and self._wait is None:
            _, name = next(reversed(self._suspended.values()))
            self._wait = (handle, handle.begin_waiting(name))
        elif not waits and self._wait is not None:
            waiting_handle, wait = self._wait
            self._wait = None
            waiting_handle.end_waiting(wait)


suspensions = Suspensions()
os.register_at_fork(after_in_child=suspensions.__init__)  # type: ignore[misc]
