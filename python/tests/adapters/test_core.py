"""What adapters need of tasks: an end that counts nothing, and costs that belong to no task."""

from __future__ import annotations

from .conftest import Agent


def test_a_discarded_task_counts_what_it_cost_and_nothing_else(agent: Agent) -> None:
    task = agent.hb.begin()
    task.cost(0.5)
    task.tokens(input=10, output=5)
    assert task.is_running
    task.discard()
    task.discard()
    task.end()
    assert not task.is_running
    assert agent.counted() == {"ok": 0, "failed": 0, "tokens": (10, 5), "usd": 0.5}


def test_a_cost_without_a_task_reaches_the_collector(agent: Agent) -> None:
    agent.hb.add_usage(cost_usd=0.25, tokens_in=7)
    agent.wait_for("the cost", lambda agent: agent["total"]["cost_nano_usd"] == 250_000_000)
    agent.hb.add_usage(cost_usd=float("nan"), tokens_out=-1)
    assert agent.hb.status().lost_observations == 2
    assert agent.counted() == {"ok": 0, "failed": 0, "tokens": (7, 0), "usd": 0.25}
