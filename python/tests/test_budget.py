"""The gate that closes when a budget is used up: section 12.1, rules 3 to 5."""

from __future__ import annotations

import threading

import pytest
from fleet import Collector, Place, eventually
from heartline.core import Core
from heartline.engine.spending_limit import SpendingLimit
from heartline.gate import KillCause, KillGate
from heartline.protocol.bodies import BudgetUnit

import heartline


def _cause(gate: KillGate) -> KillCause | None:
    return gate.cause


def test_the_gate_opens_when_no_cause_is_left() -> None:
    gate = KillGate()
    gate.close(KillCause.COMMAND)
    gate.close(KillCause.BUDGET)
    assert _cause(gate) is KillCause.COMMAND
    waiter = threading.Thread(target=gate.wait)
    waiter.start()
    assert not gate.open(KillCause.COMMAND) and gate.is_closed
    assert _cause(gate) is KillCause.BUDGET
    assert gate.open(KillCause.BUDGET) and not gate.is_closed
    waiter.join(10)
    assert not waiter.is_alive()


@pytest.mark.parametrize(
    ("unit", "sums"),
    [
        (BudgetUnit.TASKS, (6, 4, 0, 0, 0)),
        (BudgetUnit.COST, (1, 0, 10, 0, 0)),
        (BudgetUnit.TOKENS, (1, 0, 0, 7, 3)),
    ],
)
def test_the_gate_closes_by_itself_once_any_budget_is_used_up(
    unit: BudgetUnit, sums: tuple[int, ...]
) -> None:
    called = threading.Event()
    core = Core("mail", called.set)
    other = SpendingLimit(BudgetUnit.TASKS, 1_000)
    core.limits = (other, SpendingLimit(unit, 11))
    shard = core.counters.claim_shard()
    shard[: len(sums)] = sums
    core.stop_if_spent()
    assert not core.gate.is_closed, "one is left"
    core.limits = (other, SpendingLimit(unit, 10))
    core.stop_if_spent()
    assert core.gate.is_closed and core.status().kill_cause is KillCause.BUDGET
    assert str(core.status()) == "off, stopped: its budget is used up"
    assert called.wait(10)


BUDGET = """
[[budget]]
name = "five"
match = "spender"
tasks = 5
per = "day"
at_limit = "kill"
"""


def test_an_agent_that_beats_every_30_s_stops_at_the_end_of_its_budget(place: Place) -> None:
    with Collector(place, more_config=BUDGET) as collector:
        hb = heartline.start(
            "spender",
            collector=collector.address,
            token=place.token_file,
            interval="30s",
            on_kill="raise",
        )
        eventually(lambda: str(hb.status()) == "live", "it is live")
        done = 0
        with pytest.raises(heartline.AgentKilled):
            for _ in range(100):
                with hb.task():
                    done += 1
        assert done == 5
        assert hb.killed
        collector.await_state("spender", "killed/policy")
        collector.await_total("spender", ok=5)
        eventually(lambda: hb.status().kill_cause is KillCause.COMMAND, "the kill takes over")
        collector.resume("spender")
        assert hb.wait_until_resumed(10), "an operator lifts the budget"
        with hb.task():
            pass
        hb.stop()
        collector.await_total("spender", ok=6)
