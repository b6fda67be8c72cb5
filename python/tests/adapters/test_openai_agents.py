"""OpenAI Agents, with a fake model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from agents import (
    Agent as OpenAIAgent,
)
from agents import (
    GuardrailFunctionOutput,
    InputGuardrailTripwireTriggered,
    Model,
    ModelResponse,
    RunConfig,
    RunHooks,
    Runner,
    RunState,
    Usage,
    function_tool,
    input_guardrail,
)
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)
from openai.types.responses.response_usage import (
    InputTokensDetails,
    OutputTokensDetails,
    ResponseUsage,
)

import heartline

from .conftest import Agent

assert "openai-agents" in heartline.auto("openai-agents")
UNTRACED = RunConfig(tracing_disabled=True)


def says(text: str) -> Any:
    return ResponseOutputMessage(
        id="m", type="message", role="assistant", status="completed",
        content=[ResponseOutputText(text=text, type="output_text", annotations=[])],
    )


def calls(tool: str, arguments: str = "{}") -> Any:
    return ResponseFunctionToolCall(
        id="f", call_id="call-1", type="function_call", name=tool, arguments=arguments
    )


class FakeModel(Model):
    """A model that gives the answers it was made with; an exception is raised."""

    model = "gpt-4o"

    def __init__(self, *answers: Any, hangs: bool = False) -> None:
        self.answers = list(answers)
        self.hangs = hangs

    def answer(self) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        if self.hangs:
            await asyncio.sleep(3600)
        usage = Usage(requests=1, input_tokens=10, output_tokens=5, total_tokens=15)
        return ModelResponse(output=[self.answer()], usage=usage, response_id=None)

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        usage = ResponseUsage(
            input_tokens=10, output_tokens=5, total_tokens=15,
            input_tokens_details=InputTokensDetails(cached_tokens=0, cache_write_tokens=0),
            output_tokens_details=OutputTokensDetails(reasoning_tokens=0),
        )
        response = Response(
            id="r", created_at=0, model="gpt-4o", object="response", output=[self.answer()],
            tool_choice="auto", tools=[], parallel_tool_calls=False, usage=usage,
        )
        yield ResponseCompletedEvent(type="response.completed", sequence_number=0, response=response)


def assistant(*answers: Any, **options: Any) -> OpenAIAgent[Any]:
    return OpenAIAgent(name="assistant", model=FakeModel(*answers), **options)


def test_a_run_is_a_task_with_its_tokens(agent: Agent) -> None:
    asyncio.run(Runner.run(assistant(says("hi")), "hello", run_config=UNTRACED))
    Runner.run_sync(assistant(says("hi")), "hello", run_config=UNTRACED)
    assert agent.counted() == {"ok": 2, "failed": 0, "tokens": (20, 10), "usd": 0.0}


def test_a_streamed_run_is_a_task(agent: Agent) -> None:
    async def run() -> None:
        result = Runner.run_streamed(assistant(says("hi")), "hello", run_config=UNTRACED)
        async for _ in result.stream_events():
            pass

    asyncio.run(run())
    assert agent.counted() == {"ok": 1, "failed": 0, "tokens": (10, 5), "usd": 0.0}


def test_a_stream_that_nobody_reads_goes_on_to_its_end(agent: Agent) -> None:
    async def run() -> None:
        result = Runner.run_streamed(assistant(says("hi")), "hello", run_config=UNTRACED)
        task: Any = result.run_loop_task
        await task

    asyncio.run(run())
    assert agent.counted()["ok"] == 1


def test_failures(agent: Agent) -> None:
    @input_guardrail
    async def never(*args: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=True)

    async def streamed() -> None:
        result = Runner.run_streamed(assistant(ValueError("no")), "hello", run_config=UNTRACED)
        async for _ in result.stream_events():
            pass

    with pytest.raises(ValueError):
        asyncio.run(Runner.run(assistant(ValueError("no")), "hello", run_config=UNTRACED))
    with pytest.raises(InputGuardrailTripwireTriggered):
        guarded = assistant(says("hi"), input_guardrails=[never])
        asyncio.run(Runner.run(guarded, "hello", run_config=UNTRACED))
    with pytest.raises(ValueError):
        asyncio.run(streamed())
    assert agent.counted()["failed"] == 3


def test_a_cancelled_run_has_failed_and_is_over(agent: Agent) -> None:
    hanging = OpenAIAgent(name="assistant", model=FakeModel(hangs=True))

    async def run() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(Runner.run(hanging, "hello", run_config=UNTRACED), 0.05)

    asyncio.run(run())
    assert agent.counted()["failed"] == 1


def test_an_agent_as_a_tool_is_a_part(agent: Agent) -> None:
    inner = assistant(says("inner")).as_tool("inner", "asks")
    outer = assistant(calls("inner", '{"input": "x"}'), says("hi"), tools=[inner])
    asyncio.run(Runner.run(outer, "x", run_config=UNTRACED))
    assert agent.counted() == {"ok": 1, "failed": 0, "tokens": (30, 15), "usd": 0.0}


def test_an_approval_waits_and_its_resume_counts_once(agent: Agent) -> None:
    @function_tool(needs_approval=True)
    def delete() -> str:
        return "deleted"

    careful = assistant(calls("delete"), says("done"), tools=[delete])

    async def run() -> None:
        result = await Runner.run(careful, "x", run_config=UNTRACED)
        assert result.interruptions
        await asyncio.to_thread(
            agent.wait_for, "the wait",
            lambda agent: (agent["phase"], agent["step"]) == ("waiting", "approval of delete"),
        )
        text = result.to_state().to_string()  # as another request would find it
        state: Any = await RunState.from_string(careful, text)
        state.approve(state.get_interruptions()[0])
        await Runner.run(careful, state, run_config=UNTRACED)

    asyncio.run(run())
    agent.wait_for("the end of the wait", lambda agent: agent["phase"] == "running")
    assert agent.counted() == {"ok": 1, "failed": 0, "tokens": (20, 10), "usd": 0.0}


def test_the_hooks_of_the_program_are_called_as_ever(agent: Agent) -> None:
    seen = []

    class Hooks(RunHooks[Any]):
        async def on_agent_start(self, context: Any, agent: Any) -> None:
            seen.append("start")

        async def on_handoff(self, context: Any, from_agent: Any, to_agent: Any) -> None:
            seen.append(f"{from_agent.name} to {to_agent.name}")

        async def on_llm_end(self, context: Any, agent: Any, response: Any) -> None:
            seen.append("llm")

    other = OpenAIAgent(name="other", model=FakeModel(says("hi")))
    first = assistant(calls("transfer_to_other"), handoffs=[other])
    asyncio.run(Runner.run(first, "x", run_config=UNTRACED, hooks=Hooks()))
    assert seen == ["start", "llm", "assistant to other", "start", "llm"]
    assert agent.counted()["ok"] == 1


def test_a_kill_holds_new_runs_streamed_ones_too(agent: Agent) -> None:
    agent.kill()
    results: list[Any] = []

    async def streamed() -> None:
        result = Runner.run_streamed(assistant(says("hi")), "hello", run_config=UNTRACED)
        async for _ in result.stream_events():
            pass
        results.append(result)

    def run() -> None:
        results.append(Runner.run_sync(assistant(says("hi")), "hello", run_config=UNTRACED))

    held = [threading.Thread(target=run), threading.Thread(target=lambda: asyncio.run(streamed()))]
    for thread in held:
        thread.start()
    for thread in held:
        thread.join(0.2)
    assert results == [] and agent.hb.status().in_flight == 0
    agent.resume()
    for thread in held:
        thread.join(10)
    assert len(results) == 2
    assert agent.counted()["ok"] == 2


def test_a_kill_raises_where_the_program_asked_for_it(raising_agent: Agent) -> None:
    raising_agent.kill()
    with pytest.raises(heartline.AgentKilled):
        Runner.run_sync(assistant(says("hi")), "hello", run_config=UNTRACED)
    raising_agent.resume()
    assert raising_agent.counted()["ok"] == 0
