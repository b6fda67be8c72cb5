"""The guard around every hook: nothing of an adapter's reaches the framework."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from ..task import AgentKilled

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger("heartline")
_reported: set[tuple[str, type[BaseException]]] = set()


def guarded(hook: Callable[P, R]) -> Callable[P, R | None]:
    """Wraps a hook so that an exception in it is logged, once a kind, and goes no further.

    Frameworks differ in what an exception in a hook does: some log it, others end the run, one
    hangs. So none is let out. A hook that fails returns None.
    """

    @functools.wraps(hook)
    def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return hook(*args, **kwargs)
        except Exception as error:
            report(hook.__qualname__, error)
            return None

    return call


def guarded_start(start: Callable[P, R]) -> Callable[P, R | None]:
    """Wraps what starts a task: as `guarded`, but `AgentKilled` is let out, which the program asked
    for."""

    @functools.wraps(start)
    def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return start(*args, **kwargs)
        except AgentKilled:
            raise
        except Exception as error:
            report(start.__qualname__, error)
            return None

    return call


def guarded_start_async(
    start: Callable[P, Coroutine[Any, Any, R]],
) -> Callable[P, Coroutine[Any, Any, R | None]]:
    """Wraps what starts a task without blocking the event loop, likewise."""

    @functools.wraps(start)
    async def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return await start(*args, **kwargs)
        except AgentKilled:
            raise
        except Exception as error:
            report(start.__qualname__, error)
            return None

    return call


def report(where: str, error: BaseException) -> None:
    """Logs an error of an adapter, once for each place and kind of error."""
    key = (where, type(error))
    if key not in _reported:
        _reported.add(key)
        _log.warning(
            "adapter %s failed: %r; the run goes on, but may not be counted", where, error,
            exc_info=error,
        )


def warn_once(text: str) -> None:
    """Logs a warning that a user can act on, once."""
    key = (text, Warning)
    if key not in _reported:
        _reported.add(key)
        _log.warning("%s", text)
