"""Goodbyes where SIGTERM or SIGINT ends the process.

1. A signal is the emitter's business only where it would end the process at once: the program neither
   handles nor ignores it. Python turns SIGINT into a KeyboardInterrupt, which ends the program by itself,
   and its end says goodbye: that is left as it is.
2. The emitter's handler says goodbye for all emitters of the process, then restores the default and
   raises the signal anew. A handler that the program installs later replaces it.
3. Python's handlers run in the main thread, which may be busy for ever in a foreign function. The number
   of the signal also goes to the sender, through the wakeup descriptor, if the program has none. Where
   the handler does not begin within a second, the sender does its work.
4. A forked child has inherited the handler, and it restores the default where there is nobody to say
   goodbye for.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from . import registry
from .native import new_lock, start_thread
from .problem import Problem
from .sender.waker import Waker

_WATCHED = (signal.SIGTERM, signal.SIGINT)
# How long the main thread has to begin with a signal's handler.
_MAIN_THREAD_TIMEOUT = 1.0

_is_installed = False
# Where the system writes the numbers of signals. It is never closed: the system could write into what
# takes its number.
_wakeup: Waker | None = None
_blocked: Any = None
# Released when the handler begins.
_begun = new_lock()
_begun.acquire()


def install() -> Problem | None:
    """Installs the handlers, once, where the program has none."""
    global _is_installed, _wakeup
    if _is_installed:
        return None
    try:
        for number in _WATCHED:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _on_signal)
        if _wakeup is None:
            _wakeup = Waker()
        before = signal.set_wakeup_fd(_wakeup.writer.fileno(), warn_on_full_buffer=False)
        if before != -1:
            # It is the program's.
            signal.set_wakeup_fd(before)
    except ValueError:
        return Problem(
            "signals_not_handled",
            "SIGTERM ends this process without a goodbye, as the emitter was started in another thread "
            "than the main one: start it there, or use it there",
        )
    except OSError:
        pass  # Without a wakeup descriptor the main thread alone sees the signal.
    _is_installed = True
    return None


def wakeup_fd() -> int | None:
    """Returns what the senders wait for, too."""
    return None if _wakeup is None else _wakeup.fileno()


def handle_wakeups() -> None:
    """Makes sure, in a sender's thread, that signals have their effect."""
    for number in _wakeup.drain() if _wakeup is not None else b"":
        if number in _WATCHED and signal.getsignal(number) is _on_signal:
            _watch_main_thread(number)


def _watch_main_thread(number: int) -> None:
    try:
        start_thread(lambda: _end_if_main_thread_does_not(number))
    except RuntimeError:
        pass  # The process is about to end.


def _on_signal(number: int, _frame: object) -> None:
    if _begun.locked():
        _begun.release()
    registry.say_goodbye()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    if os.getpid() == 1:
        # The kernel drops signals to the first process of a container whose default would end it.
        os._exit(128 + number)


def _end_if_main_thread_does_not(number: int) -> None:
    if _begun.acquire(True, _MAIN_THREAD_TIMEOUT):
        _begun.release()
        return
    registry.say_goodbye()
    _raise_default(number)


def _raise_default(number: int) -> None:
    """Ends the process by the signal, from another thread than the main one."""
    try:
        import ctypes

        ctypes.CDLL(None).signal(number, None)
        os.kill(os.getpid(), number)
    except (ImportError, OSError, AttributeError):
        pass
    os._exit(128 + number)


def before_fork() -> None:
    """Keeps signals from a child that would still report them to its parent's sender."""
    global _blocked
    _blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED) if _wakeup is not None else None


def after_fork_in_parent() -> None:
    """Lets signals through again."""
    global _blocked
    blocked, _blocked = _blocked, None
    if blocked is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def after_fork_in_child() -> None:
    """Leaves the parent's wakeup descriptor, and lets signals through again."""
    global _begun, _is_installed, _wakeup
    _begun = new_lock()
    _begun.acquire()
    if _wakeup is not None:
        own = _wakeup.writer.fileno()
        before = signal.set_wakeup_fd(-1)
        if before not in (own, -1):
            signal.set_wakeup_fd(before)
        _wakeup.abandon()
        _wakeup = None
    # The handlers are inherited.
    _is_installed = False
    after_fork_in_parent()

