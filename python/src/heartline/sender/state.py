"""What the sender's thread tells the agent's threads, and is told by them."""

from __future__ import annotations

from typing import NamedTuple

from ..engine.connection import Connection
from ..problem import Problem
from ..status import CollectorStatus


class LinkStatus(NamedTuple):
    """Status of a link, as the sender keeps it."""

    collector: str
    connection: Connection | None
    """None: there is no session."""
    last_answer: int | None
    refused_datagrams: int
    problems: list[Problem]


class SenderState:
    """Status of the sender, and requests to it; each attribute is replaced as a whole."""

    __slots__ = (
        "end_requested", "goodbye_requested", "is_abandoned", "links", "memory_problems",
        "settings_problems", "signal_problem", "token_problem",
    )  # fmt: skip

    def __init__(self) -> None:
        self.goodbye_requested = False
        self.end_requested = False
        """To end without a goodbye: the agent has crashed, and the collector should find it
        missing."""
        self.is_abandoned = False
        """It did not stop in time: nobody waits for it again."""
        self.links: list[LinkStatus] = []
        self.settings_problems: list[Problem] = []
        self.signal_problem: Problem | None = None
        self.token_problem: Problem | None = None
        self.memory_problems: list[Problem] = []
        """Those of the last reading or writing of the kill memory."""

    def problems(self) -> list[Problem]:
        """Returns all problems, those of the settings first."""
        single = (self.signal_problem, self.token_problem)
        of_links = [problem for link in self.links for problem in link.problems]
        return [
            *self.settings_problems,
            *(problem for problem in single if problem is not None),
            *of_links,
            *self.memory_problems,
        ]

    def collectors(self, now: int) -> list[CollectorStatus]:
        """Returns the status of the sessions there are."""
        return [
            CollectorStatus(
                collector=link.collector,
                connection=link.connection,
                last_answer_age=None if link.last_answer is None else (now - link.last_answer) / 1e9,
                refused_datagrams=link.refused_datagrams,
            )
            for link in self.links
            if link.connection is not None
        ]
