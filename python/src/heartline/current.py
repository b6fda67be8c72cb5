"""The task that runs in the current context."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .task import Task

CURRENT_TASK: ContextVar[Task | None] = ContextVar("heartline_task", default=None)
"""The task of the innermost `with hb.task()` or decorated function around."""
