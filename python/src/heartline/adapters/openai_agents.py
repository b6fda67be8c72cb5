"""OpenAI Agents: each run of the runner is a task, also a streamed one.

The runner is wrapped, and not only listened to by a tracing processor: spans say nothing of a run
that waits for an approval, are silent where tracing is off, and can hold nothing back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from types import ModuleType
from typing import Any

from agents.lifecycle import RunHooks, RunHooksBase

import heartline

from .gate import begin_run_held_async, begin_run_later, begin_task_async
from .guard import guarded, warn_once
from .patch import replace_method
from .scope import Outcome, Run, count, leave, outcome_of
from .suspensions import suspensions
from .usage import Usage, as_count, as_mapping, as_text, as_usd

_SOURCE = "openai-agents"


class _Hooks(RunHooks[Any]):
    """The program's own hooks, and what this adapter learns from the same calls."""

    def __init__(self, inner: Any, run: Run, run_config: Any) -> None:
        self._inner = inner
        self._run = run
        self._run_config = run_config

    async def hold(self) -> None:
        """Holds back a streamed run that was started while the agent is killed."""
        await begin_task_async(self._run)

    def observe(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Takes a hook's call: a step, or a response with its tokens."""
        if name == "on_agent_start":
            self._step(_argument("agent", 1, args, kwargs))
        elif name == "on_tool_start":
            self._step(_argument("tool", 2, args, kwargs))
        elif name == "on_llm_end":
            agent, response = _argument("agent", 1, args, kwargs), _argument("response", 2, args, kwargs)
            self._count(agent, response)

    @guarded
    def _step(self, named: Any) -> None:
        name = as_text(getattr(named, "name", None))
        if name is not None:
            self._run.step(name)

    @guarded
    def _count(self, agent: Any, response: Any) -> None:
        model = getattr(self._run_config, "model", None) or getattr(agent, "model", None)
        usage = _usage_of(response, model)
        if usage.tokens_in is None:
            warn_once(
                f"the model {usage.model or 'of an agent'} reports no tokens, so they and its cost "
                "are unknown"
            )
        count(usage, _SOURCE, self._run.handle, self._run)


def _delegate(name: str) -> Any:
    async def hook(self: _Hooks, *args: Any, **kwargs: Any) -> None:
        await self.hold()
        if self._inner is not None:
            await getattr(self._inner, name)(*args, **kwargs)
        self.observe(name, args, kwargs)

    hook.__name__ = name
    return hook


for _name in dir(RunHooks):  # also those that later versions add
    if _name.startswith("on_"):
        setattr(_Hooks, _name, _delegate(_name))


def install(run_module: ModuleType) -> None:
    """Wraps the runner, so that every run of this process is followed.

    - `run_module`: the module `agents.run`.
    """
    runner = getattr(run_module, "AgentRunner", None)
    if runner is None:
        return  # another package of the name `agents`
    held = replace_method(runner, "run", _make_run)
    held &= replace_method(runner, "run_streamed", _make_run_streamed)
    if not held:
        warn_once("this version of openai-agents has another runner: no run is counted")


def _make_run(original: Any) -> Any:
    async def run(self: Any, starting_agent: Any, input: Any, **kwargs: Any) -> Any:
        _resume(input)
        task = await begin_run_held_async(_SOURCE, _name_of(starting_agent))
        if task is None:
            return await original(self, starting_agent, input, **kwargs)
        error: BaseException | None = None
        result = None
        try:
            result = await original(self, starting_agent, input, **(_with_hooks(task, kwargs) or kwargs))
            return result
        except BaseException as raised:
            error = raised
            raise
        finally:
            _end(task, result, error)

    return run


def _make_run_streamed(original: Any) -> Any:
    def run_streamed(self: Any, starting_agent: Any, input: Any, **kwargs: Any) -> Any:
        _resume(input)
        run = begin_run_later(_SOURCE, _name_of(starting_agent))
        if run is None:
            return original(self, starting_agent, input, **kwargs)
        try:
            result = original(self, starting_agent, input, **(_with_hooks(run, kwargs) or kwargs))
        except BaseException as error:
            _end(run, None, error)
            raise
        leave(run)  # it goes on in a task of the loop, which has a copy of this context
        _end_with(result, run)
        return result

    return run_streamed


@guarded
def _end_with(result: Any, run: Run) -> None:
    """Ends a streamed run with the task in which it goes on, whoever reads its events."""
    task = result.run_loop_task

    def ended(_: Any) -> None:
        # Not by `exception()`: that would mark the error as seen by the program.
        error = asyncio.CancelledError() if task.cancelled() else task._exception
        _end(run, result, error or result._stored_exception)

    task.add_done_callback(ended)


@guarded
def _end(run: Run, result: Any, error: BaseException | None) -> None:
    """Ends a run; one that waits for approvals is suspended until its state is run again."""
    outcome = outcome_of(error)
    try:
        interruptions = list(getattr(result, "interruptions", None) or ())
        if error is None and interruptions:
            outcome = Outcome.UNCOUNTED
            name = as_text(getattr(interruptions[0], "name", None))
            suspensions.suspend(_key_of(interruptions[0]), f"approval of {name}", run.handle)
    finally:
        run.end(outcome, type(error).__name__)


@guarded
def _resume(input: Any) -> None:
    """Takes back the wait of a run whose state is run again."""
    handle = heartline.current()
    interruptions = getattr(input, "get_interruptions", None)
    if handle is not None and interruptions is not None:
        for item in interruptions():
            suspensions.resume(_key_of(item), handle)


def _key_of(item: Any) -> Hashable:
    """Returns what stays the same when a state is written out and read back."""
    raw = item.raw_item
    fields = as_mapping(raw)
    for name in ("call_id", "id"):
        found = fields.get(name) or getattr(raw, name, None)
        if found is not None:
            return (_SOURCE, str(found))
    return (_SOURCE, id(raw))


@guarded
def _with_hooks(run: Run, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments of a run with hooks around those of the program.

    Those that are none are left for the runner to refuse.
    """
    hooks = kwargs.get("hooks")
    if hooks is not None and not isinstance(hooks, RunHooksBase):
        return kwargs
    return {**kwargs, "hooks": _Hooks(hooks, run, kwargs.get("run_config"))}


def _usage_of(response: Any, model: Any) -> Usage:
    used = response.usage
    is_known = bool(used.requests or used.input_tokens or used.output_tokens)
    raw = as_mapping(getattr(response, "raw_usage", None))
    return Usage(
        model=as_text(model) or as_text(getattr(model, "model", None)),
        tokens_in=as_count(used.input_tokens) if is_known else None,
        tokens_out=as_count(used.output_tokens) if is_known else None,
        tokens_cached=as_count(getattr(used.input_tokens_details, "cached_tokens", None)),
        reported_usd=as_usd(raw.get("cost")),
        response_id=as_text(response.response_id),
    )


def _name_of(agent: Any) -> str | None:
    return as_text(getattr(agent, "name", None))


def _argument(name: str, at: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Returns an argument of a hook, however it was passed."""
    return kwargs[name] if name in kwargs else args[at]
