"""Celery: each task that a worker runs is a task, in the process that runs it.

The children of a prefork pool are agents of their own, replicas of the worker's main process. What
becomes of a task whose child was killed only the main process knows, so that one counts it.
"""

from __future__ import annotations

import threading
import time
from types import ModuleType
from typing import Any

import heartline

from .gate import begin_run_held
from .guard import guarded
from .scope import Outcome, Run

_SOURCE = "celery"
_OUTCOMES = {"SUCCESS": Outcome.OK, "FAILURE": Outcome.FAILED, "REJECTED": Outcome.FAILED}
_LOSSES = frozenset({"WorkerLostError", "TimeLimitExceeded"})
_REPEAT_SECONDS = 5.0

_local = threading.local()
_last_lost: dict[str, float] = {}


def install(signals: ModuleType) -> None:
    """Connects to the signals of Celery.

    - `signals`: the module `celery.signals`.
    """
    signals.worker_process_init.connect(_child_began, weak=False)
    signals.worker_process_shutdown.connect(_child_ends, weak=False)
    signals.task_prerun.connect(_task_began, weak=False)
    signals.task_postrun.connect(_task_ended, weak=False)
    signals.task_failure.connect(_task_failed, weak=False)
    signals.task_revoked.connect(_task_revoked, weak=False)


@guarded
def _child_began(**_: Any) -> None:
    """Starts the replica of a child of the pool, so that it can be seen and killed while it idles."""
    handle = heartline.current()
    if handle is not None:
        handle.wait_until_resumed(timeout=0)  # as any use of it


@guarded
def _child_ends(**_: Any) -> None:
    """Says goodbye for a child, which ends without what Python does at the end of a program."""
    handle = heartline.current()
    if handle is not None:
        handle.stop()


@guarded
def _task_began(task_id: str, task: Any, **_: Any) -> None:
    """Begins a task; it waits here while the agent is killed, since a worker can't refuse it."""
    _runs().append((task_id, _begin(task.name)))


def _begin(name: str) -> Run | None:
    while True:
        try:
            return begin_run_held(_SOURCE, name)
        except heartline.AgentKilled:
            handle = heartline.current()
            if handle is not None:
                handle.wait_until_resumed()


@guarded
def _task_ended(task_id: str, state: str | None = None, **_: Any) -> None:
    """Ends a task. One that is retried begins again under the same id, and counts then; of one that
    was cut off, without a state, the main process hears."""
    runs = _runs()
    while runs:
        begun_id, run = runs.pop()
        if run is not None:
            outcome = _OUTCOMES.get(state or "", Outcome.UNCOUNTED)
            run.end(outcome if begun_id == task_id else Outcome.UNCOUNTED)
        if begun_id == task_id:
            return


@guarded
def _task_failed(task_id: str, exception: BaseException | None = None, **_: Any) -> None:
    """Counts a task that was lost together with its child; others are counted where they end."""
    if type(exception).__name__ in _LOSSES:
        _count_lost(task_id)


@guarded
def _task_revoked(request: Any, terminated: bool = False, **_: Any) -> None:
    """Counts a task that was ended by a revocation; one that had not begun is none."""
    if terminated:
        _count_lost(request.id)


def _count_lost(task_id: str) -> None:
    """Counts a lost task as failed, once: a hard time limit is announced twice."""
    now = time.monotonic()
    for known, at in list(_last_lost.items()):
        if now - at > _REPEAT_SECONDS:
            del _last_lost[known]
    is_repeat = task_id in _last_lost
    _last_lost[task_id] = now
    handle = heartline.current()
    if handle is not None and not is_repeat:
        handle.report(success=False)


def _runs() -> list[tuple[str, Run | None]]:
    """Returns this thread's runs, innermost last: `apply()` inside of a task runs another one."""
    try:
        runs: list[tuple[str, Run | None]] = _local.runs
    except AttributeError:
        runs = _local.runs = []
    return runs
