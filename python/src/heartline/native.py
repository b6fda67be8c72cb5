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
new_reentrant_lock = cast("Callable[[], Lock]", _original("_thread", "RLock"))
thread_local = cast("type[Any]", _original("threading", "local"))


def start_thread(run: Callable[[], None]) -> None:
    """Starts a thread of the interpreter that does not keep it from ending.

    Raises RuntimeError where there can be none: at the end of the process, in sub-interpreters, whose
    end a thread in the background would crash, and without the global lock, which makes each step of
    counting one.
    """
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        raise RuntimeError("this Python runs without its global lock; start it with PYTHON_GIL=1")
    if not _is_main_interpreter():
        raise RuntimeError("this is a sub-interpreter, which can't have it; start in the main one")
    _original("_thread", "start_new_thread")(run, ())


def _is_main_interpreter() -> bool:
    for module in ("_interpreters", "_xxsubinterpreters"):
        try:
            __import__(module)
        except ImportError:
            continue
        current: Any = sys.modules[module].get_current()
        # A number, or what holds one, by the version of Python.
        return int(current[0] if hasattr(current, "__getitem__") else current) == 0
    return True


def new_poll() -> Poll:
    """Creates a poll object."""
    return cast("Poll", _original("select", "poll")())


def blocks_only_its_greenlet() -> bool:
    """Returns whether `time.sleep` has been replaced by one that lets other greenlets run."""
    return time.sleep is not _sleep
