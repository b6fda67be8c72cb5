"""The same instrumentations beside the adapters of the frameworks: nothing counts twice.

Runs after the other file, because adapters stay once they are there.
"""

from __future__ import annotations

from typing import Any

import pytest

import heartline

from ...conftest import Agent
from .. import programs
from .test_instrumentations import (
    AGENTS,
    CLIENTS,
    LANGCHAIN,
    Instrument,
    counted,
    instrument,
)

__all__ = ["instrument"]


@pytest.fixture(autouse=True)
def adapters() -> None:
    assert {"langchain", "openai-agents"} <= set(heartline.auto("langchain", "openai-agents"))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("langchain", LANGCHAIN)
def test_graphs(agent: Agent, instrument: Instrument, langchain: Any, client: Any) -> None:
    instrument(langchain, client)
    programs.run_graph(nested=True)
    programs.run_graph()
    with pytest.raises(ValueError):
        programs.run_graph(fails=True)
    assert counted(agent) == (2, 1, (20, 10))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("agents", AGENTS)
def test_openai_agents(agent: Agent, instrument: Instrument, agents: Any, client: Any) -> None:
    instrument(agents, client)
    programs.run_openai_agent(through_client=True)
    with pytest.raises(ValueError):
        programs.run_openai_agent(fails=True)
    assert counted(agent) == (1, 1, (10, 5))
