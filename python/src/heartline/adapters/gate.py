"""Begins the runs of frameworks, and holds new tasks back while the agent is killed."""

from __future__ import annotations

from typing import Final

import heartline

from .guard import guarded_start, guarded_start_async
from .scope import Run, current_run, enter, live, program_task


class _Here:
    """Stands for the run that goes on in this context."""


HERE: Final = _Here()


@guarded_start
def begin_run(
    source: str, name: str | None = None, *, outer: Run | None | _Here = HERE
) -> Run | None:
    """Begins a run at once, also in a killed agent; None while there is no emitter.

    - `source`: the framework that runs.
    - `name`: what it runs.
    - `outer`: the run that this one is a part of, if it isn't the one that goes on here.
    """
    run = _new_run(source, outer)
    if run is not None:
        if run.is_new_task:
            run.take_task(run.handle.begin(name))
        enter(run)
    return run


@guarded_start
def begin_run_held(
    source: str, name: str | None = None, *, outer: Run | None | _Here = HERE
) -> Run | None:
    """Begins a run; a new task waits in this thread while the agent is killed, or raises
    `AgentKilled` where the program asked for it."""
    run = _new_run(source, outer)
    if run is not None:
        if run.is_new_task:
            task = run.handle.task(name)
            task.__enter__()
            task.leave_context()
            run.take_task(task)
        enter(run)
    return run


@guarded_start_async
async def begin_run_held_async(
    source: str, name: str | None = None, *, outer: Run | None | _Here = HERE
) -> Run | None:
    """Begins a run; a new task waits while the agent is killed, and the event loop goes on; or it
    raises `AgentKilled` where the program asked for it."""
    run = _new_run(source, outer)
    if run is not None:
        await begin_task_async(run, name)
        enter(run)
    return run


@guarded_start
def begin_run_later(source: str, name: str | None = None) -> Run | None:
    """Begins a run at once; in a killed agent its task is left for `begin_task_async`.

    For frameworks that start a run in a function that must not wait.
    """
    run = _new_run(source, HERE)
    if run is not None:
        if run.is_new_task and not run.handle.killed:
            run.take_task(run.handle.begin(name))
        enter(run)
    return run


@guarded_start_async
async def begin_task_async(run: Run, name: str | None = None) -> None:
    """Begins the task of a run that has none yet, once the agent is not killed."""
    if run.is_new_task:
        task = run.handle.task(name)
        await task.__aenter__()
        task.leave_context()
        run.take_task(task)


def _new_run(source: str, outer: Run | None | _Here) -> Run | None:
    handle = heartline.current()
    if handle is None:
        return None
    outer = current_run() if isinstance(outer, _Here) else live(outer)
    return Run(handle, source, outer, program_task() if outer is None else None)
