"""CrewAI: each outermost run of a crew or a flow is a task.

Runs are begun and ended around the methods that start them. CrewAI's event bus could not do that: it
calls its handlers in a pool of threads, in any order, so they hold nothing back. It tells the rest,
in copies of the run's context: steps, tokens, and questions to a person.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import heartline

from .gate import begin_run_held, begin_run_held_async
from .guard import guarded, warn_once
from .patch import replace_method
from .scope import Outcome, Run, count, current_run
from .suspensions import suspensions
from .usage import Usage, as_count, as_mapping, as_text

_SOURCE = "crewai"


def install_crews(module: ModuleType) -> None:
    """Wraps the runs of crews.

    - `module`: the module `crewai.crew`.
    """
    held = replace_method(module.Crew, "kickoff", _make_kickoff)
    held &= replace_method(module.Crew, "akickoff", _make_akickoff)
    if not held:
        warn_once("this version of CrewAI has another Crew: its runs aren't counted")
    _listen()


def install_flows(module: ModuleType) -> None:
    """Wraps the runs of flows.

    - `module`: the module of CrewAI's `Flow`.
    """
    held = replace_method(module.Flow, "kickoff_async", _make_akickoff)
    held &= replace_method(module.Flow, "resume_async", _make_akickoff)
    if not held:
        warn_once("this version of CrewAI has another Flow: its runs aren't counted")


def _make_kickoff(original: Any) -> Any:
    def kickoff(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _is_stream(self):
            return original(self, *args, **kwargs)
        run = begin_run_held(_SOURCE, _name_of(self))
        return _run(run, lambda: original(self, *args, **kwargs))

    return kickoff


def _run(run: Run | None, kickoff: Any) -> Any:
    if run is None:
        return kickoff()
    try:
        result = kickoff()
    except BaseException as error:
        run.end_by(error)
        raise
    _end(run, result)
    return result


def _make_akickoff(original: Any) -> Any:
    async def kickoff(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _is_stream(self):
            return await original(self, *args, **kwargs)
        _resume(self)
        run = await begin_run_held_async(_SOURCE, _name_of(self))
        if run is None:
            return await original(self, *args, **kwargs)
        try:
            result = await original(self, *args, **kwargs)
        except BaseException as error:
            run.end_by(error)
            raise
        _end(run, result)
        return result

    return kickoff


@guarded
def _end(run: Run, result: Any) -> None:
    """Ends a run that returned; a paused flow returns what it waits for."""
    outcome = Outcome.OK
    try:
        if type(result).__name__ == "HumanFeedbackPending":
            outcome = Outcome.UNCOUNTED
            context = result.context
            name = f"feedback for {context.method_name}"
            suspensions.suspend((_SOURCE, context.flow_id), name, run.handle)
    finally:
        run.end(outcome)


@guarded
def _resume(runner: Any) -> None:
    """Takes back the wait of a flow that goes on."""
    handle = heartline.current()
    flow_id = getattr(runner, "flow_id", None)
    if handle is not None and flow_id is not None:
        suspensions.resume((_SOURCE, flow_id), handle)


def _is_stream(runner: Any) -> bool:
    """Says whether a call only returns a stream; the run is another call then, in a thread."""
    return getattr(runner, "stream", False) is True


@guarded
def _name_of(runner: Any) -> str | None:
    return as_text(getattr(runner, "name", None)) or type(runner).__name__


def _listen() -> None:
    """Listens to CrewAI's event bus."""
    bus: Any = import_module("crewai.events.event_bus").crewai_event_bus
    for module, event, handler in (
        ("llm_events", "LLMCallCompletedEvent", _called),
        ("task_events", "TaskStartedEvent", _task_began),
        ("tool_usage_events", "ToolUsageStartedEvent", _tool_began),
        ("flow_events", "MethodExecutionStartedEvent", _method_began),
        ("flow_events", "HumanFeedbackRequestedEvent", _feedback_requested),
        ("flow_events", "HumanFeedbackReceivedEvent", _feedback_received),
    ):
        bus.on(getattr(import_module(f"crewai.events.types.{module}"), event))(handler)


@guarded
def _called(source: Any, event: Any) -> None:
    """Counts what a response used."""
    run = current_run()
    handle = run.handle if run is not None else heartline.current()
    if handle is None:
        return
    used = as_mapping(event.usage)
    usage = Usage(
        model=as_text(event.model),
        tokens_in=as_count(used.get("prompt_tokens")),
        tokens_out=as_count(used.get("completion_tokens")),
        tokens_cached=as_count(used.get("cached_prompt_tokens")),
        response_id=as_text(getattr(event, "response_id", None)),
    )
    if usage.tokens_in is None:
        warn_once(
            f"the model {usage.model or 'of a crew'} reports no tokens, so they and its cost are "
            "unknown"
        )
    count(usage, _SOURCE, handle, run)


@guarded
def _task_began(source: Any, event: Any) -> None:
    _step(event.task_name)


@guarded
def _tool_began(source: Any, event: Any) -> None:
    _step(event.tool_name)


@guarded
def _method_began(source: Any, event: Any) -> None:
    if type(source).__name__ != "AgentExecutor":  # the inside of an agent
        _step(event.method_name)


def _step(name: Any) -> None:
    run = current_run()
    if run is not None and isinstance(name, str):
        run.step(name)


@guarded
def _feedback_requested(source: Any, event: Any) -> None:
    run = current_run()
    if run is not None:
        run.begin_waiting(f"feedback for {event.method_name}")


@guarded
def _feedback_received(source: Any, event: Any) -> None:
    run = current_run()
    if run is not None:
        run.end_waiting(may_be_early=True)
