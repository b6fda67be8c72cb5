"""AutoGen AgentChat: each run of an agent or a team is a task.

AutoGen announces no run of a single agent, and an exception in a handler of its own hooks breaks or
hangs the run, so `run` and `run_stream` are wrapped.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import ModuleType
from typing import Any

from .gate import begin_run_held_async
from .guard import guarded, warn_once
from .patch import replace_method
from .scope import Outcome, Run, count, enter, leave
from .usage import Usage, as_count, as_text

_SOURCE = "autogen"


def install_agents(module: ModuleType) -> None:
    """Wraps the runs of single agents.

    - `module`: the module of `BaseChatAgent`.
    """
    _install(module.BaseChatAgent)


def install_teams(module: ModuleType) -> None:
    """Wraps the runs of teams.

    - `module`: the module of `BaseGroupChat`.
    """
    _install(module.BaseGroupChat)


def _install(runner: Any) -> None:
    held = replace_method(runner, "run", _make_run)
    held &= replace_method(runner, "run_stream", _make_run_stream)
    if not held:
        warn_once(f"this version of AutoGen has another {runner.__name__}: its runs aren't counted")


def _make_run(original: Any) -> Any:
    async def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        run = await begin_run_held_async(_SOURCE, _name_of(self))
        if run is None:
            return await original(self, *args, **kwargs)
        try:
            result = await original(self, *args, **kwargs)
        except BaseException as error:
            run.end_by(error)
            raise
        if run.is_outermost_of_source:  # that of a team has the messages of its agents
            for message in getattr(result, "messages", ()):
                _count(run, message)
        run.end(Outcome.OK)
        return result

    return run


def _make_run_stream(original: Any) -> Any:
    async def run_stream(self: Any, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        run = await begin_run_held_async(_SOURCE, _name_of(self))
        messages = original(self, *args, **kwargs)
        if run is None:
            async for message in messages:
                yield message
            return
        leave(run)
        error: BaseException | None = None
        try:
            while True:
                enter(run)
                try:
                    message = await messages.__anext__()
                except StopAsyncIteration:
                    break
                except BaseException as raised:
                    error = raised
                    raise
                finally:
                    leave(run)  # what the reader does between two messages is no part of the run
                _observe(run, message)
                yield message  # what is raised here is the reader's, who has left
        finally:
            run.end_by(error)
            await messages.aclose()

    return run_stream


@guarded
def _observe(run: Run, message: Any) -> None:
    """Takes a message of a stream: a step, tokens, or a question to a person."""
    if type(message).__name__ == "UserInputRequestedEvent":
        run.begin_waiting(f"input from {message.source}")
        return
    run.end_waiting()
    source = getattr(message, "source", None)
    if isinstance(source, str):
        run.step(source)
    if run.is_outermost_of_source:
        _count(run, message)


@guarded
def _count(run: Run, message: Any) -> None:
    """Counts what the model used for a message; each comes once in a stream or a result.

    The same numbers are logged and published several times more, which is why nobody sums those.
    """
    used = getattr(message, "models_usage", None)
    if used is not None:
        usage = Usage(
            tokens_in=as_count(used.prompt_tokens), tokens_out=as_count(used.completion_tokens)
        )
        count(usage, _SOURCE, run.handle, run)


@guarded
def _name_of(runner: Any) -> str | None:
    return as_text(getattr(runner, "name", None))
