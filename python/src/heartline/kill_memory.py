"""The file in which a kill outlives the process (`SPEC.md`, section 12, rule 6)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from stat import S_ISREG
from typing import TypeVar

from .engine.applied import AppliedStates
from .problem import Problem, reason
from .protocol.bodies import GENERATION_MAX, DesiredState

# Control id that a kill is held for which names none: no collector draws it, and every one can lift
# it.
_UNATTRIBUTED = 1
# Longer than any file that this version writes.
_LENGTH_MAX = 4_096
_SUFFIX = ".desired"
_PREFIX = "heartline 2 control "
_PREFIX_UNATTRIBUTED = "heartline 1 generation "

T = TypeVar("T")


class KillMemory:
    """Memory of the desired states that one agent has applied: a file for each fleet, with a line for
    each control id."""

    def __init__(self, directory: str, agent: str) -> None:
        self._directory = directory
        self._agent = agent

    def read(self, fleet: str | None) -> tuple[AppliedStates, list[Problem]]:
        """Reads the states of a fleet; while the fleet is not known, those of all fleets, so that no
        kill is missed. The problems say what could not be read, and what is not known to be of this
        fleet."""
        states: list[DesiredState] = []
        problems: list[Problem] = []
        files = self._files_of_all_fleets() if fleet is None else [self._path(fleet)]
        for path in files:
            states += _read(path, _parse, problems) or []
        unattributed = self._unattributed_path()
        state = _read(unattributed, _parse_unattributed, problems)
        if state is not None and state.killed:
            states.append(state)
            problems.append(
                Problem(
                    "unattributed_kill",
                    f"the agent is killed by {unattributed}, which does not say of which fleet: "
                    "resume it; if the kill is of another fleet, remove the file",
                )
            )
        return AppliedStates(states), problems

    def write(self, fleet: str, applied: AppliedStates) -> Problem | None:
        """Writes the states of a fleet; once this returns, the file is on disk, whole."""
        path = self._path(fleet)
        try:
            self._write(path, applied)
        except OSError as error:
            return Problem(
                "state_unwritable",
                f"can't store the desired state at {path}: {reason(error)}; it would be lost at a "
                "restart",
            )
        return None

    def remove(self, fleet: str) -> None:
        """Removes the states of a fleet, which says of all that they run; `write` says what went
        wrong."""
        for path in (self._path(fleet), self._unattributed_path()):
            with contextlib.suppress(OSError):
                os.unlink(path)

    def _path(self, fleet: str) -> str:
        # Two agents never share one: no id has an `@`.
        return os.path.join(self._directory, f"{self._agent}@{fleet}{_SUFFIX}")

    def _unattributed_path(self) -> str:
        """Returns the path under which a version that knew of no fleets has stored its last order."""
        return os.path.join(self._directory, f"{self._agent}{_SUFFIX}")

    def _files_of_all_fleets(self) -> list[str]:
        try:
            names = os.listdir(self._directory)
        except OSError:
            return []
        ours = (
            name
            for name in sorted(names)
            if name.startswith(f"{self._agent}@") and name.endswith(_SUFFIX)
        )
        return [os.path.join(self._directory, name) for name in ours]

    def _write(self, path: str, applied: AppliedStates) -> None:
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        # A name that nobody can foresee, and a new file: nobody can lead it elsewhere.
        draft = os.path.join(self._directory, f"{self._agent}.{os.urandom(8).hex()}.tmp")
        try:
            _write_draft(draft, _format(applied))
            os.rename(draft, path)
        except OSError:
            _remove(draft)
            raise
        # What it says is in the new file, or in that of another fleet.
        _remove(self._unattributed_path())
        _sync(self._directory)


def _write_draft(draft: str, text: str) -> None:
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        # A umask may have taken the owner's rights, too.
        os.fchmod(fd, 0o600)
        raw = text.encode()
        while raw:
            raw = raw[os.write(fd, raw) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _sync(directory: str) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _read(path: str, parse: Callable[[str], T | None], problems: list[Problem]) -> T | None:
    """Reads and parses a file; None if there is none, or if it is a problem."""
    try:
        meta = os.stat(path)
        if not S_ISREG(meta.st_mode) or meta.st_size > _LENGTH_MAX:
            why = "it is not a state file"
        else:
            with open(path, "rb") as file:
                parsed = parse(file.read(_LENGTH_MAX).decode("utf-8"))
            if parsed is not None:
                return parsed
            why = "it is damaged"
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        why = "it is damaged"
    except OSError as error:
        why = reason(error)
    problems.append(
        Problem(
            "state_unreadable",
            f"can't read the desired state at {path}: {why}; until the collector answers, the agent "
            "runs",
        )
    )
    return None


def _format(applied: Iterable[DesiredState]) -> str:
    return "".join(
        f"heartline 2 control {state.control:016x} generation {state.generation} "
        f"{'killed' if state.killed else 'running'}\n"
        for state in applied
    )


def _parse(text: str) -> list[DesiredState] | None:
    """Parses a file; None when it is not whole."""
    if not text.endswith("\n"):
        return None
    states: list[DesiredState] = []
    for line in text[:-1].split("\n"):
        control, is_there, state = line.removeprefix(_PREFIX).partition(" generation ")
        number = _number(control, 16, 16)
        parsed = _parse_state(state, number or 0)
        if not (line.startswith(_PREFIX) and is_there and number and parsed):
            return None
        states.append(parsed)
    return states


def _parse_unattributed(text: str) -> DesiredState | None:
    if not (text.startswith(_PREFIX_UNATTRIBUTED) and text.endswith("\n")):
        return None
    return _parse_state(text[len(_PREFIX_UNATTRIBUTED) : -1], _UNATTRIBUTED)


def _parse_state(text: str, control: int) -> DesiredState | None:
    generation, _, word = text.partition(" ")
    number = _number(generation, 10)
    if number is None or number > GENERATION_MAX or word not in ("killed", "running"):
        return None
    return DesiredState(control, number, word == "killed")


def _number(text: str, base: int, length: int | None = None) -> int | None:
    """Parses a number of digits alone; None for anything else."""
    digits = "0123456789abcdef"[:base]
    if not text or len(text) > 19 or (length is not None and len(text) != length):
        return None
    return int(text, base) if all(digit in digits for digit in text) else None
