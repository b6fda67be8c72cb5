"""The emitters of this process."""

from __future__ import annotations

import os
from typing import Any

from .arguments import Arguments
from .handle import Heartline
from .native import new_reentrant_lock
from .registry import handles

_starting = new_reentrant_lock()
_watches_forks = False


def start(arguments: Arguments) -> Heartline:
    """Starts an emitter, or returns the running one of that name."""
    with _starting:
        for handle in handles:
            lifecycle = handle._lifecycle
            if lifecycle.arguments.name == arguments.name and not lifecycle.is_stopped:
                if lifecycle.is_pending:
                    lifecycle.start_replica()
                return handle
        _watch_forks()
        handle = Heartline(arguments)
        handles[:] = [it for it in handles if not it._lifecycle.is_stopped]
        handle._lifecycle.start()
        handles.append(handle)
        return handle


def restart(*arguments: Any) -> Heartline:
    """Starts an emitter as a pickled handle says."""
    return start(Arguments(*arguments))


def current() -> Heartline | None:
    """Returns the handle of the emitter that was started last and is not stopped."""
    for handle in reversed(handles):
        if not handle._lifecycle.is_stopped:
            return handle
    return None


def _watch_forks() -> None:
    global _watches_forks
    if not _watches_forks and hasattr(os, "register_at_fork"):
        _watches_forks = True
        os.register_at_fork(
            before=_before_fork,
            after_in_parent=_after_fork_in_parent,
            after_in_child=_after_fork_in_child,
        )


# Signals are loaded where an emitter is started, and not where the package is imported.


def _before_fork() -> None:
    from . import signals

    for handle in handles:
        handle._lifecycle.before_fork()
    signals.before_fork()


def _after_fork_in_parent() -> None:
    from . import signals

    signals.after_fork_in_parent()


def _after_fork_in_child() -> None:
    from . import signals

    global _starting
    _starting = new_reentrant_lock()
    for handle in handles:
        handle._lifecycle.become_pending()
    signals.after_fork_in_child()
