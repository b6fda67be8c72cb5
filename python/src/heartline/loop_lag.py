"""Lag of the program's event loops, so that one that is blocked is seen."""

from __future__ import annotations

import sys
from time import monotonic_ns
from typing import TYPE_CHECKING
from weakref import ref

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

    def is_of(self, loop: AbstractEventLoop) -> bool:
        """Returns whether this is a probe of that loop."""
        return self._loop() is loop

    @property
    def has_ended(self) -> bool:
        """Whether the loop will not run again."""
        loop = self._loop()
        return loop is None or loop.is_closed()

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
        # By the loop's identity. A plain dictionary, which is copied in one step of the interpreter:
        # the sender reads it while loops are added.
        self._probes: dict[int, _Probe] = {}

    def watch_running_loop(self) -> None:
        """Watches the loop that runs in this thread, if there is one."""
        loop = running_loop()
        if loop is None:
            return
        probe = self._probes.get(id(loop))
        if probe is None or not probe.is_of(loop):
            self._forget_ended()
            if len(self._probes) < _LOOPS_MAX:
                self._probes[id(loop)] = _Probe(loop)

    def worst(self) -> int:
        """Returns the lag of the loop that has not answered for longest, in nanoseconds."""
        now = monotonic_ns()
        return max((probe.lag(now) for probe in list(self._probes.values())), default=0)

    def _forget_ended(self) -> None:
        for key, probe in list(self._probes.items()):
            if probe.has_ended:
                self._probes.pop(key, None)
