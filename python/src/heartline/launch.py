"""Start of an emitter."""

from __future__ import annotations

import os
from .arguments import Arguments
from .core import Core
from .credentials import Credentials
from .engine.applied import AppliedStates
from .gate import KillCause
from .problem import Problem, reason
from .settings import on_kill_problem, resolve


def launch(arguments: Arguments) -> Core:
    """Starts an emitter. Never raises, and never blocks on the network: problems are in the status,
    and are logged once."""
    on_kill = arguments.on_kill if callable(arguments.on_kill) else None
    problems: list[Problem] = []
    problem = on_kill_problem(arguments.on_kill)
    if problem is not None:
        problems.append(problem)
        on_kill = None
    core = Core(str(arguments.name), on_kill)
    try:
        _launch(core, arguments, problems)
    except Exception as error:
        problems.append(
            Problem(
                "not_started",
                f"can't start the emitter: {type(error).__name__}: {reason(error)}; nothing is sent",
            )
        )
    for problem in problems:
        core.add_problem(problem, log=problem.kind != "disabled")
    return core


def _launch(core: Core, arguments: Arguments, problems: list[Problem]) -> None:
    settings = resolve(arguments, os.environ, problems)
    if isinstance(settings, Problem):
        problems.insert(0, settings)
        return
    credentials = settings.token.credentials(settings.agent)
    applied = AppliedStates()
    if settings.memory is not None:
        fleet = credentials.fleet if isinstance(credentials, Credentials) else None
        applied, unread = settings.memory.read(fleet)
        core.sender.memory_problems = unread
        for problem in unread:
            core.log.warn(problem)
    # Before the agent has the handle, so that not one task starts: a kill outlives a restart, also one
    # with an invalid token.
    if applied.is_killed:
        core.kill(KillCause.COMMAND)
    if not settings.collectors:
        return
    if isinstance(credentials, Problem) and not settings.token.may_change:
        problems.append(credentials)
        return
    # Loaded where something is sent at all.
    from .sender.thread import Sender
    from .sender.waker import Waker

    core.waker = Waker()
    try:
        core.start_sender(Sender(core, settings, applied, credentials))
    except RuntimeError as error:
        core.abandon()
        core.waker = None
        problems.append(
            Problem(
                "thread_not_started",
                f"can't start the sender's thread: {reason(error)}; nothing is sent",
            )
        )
