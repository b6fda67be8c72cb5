"""Status of the emitter."""

from __future__ import annotations

from typing import NamedTuple

from .engine.connection import Connection
from .gate import KillCause
from .problem import Problem


class CollectorStatus(NamedTuple):
    """Status of the session with one collector."""

    collector: str
    """Its `host:port`."""
    connection: Connection
    """State of the session."""
    last_answer_age: float | None
    """Seconds since its last answer."""
    refused_datagrams: int
    """Datagrams received that were not from this agent's collector."""


class Counted(NamedTuple):
    """Work that an emitter has counted since its start, sent or not."""

    ok: int
    failed: int
    cost_nano_usd: int
    tokens_in: int
    tokens_out: int


class Status(NamedTuple):
    """Status of an emitter. As text it is one line: `live`, or what is wrong."""

    agent: str
    """Name under which this process is seen; a forked one has its own."""
    killed: bool
    """No new task starts, for the cause that follows."""
    kill_cause: KillCause | None
    """Why no new task starts: killed through any of its collectors, or a budget that is used up."""
    collectors: list[CollectorStatus]
    """Status of the session with each collector; empty while nothing is sent at all."""
    in_flight: int
    """Tasks begun and not ended."""
    counted: Counted
    """Work that was counted."""
    lost_observations: int
    """Observations that could not be counted."""
    last_failure: str | None
    """Why a task last failed."""
    problems: list[Problem]
    """Problems that were found and not solved yet."""

    @property
    def is_healthy(self) -> bool:
        """Whether each collector takes the beats as live and there is no problem."""
        return (
            bool(self.collectors)
            and all(it.connection is Connection.CONFIRMED for it in self.collectors)
            and not self.problems
        )

    def __str__(self) -> str:
        if not self.collectors:
            text = "off"
        elif len(self.collectors) == 1:
            text = self.collectors[0].connection.value
        else:
            text = ", ".join(f"{it.collector}: {it.connection.value}" for it in self.collectors)
        if self.kill_cause is KillCause.COMMAND:
            text += ", killed"
        elif self.kill_cause is KillCause.BUDGET:
            text += ", stopped: its budget is used up"
        return "; ".join([text, *map(str, self.problems)])
