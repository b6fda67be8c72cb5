"""Detection of missing answers."""

from __future__ import annotations

from enum import Enum

from ..engine.connection import Connection
from ..engine.engine import Engine
from ..problem import Problem

# Intervals without an answer after which there is a problem.
_INTERVALS = 3


class Alarm(Enum):
    """Result of a check."""

    NONE = 0
    FIRST = 1
    """The timeout is over for the first time."""
    AGAIN = 2
    """It is over once more."""


class AnswerWatchdog:
    """Detects that the collector does not answer, or that no answer confirms the session."""

    __slots__ = ("_collector", "_keyless_since", "_last_alarm", "_timeout", "_unconfirmed_since", "problem")

    def __init__(self, collector: str, interval: int) -> None:
        self._collector = collector
        self._timeout = interval * _INTERVALS
        # Since when there are no keys to begin a session with.
        self._keyless_since: int | None = None
        # Since when answers come of which none confirms the session.
        self._unconfirmed_since: int | None = None
        self._last_alarm: int | None = None
        self.problem: Problem | None = None

    def check(self, engine: Engine | None, now: int) -> Alarm:
        """Returns whether a timeout is over."""
        # Without keys nothing was sent: that is a problem of the token.
        self._keyless_since = _since(self._keyless_since, engine is None, now)
        silent = self._overdue(None if engine is None else engine.unanswered_since, now)
        # While nothing is heard there is nothing that could confirm.
        is_unconfirmed = (
            engine is not None
            and engine.connection is Connection.UNCONFIRMED
            and silent is None
        )
        self._unconfirmed_since = _since(self._unconfirmed_since, is_unconfirmed, now)
        self.problem = self._problem(silent, self._overdue(self._unconfirmed_since, now))
        if self.problem is None and self._overdue(self._keyless_since, now) is None:
            self._last_alarm = None
            return Alarm.NONE
        if self._last_alarm is not None and now - self._last_alarm < self._timeout:
            return Alarm.NONE
        alarm = Alarm.FIRST if self._last_alarm is None else Alarm.AGAIN
        self._last_alarm = now
        return alarm

    def _problem(self, silent: int | None, unconfirmed: int | None) -> Problem | None:
        if silent is not None:
            return Problem(
                "unanswered",
                f"no answer from {self._collector} for {silent // 1_000_000_000} s: is heartlined "
                "running there, does UDP get through, is the token still valid?",
            )
        if unconfirmed is not None:
            return Problem(
                "never_confirmed",
                f"{self._collector} answers, but takes none of our beats as live: is another "
                "machine replaying, or answering, in its place?",
            )
        return None

    def _overdue(self, since: int | None, now: int) -> int | None:
        """Returns the time that has passed, if it is that of the timeout."""
        return None if since is None or now - since < self._timeout else now - since


def _since(before: int | None, holds: bool, now: int) -> int | None:
    """Returns since when a condition holds, given whether it holds now."""
    if not holds:
        return None
    return now if before is None else before
