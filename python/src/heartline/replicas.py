"""Names for forked children: `NAME.1`, `NAME.2` and so on.

All processes of one family share a file without a name, and a child locks the byte of the lowest number
that is free. The system drops the lock when the child ends, however it ends: so a number is used by one
process at a time, and used again.
"""

from __future__ import annotations

import os
import sys

_PREFIX = "heartline:"
# A family with more children at a time gives them their process ids.
_REPLICAS_MAX = 100_000


class ReplicaPool:
    """The numbers of one family's replicas."""

    __slots__ = ("_fd", "_file", "_name")

    def __init__(self, name: str, fd: int = -1) -> None:
        self._name = name
        self._fd = fd
        # The file that the descriptor stood for: programs that become daemons close all they have.
        self._file = _identity(fd)
        if fd < 0:
            self.open()

    @classmethod
    def of_parent_process(cls, name: str) -> ReplicaPool | None:
        """Returns the pool of the parent, in a child that multiprocessing has started (by `spawn` or
        `forkserver`) if the parent runs an emitter of this name."""
        process = sys.modules.get("multiprocessing.process")
        parent = getattr(process, "parent_process", lambda: None)()
        if parent is None:
            return None
        directory = f"/proc/{parent.pid}/fd"
        try:
            for entry in os.listdir(directory):
                path = f"{directory}/{entry}"
                if os.readlink(path).startswith(f"/memfd:{_PREFIX}{name} "):
                    return cls(name, os.open(path, os.O_RDWR | os.O_CLOEXEC))
        except OSError:
            pass  # It has ended, or the system does not show what it has open.
        return None

    def open(self) -> None:
        """Makes sure that the file is open, so that children inherit it."""
        if self._is_open():
            return
        try:
            if hasattr(os, "memfd_create"):
                self._fd = os.memfd_create(f"{_PREFIX}{self._name}", os.MFD_CLOEXEC)
            else:
                self._fd = _unnamed_file()
            self._file = _identity(self._fd)
        except OSError:
            self._fd = -1

    def claim(self) -> str:
        """Returns the name of a replica that no other process of the family has."""
        if self._is_open():
            import fcntl

            for number in range(1, _REPLICAS_MAX):
                try:
                    fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
                except (BlockingIOError, PermissionError):
                    continue
                except OSError:
                    break
                return f"{self._name}.{number}"
        return f"{self._name}.p{os.getpid()}"

    def _is_open(self) -> bool:
        return self._fd >= 0 and self._file is not None and _identity(self._fd) == self._file


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        stat = os.fstat(fd)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _unnamed_file() -> int:
    import tempfile

    fd, path = tempfile.mkstemp(prefix="heartline.")
    os.unlink(path)
    return fd
