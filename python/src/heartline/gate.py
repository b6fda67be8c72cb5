"""The gate that keeps new tasks from starting while the agent is killed."""

from __future__ import annotations

import sys
import time
from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING

from .loop_lag import running_loop
from .native import Lock, blocks_only_its_greenlet, new_lock

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future

# Period at which a greenlet, and a task of a loop other than asyncio's, looks again.
_LOOK_AGAIN = 0.05


class KillCause(Enum):
    """Why no task starts."""

    COMMAND = "command"
    """An operator, or a policy of a collector, has killed the agent."""
    BUDGET = "budget"
    """A budget is used up. A collector's kill may follow."""


class KillGate:
    """Closed while the agent is killed, or has used up a budget. Threads wait on a lock of their own, tasks of asyncio on a
    future, greenlets and others by looking again."""

    __slots__ = ("_by_budget", "_by_command", "_futures", "_locks", "is_closed")

    def __init__(self) -> None:
        self.is_closed = False
        self._by_command = self._by_budget = False
        self._locks: dict[int, Lock] = {}
        self._futures: dict[int, tuple[AbstractEventLoop, Future[None]]] = {}

    @property
    def cause(self) -> KillCause | None:
        """Why the gate is closed; of several causes the command."""
        if self._by_command:
            return KillCause.COMMAND
        return KillCause.BUDGET if self._by_budget else None

    def close(self, cause: KillCause = KillCause.COMMAND) -> None:
        """Closes the gate."""
        self._set(cause, True)
        self.is_closed = True

    def open(self, cause: KillCause = KillCause.COMMAND) -> bool:
        """Takes back a cause; returns whether the gate is open, which wakes all that wait."""
        self._set(cause, False)
        if self.cause is not None:
            return False
        if not self.is_closed:
            return True
        self.is_closed = False
        for lock in list(self._locks.values()):
            _release(lock)
        for loop, future in list(self._futures.values()):
            try:
                loop.call_soon_threadsafe(_resolve, future)
            except RuntimeError:
                pass  # That loop has been closed: nobody waits in it.
        return True

    def _set(self, cause: KillCause, holds: bool) -> None:
        if cause is KillCause.COMMAND:
            self._by_command = holds
        else:
            self._by_budget = holds

    def wait(self, timeout: float | None = None) -> bool:
        """Blocks this thread, or this greenlet, until the gate is open; returns whether it is."""
        deadline = None if timeout is None else monotonic() + timeout
        while self.is_closed:
            left = -1.0 if deadline is None else deadline - monotonic()
            if deadline is not None and left <= 0:
                return False
            if blocks_only_its_greenlet():
                time.sleep(_LOOK_AGAIN if left < 0 else min(_LOOK_AGAIN, left))
            else:
                self._wait_once(left)
        return True

    async def wait_async(self) -> None:
        """Waits until the gate is open; blocks no thread."""
        while self.is_closed:
            loop = running_loop()
            if loop is None:
                await _sleep_elsewhere()
            else:
                await self._wait_in(loop)

    def _wait_once(self, timeout: float) -> None:
        lock = new_lock()
        lock.acquire()
        self._locks[id(lock)] = lock
        try:
            # Looked at again: it may have been opened before the lock was in its place.
            if self.is_closed:
                lock.acquire(True, min(timeout, 4_000_000))
        finally:
            self._locks.pop(id(lock), None)

    async def _wait_in(self, loop: AbstractEventLoop) -> None:
        future: Future[None] = loop.create_future()
        self._futures[id(future)] = (loop, future)
        try:
            if self.is_closed:
                await future
        finally:
            self._futures.pop(id(future), None)


async def _sleep_elsewhere() -> None:
    """Sleeps in the loop of trio, or else lets others run."""
    trio = sys.modules.get("trio")
    if trio is None:
        time.sleep(_LOOK_AGAIN)
    else:
        await trio.sleep(_LOOK_AGAIN)


def _release(lock: Lock) -> None:
    try:
        lock.release()
    except RuntimeError:
        pass  # It was released already: the waiter is on its way.


def _resolve(future: Future[None]) -> None:
    if not future.done():
        future.set_result(None)
