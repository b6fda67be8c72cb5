"""Goodbyes where SIGTERM or SIGINT ends the process.

1. A signal is the emitter's business only where it would end the process at once: the program neither
   handles nor ignores it. Python turns SIGINT into a KeyboardInterrupt, which ends the program by itself,
   and its end says goodbye: that is left as it is.
2. The emitter's handler says goodbye for all emitters of the process, then restores the default and
   raises the signal anew. A handler that the program installs later replaces it.
3. Python's handlers run in the main thread, which may be busy for ever in a foreign function. So
   `faulthandler`, which the system calls at once in any thread, writes to the sender; where the handler
   does not begin within a second, the sender does its work. (Python's own wakeup descriptor is for event
   loops: there is one for all, and trio warns if it is in use.)
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
# How long the main thread has to begin with a signal's handler, in seconds.
_MAIN_THREAD_TIMEOUT = 1.0

_is_installed = False
# Where a signal is noted. It is never closed: the note could get into what takes its number.
_notes: Waker | None = None
_blocked: Any = None
# Released when the handler begins.
_begun = new_lock()
_begun.acquire()


def install() -> Problem | None:
    """Installs the handlers, once, where the program has none."""
    global _is_installed
    if _is_installed:
        return None
    try:
        for number in _WATCHED:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _on_signal)
    except ValueError:
        return Problem(
            "signals_not_handled",
            "SIGTERM ends this process without a goodbye, as the emitter was started in another thread "
            "than the main one: start it there, or use it there",
        )
    _is_installed = True
    if signal.getsignal(signal.SIGTERM) is _on_signal:
        _note_sigterm()
    return None


def _note_sigterm() -> None:
    """Has SIGTERM noted, whatever the main thread does."""
    global _notes
    try:
        # Not to be had in sub-interpreters, nor in every build.
        import faulthandler

        if _notes is None:
            _notes = Waker()
        faulthandler.register(signal.SIGTERM, _notes.writer.fileno(), all_threads=False, chain=True)
    except (ImportError, OSError, RuntimeError):
        pass  # Then the main thread alone sees it.


def notes_fd() -> int | None:
    """Returns what the senders wait for, too."""
    return None if _notes is None else _notes.fileno()


def handle_notes() -> None:
    """Makes sure, in a sender's thread, that a signal has its effect."""
    is_noted = _notes is not None and _notes.drain() != b""
    if is_noted and signal.getsignal(signal.SIGTERM) is _on_signal:
        try:
            start_thread(_end_if_main_thread_does_not)
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


def _end_if_main_thread_does_not() -> None:
    if _begun.acquire(True, _MAIN_THREAD_TIMEOUT):
        _begun.release()
        return
    registry.say_goodbye()
    _raise_default(signal.SIGTERM)


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
    """Keeps signals from a child that would still be noted to its parent's sender."""
    global _blocked
    _blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED) if _notes is not None else None


def after_fork_in_parent() -> None:
    """Lets signals through again."""
    global _blocked
    blocked, _blocked = _blocked, None
    if blocked is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def after_fork_in_child() -> None:
    """Notes nothing to the parent any more, and lets signals through again. The handlers are
    inherited."""
    global _begun, _is_installed, _notes
    _begun = new_lock()
    _begun.acquire()
    _is_installed = False
    if _notes is not None:
        if signal.getsignal(signal.SIGTERM) is _on_signal:
            import faulthandler

            faulthandler.unregister(signal.SIGTERM)
        _notes.abandon()
        _notes = None
    after_fork_in_parent()
