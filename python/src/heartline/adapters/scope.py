"""Runs of frameworks, and which of them the program is in.

A *run* is a task of the agent, unless it happens inside of another run or of a task of the program
itself: then it is a part of that. The current run stands in one context variable for all adapters,
so that two of them that see the same work count it once.
"""

from __future__ import annotations

import os
import threading
from contextvars import ContextVar
from enum import Enum
from typing import TYPE_CHECKING

from ..current import CURRENT_TASK
from .guard import guarded
from .ledger import ledger
from .suspensions import suspensions
from .usage import Usage

if TYPE_CHECKING:
    from heartline import Heartline, Task


class Outcome(Enum):
    """How a run ended."""

    OK = "ok"
    FAILED = "failed"
    UNCOUNTED = "uncounted"
    """Neither a success nor a failure: interrupted to be resumed later, or no task after all."""


class Run:
    """A run of a framework. One that no other run, and no task of the program, is around is a task."""

    __slots__ = (
        "_before", "_ended_early", "_lock", "_program_task", "_task", "_task_before", "_wait", "ended",
        "handle", "outer", "pid", "source",
    )  # fmt: skip

    def __init__(
        self, handle: Heartline, source: str, outer: Run | None, program_task: Task | None
    ) -> None:
        self.handle = handle
        self.source = source
        self.outer = outer
        self.ended = False
        self.pid = os.getpid()
        self._program_task = program_task
        self._task: Task | None = None
        self._before: Run | None = None
        self._task_before: Task | None = None
        self._wait: int | None = None
        self._ended_early = 0
        self._lock = threading.Lock()

    @property
    def is_new_task(self) -> bool:
        """Whether this run is to be a task of its own, which has not begun."""
        return (
            self._task is None
            and self.outer is None
            and self._program_task is None
            and not self.ended
        )

    @property
    def is_outermost_of_source(self) -> bool:
        """Whether no run of the same framework is around this one."""
        run = live(self.outer)
        while run is not None:
            if run.source == self.source:
                return False
            run = live(run.outer)
        return True

    def take_task(self, task: Task) -> None:
        """Takes the task that has begun with this run."""
        self._task = task
        _run_tasks.add(task)
        suspensions.task_began(self.handle)

    def step(self, name: str) -> None:
        """Sets the step of the task that this run is, or is a part of."""
        task = self._task or self._program_task
        if task is not None:
            task.step(name)
        elif (outer := live(self.outer)) is not None:
            outer.step(name)

    def begin_waiting(self, name: str) -> None:
        """Begins a wait for a person inside of the run, unless it waits already."""
        with self._lock:
            if self._ended_early:
                self._ended_early -= 1
            elif self._wait is None and not self.ended:
                self._wait = self.handle.begin_waiting(name)

    def end_waiting(self, *, may_be_early: bool = False) -> None:
        """Ends that wait, if there is one; or the next one, where an end may overtake its begin."""
        with self._lock:
            wait, self._wait = self._wait, None
            if wait is None and may_be_early:
                self._ended_early += 1
        if wait is not None:
            self.handle.end_waiting(wait)

    def end_by(self, error: BaseException | None) -> None:
        """Ends the run as `outcome_of` says; the kind of an error is in the status."""
        self.end(outcome_of(error), type(error).__name__)

    @guarded
    def end(self, outcome: Outcome, reason: str | None = None) -> None:
        """Ends the run, once. A part of another run counts nothing by itself."""
        with self._lock:
            if self.ended:
                return
            self.ended = True
        try:
            leave(self)
            self.end_waiting()
        finally:
            self._end_task(outcome, reason)

    def _end_task(self, outcome: Outcome, reason: str | None) -> None:
        task = self._task
        if task is None:
            return
        _run_tasks.discard(task)
        if outcome is Outcome.UNCOUNTED:
            task.discard()
        elif outcome is Outcome.FAILED:
            task.fail(reason)
            task.end()
        else:
            task.end(success=True)
        suspensions.task_ended(self.handle)

    def count(self, usage: Usage, source: str) -> None:
        """Adds what a response used, as `source` reports it, to the task that this run is part of."""
        with self._lock:
            task = self._task or self._program_task
            if task is not None and task.is_running:
                ledger.count(usage, source, task)
                return
        outer = live(self.outer)
        if outer is not None:
            outer.count(usage, source)
        else:
            ledger.count(usage, source, self.handle)


_current: ContextVar[Run | None] = ContextVar("heartline_run", default=None)
_run_tasks: set[Task] = set()
"""The tasks of runs that go on, which are none of the program's own."""


def current_run() -> Run | None:
    """Returns the innermost run that goes on in this context."""
    return live(_current.get())


def program_task() -> Task | None:
    """Returns the task of the program itself that goes on in this context."""
    task = CURRENT_TASK.get()
    is_own = task is not None and task.is_running and task not in _run_tasks
    return task if is_own else None


def live(run: Run | None) -> Run | None:
    """Passes over runs that have ended, and over those that a fork took along from its parent."""
    while run is not None and (run.ended or run.pid != os.getpid()):
        run = run.outer
    return run


def enter(run: Run) -> None:
    """Makes a run the current one of this context, and its task that of the context."""
    if _current.get() is run:
        return
    run._before = current_run()
    _current.set(run)
    if run._task is not None:
        run._task_before = program_task()
        CURRENT_TASK.set(run._task)


def leave(run: Run) -> None:
    """Takes a run out of this context, if it is the current one here.

    By value: frameworks end a run in another context than they began it in, where a token of the
    variable is refused. A run that is left behind elsewhere is passed over, because it has ended.
    """
    before, run._before = run._before, None
    if _current.get() is run:
        _current.set(before)
    task_before, run._task_before = run._task_before, None
    if run._task is not None and CURRENT_TASK.get() is run._task:
        CURRENT_TASK.set(task_before)


def count(usage: Usage, source: str, handle: Heartline, run: Run | None) -> None:
    """Counts what a response used: in a run, in a task of the program, or outside of any task."""
    run = live(run)
    if run is not None:
        run.count(usage, source)
    else:
        ledger.count(usage, source, program_task() or handle)


def outcome_of(error: BaseException | None) -> Outcome:
    """Returns how a run ended that raised `error`, or nothing.

    A stream that its reader left early is no failure. A run that was cancelled has failed, as a task
    of the program has: from inside, a timeout looks the same.
    """
    if error is None or isinstance(error, GeneratorExit):
        return Outcome.OK
    return Outcome.FAILED
