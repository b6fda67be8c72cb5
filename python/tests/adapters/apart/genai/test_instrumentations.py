"""OpenTelemetry's own instrumentations for generative AI.

Runs in the environment of `requirements-genai.txt`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from agents import set_trace_processors
from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.instrumentation.genai.openai_agents import OpenAIAgentsInstrumentor
from opentelemetry.sdk.trace import TracerProvider

import heartline

from ...conftest import Agent
from .. import programs

assert "opentelemetry" in heartline.auto("opentelemetry")
PROVIDER = TracerProvider()


@pytest.fixture
def instrument() -> Iterator[Callable[..., None]]:
    used: list[Any] = []
    set_trace_processors([])

    def with_all(*classes: Any) -> None:
        for instrumentation in classes:
            used.append(instrumentation())
            used[-1].instrument(tracer_provider=PROVIDER)

    yield with_all
    for instrumentor in reversed(used):
        instrumentor.uninstrument()
    set_trace_processors([])


def counted(agent: Agent) -> tuple[int, int, tuple[int, int]]:
    total = agent.counted()
    return total["ok"], total["failed"], total["tokens"]


@pytest.mark.parametrize("clients", [(), (OpenAIInstrumentor,)])
@pytest.mark.parametrize("beside_adapters", [False, True])
def test_a_graph_counts_once(
    agent: Agent, instrument: Callable[..., None], clients: Any, beside_adapters: bool
) -> None:
    if beside_adapters:
        heartline.auto("langchain", "openai-agents")
    instrument(LangChainInstrumentor, *clients)
    programs.run_graph(nested=True)
    with pytest.raises(ValueError):
        programs.run_graph(fails=True)
    assert counted(agent) == (1, 1, (10, 5))


def test_a_call_alone_is_no_task(agent: Agent, instrument: Callable[..., None]) -> None:
    instrument(OpenAIInstrumentor)
    programs.call_client()
    assert counted(agent) == (0, 0, (10, 5))


def test_a_run_of_openai_agents_counts_once(
    agent: Agent, instrument: Callable[..., None]
) -> None:
    instrument(OpenAIAgentsInstrumentor, OpenAIInstrumentor)
    programs.run_openai_agent(through_client=True)
    with pytest.raises(ValueError):
        programs.run_openai_agent(fails=True)
    assert counted(agent) == (1, 1, (10, 5))
