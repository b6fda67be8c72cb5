"""The rule that makes tasks of spans, with the SDK of OpenTelemetry and what writes spans by itself.

The instrumentations that have to be installed apart are tried in `apart/otel` and `apart/genai`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.capabilities.instrumentation import Instrumentation
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.test import TestModel

import heartline
from heartline.adapters.opentelemetry import HeartlineSpanProcessor, processor

from .conftest import Agent

assert "opentelemetry" in heartline.auto("opentelemetry")
PROVIDER = TracerProvider()
AGENT = {"gen_ai.operation.name": "invoke_agent"}
TOOL = {"gen_ai.operation.name": "execute_tool"}
CALL: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 5,
}


def span(name: str, attributes: Any = None, scope: str = "mine", **options: Any) -> Any:
    tracer = PROVIDER.get_tracer(scope)
    return tracer.start_as_current_span(name, attributes=attributes or {}, **options)


def ends(agent: Agent) -> tuple[int, int, tuple[int, int]]:
    counted = agent.counted()
    return counted["ok"], counted["failed"], counted["tokens"]


@pytest.fixture
def without_adapter(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Takes the adapter of Pydantic AI away, where another test has installed it."""
    replaced: Any = PydanticAgent.iter
    if hasattr(replaced, "__heartline_replaced__"):
        monkeypatch.setattr(PydanticAgent, "iter", replaced.__wrapped__)
    yield


@pytest.mark.usefixtures("without_adapter")
def test_an_instrumented_framework_needs_no_adapter(agent: Agent) -> None:
    instrumentation = Instrumentation(settings=InstrumentationSettings(tracer_provider=PROVIDER))
    outer: Any = PydanticAgent(TestModel(call_tools=["ask"]), capabilities=[instrumentation])
    inner: Any = PydanticAgent(TestModel(), capabilities=[instrumentation])
    used = []

    @outer.tool_plain
    async def ask() -> str:
        result = await inner.run("inner")
        used.append(result.usage)
        return "answer"

    with span("GET /chat", scope="http"):
        used.append(outer.run_sync("hello").usage)

    def fail() -> str:
        raise ValueError("no")

    failing: Any = PydanticAgent(TestModel(), tools=[fail], capabilities=[instrumentation])
    with pytest.raises(ValueError):
        failing.run_sync("hello")
    ok, failed, tokens = ends(agent)
    assert (ok, failed) == (1, 1)
    assert tokens[0] > sum(it.input_tokens for it in used) > 0


@pytest.mark.usefixtures("without_adapter")
def test_runs_beside_each_other_are_tasks_each(agent: Agent) -> None:
    instrumentation = Instrumentation(settings=InstrumentationSettings(tracer_provider=PROVIDER))
    assistant: Any = PydanticAgent(TestModel(), capabilities=[instrumentation])

    async def run() -> None:
        await asyncio.gather(*(assistant.run("hello") for _ in range(3)))

    asyncio.run(run())
    assert ends(agent)[:2] == (3, 0)


def test_the_outermost_span_of_an_agent_is_the_task(agent: Agent) -> None:
    with span("GET /", scope="http"):
        with span("invoke_agent outer", AGENT):
            with span("mine"), span("invoke_agent inner", AGENT), span("chat", CALL):
                pass
            with span("chat", CALL):
                pass
        with span("invoke_agent second", AGENT):
            pass
    assert ends(agent) == (2, 0, (20, 10))


def test_a_remote_parent_is_not_around(agent: Agent) -> None:
    remote = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    context = trace.set_span_in_context(NonRecordingSpan(remote))
    with span("invoke_agent", AGENT, context=context):
        pass
    assert ends(agent)[:2] == (1, 0)


def test_what_a_span_is_may_show_at_its_end(agent: Agent) -> None:
    scope = "openinference.instrumentation.langchain"
    with span("LangGraph", scope=scope) as root:
        with span("ChatModel", scope=scope) as call:
            call.set_attributes(
                {
                    "openinference.span.kind": "LLM",
                    "llm.token_count.prompt": 10,
                    "llm.token_count.completion": 5,
                }
            )
        root.set_attribute("openinference.span.kind", "CHAIN")
    with span("ChatModel", scope=scope) as alone:
        alone.set_attributes({"openinference.span.kind": "LLM", "llm.token_count.prompt": 7})
    with span("create_agent", {"gen_ai.operation.name": "create_agent"}):
        pass
    with span("execute_tool", TOOL):
        pass
    assert ends(agent) == (1, 0, (17, 5))


