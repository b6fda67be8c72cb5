"""Spans that have begun and not ended."""

from __future__ import annotations

from typing import Any

import heartline

from ..scope import Run, current_run
from ..usage import Usage
from .kinds import Kind


class LiveSpan:
    """A span that has begun and not ended."""

    __slots__ = (
        "agent_failed", "began", "calls", "handle", "has_ended", "is_ours", "kind", "outer", "parent",
        "run", "scope",
    )  # fmt: skip

    def __init__(self, parent: LiveSpan | None, scope: str, ours: bool, began: float) -> None:
        self.parent = parent
        """The followed span around this one."""
        self.scope = scope
        self.is_ours = ours
        self.began = began
        self.has_ended = False
        self.kind: Kind | None = None
        """What it stands for, once its attributes tell."""
        self.run: Run | None = None
        """The run that began with it, if it is the outermost."""
        self.handle = heartline.current()
        self.outer = current_run()
        """The run of another adapter around it."""
        self.calls: dict[Any, tuple[Usage, str]] = {}
        """What the calls in it used, and who says so, by the ids of responses or spans."""
        self.agent_failed = False

    @property
    def is_inside(self) -> bool:
        """Says whether a span of ours is around this one."""
        span = self.parent
        while span is not None:
            if span.is_ours:
                return True
            span = span.parent
        return False

    def step(self, name: str) -> None:
        """Takes this span as a step of the task that it is in."""
        span = self.parent
        while span is not None:
            if span.run is not None:
                span.run.step(name)
                return
            span = span.parent
