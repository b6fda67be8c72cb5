"""Lag of the program's event loops, so that one that is blocked is seen."""

from __future__ import annotations

import sys
from time import monotonic_ns
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

# Loops that are watched; those beyond are not.
_LOOPS_MAX = 64


def running_loop() -> AbstractEventLoop | None:
    """Returns asyncio's loop that runs in this thread; asyncio is not loaded for that."""
    events = sys.modules.get("asyncio.events")
    get = getattr(events, "_get_running_loop", None)
    return None if get is None else get()


class _Probe:
    """Asks one loop for an answer, again and again."""

    __slots__ = ("_asked_at", "_loop")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = ref(loop)
        # When the question was asked that the loop has not answered.
        self._asked_at: int | None = None

    def lag(self, now: int) -> int:
        """Returns for how long the loop has left the last question unanswered, and asks the next."""
        loop = self._loop()
        if loop is None or loop.is_closed() or not loop.is_running():
            self._asked_at = None
            return 0
        if self._asked_at is not None:
            return now - self._asked_at
        self._asked_at = now
        try:
            loop.call_soon_threadsafe(self._answer)
        except RuntimeError:
            self._asked_at = None
        return 0

    def _answer(self) -> None:
        self._asked_at = None


class LoopLag:
    """The event loops that the agent works in."""

    __slots__ = ("_probes",)

    def __init__(self) -> None:
        self._probes: WeakKeyDictionary[AbstractEventLoop, _Probe] = WeakKeyDictionary()

    def watch_running_loop(self) -> None:
        """Watches the loop that runs in this thread, if there is one."""
        loop = running_loop()
        if loop is not None and loop not in self._probes and len(self._probes) < _LOOPS_MAX:
            self._probes[loop] = _Probe(loop)

    def worst(self) -> int:
        """Returns the lag of the loop that has not answered for longest, in nanoseconds."""
        now = monotonic_ns()
        return max((probe.lag(now) for probe in list(self._probes.values())), default=0)
