"""Pydantic AI: each run of an agent is a task.

A capability of this adapter is added to the run of every agent. Its `wrap_run` is the only hook that
sees every outcome.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from pydantic_ai.capabilities import AbstractCapability

import heartline

from .gate import begin_run_held_async
from .guard import guarded, warn_once
from .patch import replace_method
from .scope import Outcome, Run, count, current_run, outcome_of
from .suspensions import suspensions
from .usage import Usage, as_count, as_text, as_usd

_SOURCE = "pydantic-ai"


@dataclass
class HeartlineCapability(AbstractCapability[Any]):
    """Follows the runs of an agent: `Agent(..., capabilities=[HeartlineCapability()])`.

    `heartline.auto()` adds it to every run of every agent.
    """

    id: str | None = "heartline"  # so that one given by the program and one of `auto` are one
    was_left: bool = False
    """Whether the program has left the run, so that its cancellation is no failure."""

    async def wrap_run(self, ctx: Any, *, handler: Any) -> Any:
        """Holds a run back in a killed agent, counts it, and lets its outcome through."""
        _resume(ctx)
        run = await begin_run_held_async(_SOURCE, _name_of(ctx))
        if run is None:
            return await handler()
        error: BaseException | None = None
        result = None
        try:
            result = await handler()
            return result
        except BaseException as raised:
            error = raised if not self.was_left else None
            raise
        finally:
            _end(run, ctx, result, error)

    async def after_model_request(
        self, ctx: Any, *, request_context: Any, response: Any
    ) -> Any:
        """Counts what a response used."""
        _count(response)
        return response

    async def before_tool_execute(
        self, ctx: Any, *, call: Any, tool_def: Any, args: Any
    ) -> Any:
        """Takes a tool as a step."""
        _step(call)
        return args


def install(agent_module: ModuleType) -> None:
    """Adds the capability to every run of every agent.

    - `agent_module`: the module `pydantic_ai.agent`.
    """
    if not replace_method(agent_module.Agent, "iter", _make_iter):
        warn_once("this version of pydantic-ai has another Agent: no run is counted")


def _make_iter(original: Any) -> Any:
    def iter(self: Any, *args: Any, **kwargs: Any) -> Any:
        capability = HeartlineCapability()
        given = kwargs.pop("capabilities", None) or ()
        return _Iteration(
            original(self, *args, capabilities=[capability, *given], **kwargs), capability
        )

    return iter


class _Iteration:
    """The run of an agent as its program holds it, which shows whether the program leaves it early."""

    def __init__(self, inner: Any, capability: HeartlineCapability) -> None:
        self._inner = inner
        self._capability = capability

    async def __aenter__(self) -> Any:
        return await self._inner.__aenter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: Any, traceback: Any) -> Any:
        self._capability.was_left = kind is None or issubclass(kind, GeneratorExit)
        return await self._inner.__aexit__(kind, error, traceback)


@guarded
def _resume(ctx: Any) -> None:
    """Takes back the wait of a conversation that goes on."""
    handle = heartline.current()
    if handle is not None:
        suspensions.resume(_key_of(ctx), handle)


@guarded
def _end(run: Run, ctx: Any, result: Any, error: BaseException | None) -> None:
    """Ends a run; one that asks for approvals or results is suspended until it goes on."""
    outcome = outcome_of(error)
    try:
        deferred = _deferred(getattr(result, "output", None))
        if error is None and deferred is not None:
            outcome = Outcome.UNCOUNTED
            suspensions.suspend(_key_of(ctx), deferred, run.handle)
    finally:
        run.end(outcome, type(error).__name__)


@guarded
def _count(response: Any) -> None:
    run = current_run()
    handle = run.handle if run is not None else heartline.current()
    if handle is None:
        return
    used = response.usage
    is_known = not getattr(used, "unmeasured_requests", 0)
    usage = Usage(
        model=as_text(response.model_name),
        provider=as_text(response.provider_name),
        tokens_in=as_count(used.input_tokens) if is_known else None,
        tokens_out=as_count(used.output_tokens) if is_known else None,
        tokens_cached=as_count(used.cache_read_tokens) or None,
        reported_usd=as_usd(getattr(used, "cost", None)),
        response_id=as_text(response.provider_response_id),
    )
    if not is_known:
        warn_once(f"the model {usage.model} reports no tokens, so they and its cost are unknown")
    count(usage, _SOURCE, handle, run)


@guarded
def _step(call: Any) -> None:
    run = current_run()
    if run is not None:
        run.step(call.tool_name)


def _deferred(output: Any) -> str | None:
    """Returns what a run asks for instead of an answer, if it does."""
    if type(output).__name__ != "DeferredToolRequests":
        return None
    if output.approvals:
        return f"approval of {output.approvals[0].tool_name}"
    return f"result of {output.calls[0].tool_name}" if output.calls else None


def _key_of(ctx: Any) -> Hashable:
    """Returns what a run and the one that resumes it have in common."""
    return (_SOURCE, ctx.conversation_id)


@guarded
def _name_of(ctx: Any) -> str | None:
    return as_text(getattr(ctx.agent, "name", None))