def test_a_call_around_another_counts_once(agent: Agent) -> None:
    with span("invoke_agent", AGENT), span("chat", CALL):
        with span("chat", {**CALL, "gen_ai.usage.input_tokens": 11}, scope="client"):
            pass
        with span("retry", {**CALL, "gen_ai.response.id": "r"}, scope="client"):
            pass
    assert ends(agent) == (1, 0, (10, 5))


def test_the_cost_and_the_id_of_a_response_count(agent: Agent) -> None:
    priced = {**CALL, "operation.cost": 0.25, "gen_ai.response.id": "priced"}
    with span("invoke_agent", AGENT):
        with span("chat", priced):
            pass
        with span("chat", priced, scope="other"):
            pass
    assert agent.counted() == {"ok": 1, "failed": 0, "tokens": (10, 5), "usd": 0.25}


def test_failures(agent: Agent) -> None:
    error = Status(StatusCode.ERROR)
    scope = "openinference.instrumentation.openai_agents"
    with span("invoke_agent", AGENT) as failed:
        failed.set_status(error)
    with span("invoke_agent", AGENT), span("chat", CALL) as recovered:
        recovered.set_status(error)
    with span("Agent workflow", AGENT, scope), span("assistant", AGENT, scope) as below:
        below.set_status(error)
    with (
        span("Agent workflow", AGENT, scope),
        span("tool", TOOL, scope),
        span("inner", AGENT, scope) as in_tool,
    ):
        in_tool.set_status(error)
    assert ends(agent)[:2] == (2, 2)


def test_spans_in_a_task_of_the_program_are_parts(agent: Agent) -> None:
    with agent.hb.task(), span("invoke_agent", AGENT), span("chat", CALL):
        pass
    assert ends(agent) == (1, 0, (10, 5))


def test_a_child_that_ends_after_its_parent_counts(agent: Agent) -> None:
    with span("invoke_agent", AGENT):
        late = PROVIDER.get_tracer("mine").start_span("chat", attributes=CALL)
    late.end()
    assert ends(agent) == (1, 0, (10, 5))


def test_a_span_that_never_ends_is_given_up(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed = HeartlineSpanProcessor()
    provider = TracerProvider()
    provider._active_span_processor._span_processors = (followed,)
    tracer = provider.get_tracer("mine")
    unread = tracer.start_span("invoke_agent", attributes=AGENT)
    assert agent.hb.status().in_flight == 1
    monkeypatch.setattr(processor, "_AGE_MAX_SECONDS", 0.0)
    tracer.start_span("other").end()
    assert agent.hb.status().in_flight == 0 and not followed._live
    unread.end()
    assert ends(agent)[:2] == (0, 0)


def test_spans_that_are_not_sampled_are_not_seen(agent: Agent) -> None:
    tracer = TracerProvider(sampler=ALWAYS_OFF).get_tracer("pydantic-ai")
    with tracer.start_as_current_span("invoke_agent", attributes=AGENT):
        pass
    assert ends(agent)[:2] == (0, 0)


def test_many_threads(agent: Agent) -> None:
    def run(_: int) -> None:
        with span("invoke_agent", AGENT), span("chat", CALL):
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(200)))
    ok, failed, tokens = ends(agent)
    assert (ok, failed, tokens) == (200, 0, (2000, 1000))


def test_a_kill_holds_new_spans_in_threads(agent: Agent) -> None:
    agent.kill()
    done = threading.Event()

    def run() -> None:
        with span("invoke_agent", AGENT):
            done.set()

    held = threading.Thread(target=run)
    held.start()
    assert not done.wait(0.2) and agent.hb.status().in_flight == 0

    async def in_a_loop() -> None:
        with span("invoke_agent", AGENT):  # to wait here would block the loop
            assert agent.hb.status().in_flight == 1

    asyncio.run(in_a_loop())
    agent.resume()
    held.join(10)
    assert done.is_set()
    assert ends(agent)[:2] == (2, 0)


def test_a_kill_does_not_raise_into_instrumentations(raising_agent: Agent) -> None:
    raising_agent.kill()
    with span("invoke_agent", AGENT):
        pass
    raising_agent.resume()
    assert ends(raising_agent)[:2] == (1, 0)


def test_a_broken_adapter_breaks_no_program(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(processor, "kind_of", fail)
    with span("invoke_agent", AGENT):
        pass
    assert "the run goes on, but may not be counted" in caplog.text
    agent.hb.stop()
