"""AutoGen AgentChat, with its own fake model."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from autogen_agentchat.agents import AssistantAgent, UserProxyAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken
from autogen_core.models import CreateResult, ModelFamily, ModelInfo, RequestUsage
from autogen_ext.models.replay import ReplayChatCompletionClient

import heartline

from .conftest import Agent

assert "autogen" in heartline.auto("autogen", "opentelemetry")


def client(answers: int = 1) -> ReplayChatCompletionClient:
    result = CreateResult(
        finish_reason="stop",
        content="hi",
        usage=RequestUsage(prompt_tokens=10, completion_tokens=5),
        cached=False,
    )
    info = ModelInfo(
        vision=False, function_calling=True, json_output=False, structured_output=False,
        family=ModelFamily.UNKNOWN,
    )
    return ReplayChatCompletionClient([result] * answers, model_info=info)


def assistant(name: str = "assistant", answers: int = 1) -> AssistantAgent:
    return AssistantAgent(name, model_client=client(answers))


def tokens_of(messages: Any) -> tuple[int, int]:
    used = [message.models_usage for message in messages if message.models_usage is not None]
    return sum(it.prompt_tokens for it in used), sum(it.completion_tokens for it in used)


def test_a_run_of_an_agent_is_a_task_with_its_tokens(agent: Agent) -> None:
    result = asyncio.run(assistant().run(task="hello"))
    expected = tokens_of(result.messages)
    assert expected[1] > 0
    assert agent.counted() == {"ok": 1, "failed": 0, "tokens": expected, "usd": 0.0}


def test_a_run_of_a_team_is_one_task(agent: Agent) -> None:
    async def run() -> Any:
        members: list[Any] = [assistant("first", 4), assistant("second", 4)]
        team = RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(5))
        return await team.run(task="hello")

    result = asyncio.run(run())
    expected = tokens_of(result.messages)
    assert agent.counted() == {"ok": 1, "failed": 0, "tokens": expected, "usd": 0.0}


def test_failures(agent: Agent) -> None:
    async def team() -> None:
        members: list[Any] = [assistant("first", 0)]
        await RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(3)).run(task="x")

    with pytest.raises(ValueError):
        asyncio.run(assistant(answers=0).run(task="hello"))
    with pytest.raises(RuntimeError):
        asyncio.run(team())
    assert agent.counted()["failed"] == 2


def test_a_stream_that_is_left_early_is_no_failure_and_holds_nothing(agent: Agent) -> None:
    async def run() -> None:
        async for _ in assistant().run_stream(task="hello"):
            break
        await assistant().run(task="hello")

    asyncio.run(run())
    counted = agent.counted()
    assert (counted["ok"], counted["failed"]) == (2, 0)


def test_a_question_to_a_person_is_a_wait(agent: Agent) -> None:
    async def ask(prompt: str, token: CancellationToken | None) -> str:
        await asyncio.to_thread(
            agent.wait_for, "the wait",
            lambda agent: (agent["phase"], agent["step"]) == ("waiting", "input from person"),
        )
        return "yes"

    async def run() -> None:
        members: list[Any] = [UserProxyAgent("person", input_func=ask), assistant()]
        team = RoundRobinGroupChat(members, termination_condition=MaxMessageTermination(4))
        await team.run(task="hello")

    asyncio.run(run())
    agent.wait_for("the end of the wait", lambda agent: agent["phase"] == "running")
    counted = agent.counted()
    assert (counted["ok"], counted["failed"]) == (1, 0)


def test_a_kill_holds_new_runs(agent: Agent) -> None:
    agent.kill()
    results: list[Any] = []
    held = threading.Thread(
        target=lambda: results.append(asyncio.run(assistant().run(task="hello")))
    )
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
        asyncio.run(assistant().run(task="hello"))
    raising_agent.resume()
    assert raising_agent.counted()["ok"] == 0
