"""Goodbyes at the end of the process, where it comes to one."""

from __future__ import annotations

import atexit
import sys
from typing import TYPE_CHECKING, Any

from . import registry

if TYPE_CHECKING:
    from types import TracebackType

_is_registered = False
# By the name of each module that ends its children without what `atexit` holds.
_finalizers: dict[str, Any] = {}


def arrange() -> None:
    """Arranges for goodbyes; called again where the process may have become another one's child."""
    global _is_registered
    if not _is_registered:
        _is_registered = True
        try:
            atexit.register(_end)
        except RuntimeError:
            pass  # The process is about to end.
    for module in ("multiprocessing", "billiard"):
        process: Any = sys.modules.get(f"{module}.process")
        util: Any = sys.modules.get(f"{module}.util")
        if process is not None and util is not None and _is_child(process):
            finalizer = _finalizers.get(module)
            if finalizer is None or not finalizer.still_active():
                _finalizers[module] = util.Finalize(None, _end, exitpriority=-1_000)


def _is_child(process: Any) -> bool:
    return getattr(process.current_process(), "_parent_pid", None) is not None


def _end() -> None:
    """Says goodbye; not where an exception has ended the program."""
    if _has_crashed():
        registry.fall_silent()
    else:
        registry.say_goodbye()


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
