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
        for pid in _parents():
            try:
                fd = _open_in(pid, f"/memfd:{_PREFIX}{name} ")
            except OSError:
                continue  # It has ended, or the system does not show what it has open.
            if fd is not None:
                return cls(name, fd)
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


def _parents() -> list[int]:
    """Returns the processes that may have started this one by multiprocessing."""
    process = sys.modules.get("multiprocessing.process")
    if process is None:
        return []
    parent = process.parent_process()
    if parent is not None:
        return [parent.pid]
    # While the program's main module is loaded the parent is not known yet: it is one of these, as
    # `forkserver` has a process between the two.
    if getattr(process.current_process(), "_inheriting", False):
        return [os.getppid(), _parent_of(os.getppid())]
    return []


def _parent_of(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # After the name, which may hold anything.
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _open_in(pid: int, name: str) -> int | None:
    """Opens the file of another process whose name begins so."""
    directory = f"/proc/{pid}/fd"
    for entry in os.listdir(directory):
        path = f"{directory}/{entry}"
        try:
            if os.readlink(path).startswith(name):
                return os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # It was closed meanwhile.
    return None


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
