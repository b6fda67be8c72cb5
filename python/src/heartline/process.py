"""The emitters of this process, and its end."""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, Any

from .arguments import Arguments
from .handle import Heartline
from .native import new_lock

if TYPE_CHECKING:
    from types import TracebackType

_handles: list[Heartline] = []
_starting = new_lock()
_is_prepared = False


def start(arguments: Arguments) -> Heartline:
    """Starts an emitter, or returns the running one of that name."""
    with _starting:
        for handle in _handles:
            lifecycle = handle._lifecycle
            if lifecycle.arguments.name == arguments.name and not lifecycle.is_stopped:
                if lifecycle.is_pending:
                    lifecycle.start_replica()
                return handle
        _prepare()
        handle = Heartline(arguments)
        _handles[:] = [it for it in _handles if not it._lifecycle.is_stopped]
        _handles.append(handle)
        handle._lifecycle.start()
        end_with_multiprocessing()
        return handle


def restart(*arguments: Any) -> Heartline:
    """Starts an emitter as a pickled handle says."""
    return start(Arguments(*arguments))


def current() -> Heartline | None:
    """Returns the handle of the emitter that was started last and is not stopped."""
    for handle in reversed(_handles):
        if not handle._lifecycle.is_stopped:
            return handle
    return None


def _prepare() -> None:
    """Registers, once, for the end of the process and for forks."""
    global _is_prepared
    if _is_prepared:
        return
    _is_prepared = True
    # Loaded where an emitter is started, and not where the package is imported.
    from . import signals

    signals.emitters = _handles
    try:
        atexit.register(_at_exit)
    except RuntimeError:
        pass  # The process is about to end.
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before_fork,
            after_in_parent=signals.after_fork_in_parent,
            after_in_child=_after_fork_in_child,
        )


def _before_fork() -> None:
    from . import signals

    for handle in list(_handles):
        handle._lifecycle.before_fork()
    signals.before_fork()


def _after_fork_in_child() -> None:
    from . import signals

    global _starting
    _starting = new_lock()
    for handle in list(_handles):
        handle._lifecycle.become_pending()
    signals.after_fork_in_child()


def end_with_multiprocessing() -> None:
    """Says goodbye at the end of a child of multiprocessing, too: it skips what `atexit` holds."""
    for module in ("multiprocessing", "billiard"):
        process = sys.modules.get(f"{module}.process")
        util: Any = sys.modules.get(f"{module}.util")
        if process is None or util is None:
            continue
        if getattr(process, "_parent_process", None) or _has_parent(process):
            util.Finalize(None, _at_exit, exitpriority=-1_000)


def _has_parent(process: Any) -> bool:
    return getattr(process.current_process(), "_parent_pid", None) is not None


def _at_exit() -> None:
    """Says goodbye, all together; silent where an exception has ended the program."""
    handles = list(_handles)
    with_goodbye = not _has_crashed()
    if with_goodbye:
        for handle in handles:
            handle._lifecycle.request_stop()
    for handle in handles:
        handle._lifecycle.stop(with_goodbye=with_goodbye, at_exit=True)


def _has_crashed() -> bool:
    """Returns whether an exception has left the program's outermost frame. That is no clean end, and
    the collector should find the agent missing."""
    if hasattr(sys, "ps1") or sys.flags.interactive:
        return False
    kind = getattr(sys, "last_type", None)
    traceback: TracebackType | None = getattr(sys, "last_traceback", None)
    if kind is None or traceback is None or issubclass(kind, KeyboardInterrupt):
        return False
    return traceback.tb_frame.f_back is None
