"""Activity that the agent reports: its step, its waits, its backlog, its tasks in flight."""

from __future__ import annotations

import itertools
from time import monotonic_ns
from typing import TYPE_CHECKING

from .protocol.bodies import PHASE_RUNNING, PHASE_STARTING, PHASE_WAITING
from .protocol.text import STEP_MAX, scrub_to
from .protocol.unpacking import U32_MAX

if TYPE_CHECKING:
    from .task import Task

# Most waits that are kept at a time, and most tasks: those that never end use bounded memory.
WAITS_MAX = 1_024
TASKS_MAX = 65_536


class Activity:
    """What the agent does now. Each method is one step of the interpreter where it matters, so there
    is no lock that a fork, a signal handler or another thread could find taken."""

    __slots__ = (
        "_ids", "_queue", "_queued_at", "_waits", "has_begun",
        "last_progress", "last_report", "step",
        "step_task", "tasks",
    )  # fmt: skip

    def __init__(self) -> None:
        self.tasks: dict[Task, None] = {}
        """Tasks begun and not ended, oldest first."""
        self.last_progress: int | None = None
        """When a task last began or ended, or a step was taken."""
        self.last_report: int | None = None
        """When the sender last found new work: reporting reads no clock."""
        self.step: str | None = None
        """Name of the step that was set last."""
        self.step_task: Task | None = None
        """The task that it is a step of, if it is one of a task."""
        self.has_begun = False
        self._queue: int | None = None
        # Since when there is a backlog.
        self._queued_at: int | None = None
        self._waits: dict[int, str | None] = {}
        self._ids = itertools.count(1)

    def set_step(self, name: str, task: Task | None) -> None:
        """Sets the name of the current step, of a task or of the agent."""
        self.step = name
        self.step_task = task
        self.has_begun = True
        self.last_progress = monotonic_ns()

    def set_queue(self, depth: int) -> None:
        """Sets the length of the backlog."""
        depth = min(max(depth, 0), U32_MAX)
        if depth and not self._queue:
            self._queued_at = monotonic_ns()
        self._queue = depth

    @property
    def queue(self) -> int | None:
        """The length of the backlog, once it was reported."""
        return self._queue

    def begin_wait(self, name: str | None) -> int:
        """Begins a wait; returns the id that ends it."""
        wait = next(self._ids)
        if len(self._waits) < WAITS_MAX:
            self._waits[wait] = None if name is None else fitted(name)
        self.has_begun = True
        self.last_progress = monotonic_ns()
        return wait

    def end_wait(self, wait: int | None = None) -> None:
        """Ends a wait; without an id, the one that began last."""
        if wait is None:
            try:
                self._waits.popitem()
            except KeyError:
                return
        else:
            self._waits.pop(wait, None)
        self.last_progress = monotonic_ns()

    def phase_and_step(self, in_flight: int) -> tuple[int, str | None]:
        """Returns the phase, and the name of the step or wait. An agent waits when each of its tasks
        does: while another one works, what matters is whether that one makes progress."""
        waits = list(self._waits.values())
        if waits and len(waits) >= in_flight:
            return PHASE_WAITING, waits[-1]
        has_begun = self.has_begun or self.last_progress or self.last_report
        return PHASE_RUNNING if has_begun else PHASE_STARTING, self._current_step()

    def _current_step(self) -> str | None:
        """Returns the step set last, while its task is in flight; then that of the task that has been
        quiet for longest."""
        step, task = self.step, self.step_task
        if step is not None and (task is None or task in self.tasks):
            return fitted(step)
        tasks = list(self.tasks)
        step = min(tasks, key=lambda task: task.quiet_since).step_name if tasks else None
        return None if step is None else fitted(step)

    def progress_at(self) -> int | None:
        """Returns when there last was progress. A backlog that begins counts as such: before, there
        was nothing to make progress with."""
        begun = self._queued_at if self._queue else None
        times = (self.last_progress, self.last_report, begun)
        return max((at for at in times if at is not None), default=None)

    def quietest_task(self) -> int | None:
        """Returns when the task that has been quiet for longest began or took its last step."""
        return min((task.quiet_since for task in list(self.tasks)), default=None)

    def forget_oldest_task(self) -> None:
        """Forgets a task that has probably been forgotten by its program."""
        oldest = next(iter(list(self.tasks)), None)
        if oldest is not None:
            self.tasks.pop(oldest, None)


def fitted(name: str) -> str:
    """Returns a name as it can be sent."""
    return scrub_to(name, STEP_MAX)
