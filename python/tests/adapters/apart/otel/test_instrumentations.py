"""The instrumentations of Traceloop and OpenInference, and the older one of OpenTelemetry.

Runs in the environment of `requirements-otel.txt`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from agents import set_trace_processors
from openinference.instrumentation.langchain import LangChainInstrumentor as OpenInferenceLangChain
from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInferenceOpenAI
from openinference.instrumentation.openai_agents import (
    OpenAIAgentsInstrumentor as OpenInferenceAgents,
)
from opentelemetry.instrumentation.langchain import LangchainInstrumentor as TraceloopLangChain
from opentelemetry.instrumentation.openai import OpenAIInstrumentor as TraceloopOpenAI
from opentelemetry.instrumentation.openai_agents import OpenAIAgentsInstrumentor as TraceloopAgents
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor as OpenAIV2
from opentelemetry.sdk.trace import TracerProvider

import heartline

from ...conftest import Agent
from .. import programs

assert "opentelemetry" in heartline.auto("opentelemetry")
PROVIDER = TracerProvider()
Instrument = Callable[..., None]


@pytest.fixture
def instrument() -> Iterator[Instrument]:
    """Instruments by the classes given, until the test ends."""
    used: list[Any] = []
    set_trace_processors([])

    def with_all(*classes: Any) -> None:
        for instrumentation in classes:
            used.append(instrumentation())
            used[-1].instrument(tracer_provider=PROVIDER, skip_dep_check=True)

    yield with_all
    for instrumentor in reversed(used):
        instrumentor.uninstrument()
    set_trace_processors([])


def counted(agent: Agent) -> tuple[int, int, tuple[int, int]]:
    total = agent.counted()
    return total["ok"], total["failed"], total["tokens"]


LANGCHAIN = [TraceloopLangChain, OpenInferenceLangChain]
CLIENTS = [TraceloopOpenAI, OpenInferenceOpenAI, OpenAIV2]
AGENTS = [TraceloopAgents, OpenInferenceAgents]


@pytest.mark.parametrize("langchain", LANGCHAIN)
def test_a_graph_is_one_task(agent: Agent, instrument: Instrument, langchain: Any) -> None:
    instrument(langchain)
    programs.run_graph()
    programs.run_graph(nested=True)
    with pytest.raises(ValueError):
        programs.run_graph(fails=True)
    assert counted(agent) == (2, 1, (20, 10))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("langchain", LANGCHAIN)
def test_a_graph_and_its_client_count_once(
    agent: Agent, instrument: Instrument, langchain: Any, client: Any
) -> None:
    instrument(langchain, client)
    programs.run_graph()
    assert counted(agent) == (1, 0, (10, 5))


def test_two_instrumentations_of_langchain_count_once(
    agent: Agent, instrument: Instrument
) -> None:
    instrument(*LANGCHAIN)
    programs.run_graph()
    assert counted(agent) == (1, 0, (10, 5))


@pytest.mark.parametrize("client", CLIENTS)
def test_a_call_alone_is_no_task(agent: Agent, instrument: Instrument, client: Any) -> None:
    instrument(client)
    programs.call_client()
    assert counted(agent) == (0, 0, (10, 5))


@pytest.mark.parametrize("client", CLIENTS)
def test_a_call_in_a_task_of_the_program_is_a_part(
    agent: Agent, instrument: Instrument, client: Any
) -> None:
    instrument(client)
    with agent.hb.task():
        programs.call_client()
    assert counted(agent) == (1, 0, (10, 5))


@pytest.mark.parametrize("agents", AGENTS)
def test_a_run_of_openai_agents_is_a_task(
    agent: Agent, instrument: Instrument, agents: Any
) -> None:
    instrument(agents)
    programs.run_openai_agent()
    with pytest.raises(ValueError):
        programs.run_openai_agent(fails=True)
    ok, failed, _ = counted(agent)
    assert (ok, failed) == (1, 1)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("agents", AGENTS)
def test_a_run_of_openai_agents_and_its_client_count_once(
    agent: Agent, instrument: Instrument, agents: Any, client: Any
) -> None:
    instrument(agents, client)
    programs.run_openai_agent(through_client=True)
    assert counted(agent) == (1, 0, (10, 5))
