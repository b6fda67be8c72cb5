"""The interpreter's own threads, locks and polling, also where gevent has replaced them.

The beat goes on while the program's event loop is blocked, so it needs a thread that is none of the
loop's. gevent keeps what it replaced.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol, cast


class Lock(Protocol):
    """A lock of the interpreter."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...
    def release(self) -> None: ...
    def locked(self) -> bool: ...
    def __enter__(self) -> bool: ...
    def __exit__(self, *_: object) -> None: ...


class Poll(Protocol):
    """A `select.poll` object."""

    def register(self, fd: int, eventmask: int, /) -> None: ...
    def poll(self, timeout: float, /) -> list[tuple[int, int]]: ...


def _original(module: str, name: str) -> Any:
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None:
        return monkey.get_original(module, name)
    __import__(module)
    return getattr(sys.modules[module], name)


_sleep = _original("time", "sleep")

new_lock = cast("Callable[[], Lock]", _original("_thread", "allocate_lock"))
thread_local = cast("type[Any]", _original("threading", "local"))


def start_thread(run: Callable[[], None]) -> None:
    """Starts a thread of the interpreter that does not keep it from ending.

    Raises RuntimeError where there can be none.
    """
    _original("_thread", "start_new_thread")(run, ())


def new_poll() -> Poll:
    """Creates a poll object."""
    return cast("Poll", _original("select", "poll")())


def blocks_only_its_greenlet() -> bool:
    """Returns whether `time.sleep` has been replaced by one that lets other greenlets run."""
    return time.sleep is not _sleep
