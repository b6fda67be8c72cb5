"""Pydantic AI, with its own fake models; and its spans beside the adapter."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai import DeferredToolRequests, DeferredToolResults, RunContext
from pydantic_ai.capabilities.instrumentation import Instrumentation
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RequestUsage

import heartline

from .conftest import Agent

assert "pydantic-ai" in heartline.auto("pydantic-ai", "opentelemetry")


def answer(messages: list[Any], info: AgentInfo) -> ModelResponse:
    return ModelResponse(
        [TextPart("hi")], usage=RequestUsage(input_tokens=10, output_tokens=5), model_name="gpt-4o"
    )


def assistant(function: Any = answer, **options: Any) -> PydanticAgent[Any, Any]:
    return PydanticAgent(FunctionModel(function, model_name="gpt-4o"), name="assistant", **options)


def test_a_run_is_a_task_with_its_tokens_and_cost(agent: Agent) -> None:
    assistant().run_sync("hello")
    counted = agent.counted()
    assert (counted["ok"], counted["failed"], counted["tokens"]) == (1, 0, (10, 5))
    assert counted["usd"] == pytest.approx(10 * 2.5e-6 + 5 * 10e-6)  # by Pydantic AI's own table


def test_a_failed_run_has_failed(agent: Agent) -> None:
    def fails(messages: list[Any], info: AgentInfo) -> ModelResponse:
        raise ValueError("no")

    with pytest.raises(ValueError):
        assistant(fails).run_sync("hello")
    assert agent.counted()["failed"] == 1


def test_a_cancelled_run_has_failed_and_is_over(agent: Agent) -> None:
    async def hangs(messages: list[Any], info: AgentInfo) -> ModelResponse:
        await asyncio.sleep(3600)
        raise AssertionError

    async def run() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(assistant(hangs).run("hello"), 0.05)

    asyncio.run(run())
    assert agent.counted()["failed"] == 1


def test_a_run_that_is_left_early_is_no_failure(agent: Agent) -> None:
    async def run() -> None:
        async with PydanticAgent(TestModel()).iter("hello") as nodes:
            async for _ in nodes:
                break
        async with PydanticAgent(TestModel()).run_stream("hello") as stream:
            async for _ in stream.stream_text():
                break

    asyncio.run(run())
    counted = agent.counted()
    assert (counted["ok"], counted["failed"]) == (2, 0)


def test_an_agent_in_a_tool_is_a_part(agent: Agent) -> None:
    outer = PydanticAgent(TestModel(call_tools=["ask"]))

    @outer.tool
    async def ask(context: RunContext[Any]) -> str:
        return str((await assistant().run("inner", usage=context.usage)).output)

    outer.run_sync("hello")
    assert agent.counted()["ok"] == 1


def test_an_approval_waits_and_its_resume_counts_once(agent: Agent) -> None:
    careful = PydanticAgent(
        TestModel(call_tools=["delete"]), output_type=[str, DeferredToolRequests]
    )

    @careful.tool_plain(requires_approval=True)
    def delete() -> str:
        return "deleted"

    result = careful.run_sync("hello")
    requests: Any = result.output
    agent.wait_for(
        "the wait",
        lambda agent: (agent["phase"], agent["step"]) == ("waiting", "approval of delete"),
    )
    approvals = DeferredToolResults(
        approvals={call.tool_call_id: True for call in requests.approvals}
    )
    careful.run_sync(message_history=result.all_messages(), deferred_tool_results=approvals)
    agent.wait_for("the end of the wait", lambda agent: agent["phase"] == "running")
    counted = agent.counted()
    assert (counted["ok"], counted["failed"]) == (1, 0)


@pytest.mark.parametrize("follow_spans_only", [False, True])
def test_spans_beside_the_adapter_count_nothing_twice(
    agent: Agent, follow_spans_only: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if follow_spans_only:
        from heartline.adapters import pydantic_ai

        monkeypatch.setattr(
            pydantic_ai, "begin_run_held_async", lambda *_: asyncio.sleep(0, result=None)
        )
        monkeypatch.setattr(pydantic_ai, "_count", lambda response: None)
    provider = TracerProvider()
    settings = InstrumentationSettings(tracer_provider=provider)
    instrumented = assistant(capabilities=[Instrumentation(settings=settings)])
    instrumented.run_sync("hello")
    instrumented.run_sync("hello")
    counted = agent.counted()
    assert (counted["ok"], counted["failed"], counted["tokens"]) == (2, 0, (20, 10))


def test_a_kill_holds_new_runs(agent: Agent) -> None:
    agent.kill()
    results: list[Any] = []
    held = threading.Thread(target=lambda: results.append(assistant().run_sync("hello")))
    held.start()
    held.join(0.2)
    assert results == [] and agent.hb.status().in_flight == 0
    agent.resume()
    held.join(10)
    assert len(results) == 1
    assert agent.counted()["ok"] == 1


def test_a_kill_raises_where_the_program_asked_for_it(raising_agent: Agent) -> None:
    raising_agent.kill()
    with pytest.raises(heartline.AgentKilled):
        assistant().run_sync("hello")
    raising_agent.resume()
    assert raising_agent.counted()["ok"] == 0
