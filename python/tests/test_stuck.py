"""Stuck agents: each becomes stalled while its beats go on. The collector's limit is a second."""

from __future__ import annotations

import json

import pytest
from fleet import AgentProgram, Collector, Place, eventually

START = """
import sys, time, threading, asyncio, heartline
hb = heartline.start({name!r})
hb.report()
"""

STUCK = {
    "deadlocked-worker": """
lock = threading.Lock()
def work():
    lock.acquire()
    with hb.task("transfer"):
        lock.acquire()
def go_on():
    while True:
        with hb.task(): time.sleep(0.02)
threading.Thread(target=work, daemon=True).start()
threading.Thread(target=go_on, daemon=True).start()
print("ready", flush=True)
sys.stdin.readline()
""",
    "blocked-loop-in-a-task": """
@hb.task
async def work():
    sys.stdin.readline()
print("ready", flush=True)
asyncio.run(work())
""",
    "blocked-loop": """
async def main():
    async with hb.task():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)
    print("ready", flush=True)
    sys.stdin.readline()
asyncio.run(main())
""",
    "growing-queue": """
def grow():
    for depth in range(1, 10**6):
        hb.queue(depth)
        time.sleep(0.05)
threading.Thread(target=grow, daemon=True).start()
print("ready", flush=True)
sys.stdin.readline()
""",
    "queue-before-the-first-task": """
first = heartline.start("queue-before-the-first-task.a")
first.queue(3)
print("ready", flush=True)
sys.stdin.readline()
""",
}


def start(collector: Collector, name: str, rest: str) -> AgentProgram:
    return collector.agent_program(START.format(name=name) + rest)


@pytest.mark.parametrize("name", STUCK)
def test_a_stuck_agent_is_stalled_while_it_beats(collector: Collector, name: str) -> None:
    with start(collector, name, STUCK[name]) as program:
        program.await_line("ready")
        name = "queue-before-the-first-task.a" if "first-task" in name else name
        agent = collector.await_state(name, "degraded/stalled")
        assert agent["beat_age_ms"] < 3_000
        if name == "blocked-loop":
            assert (agent["step"], agent["in_flight"]) == ("event loop blocked", 0)
        program.tell("")
        assert program.end()[0] == 0


def test_a_declared_limit_holds_in_place_of_the_collectors(place: Place) -> None:
    hang = """
import sys, heartline
hb = heartline.start({name!r}, stall_after={after!r})
with hb.task("fetch"):
    print("ready", flush=True)
    sys.stdin.readline()
"""
    with Collector(place, stall_after="2s") as collector:
        with (
            collector.agent_program(hang.format(name="patient", after="1h")) as patient,
            collector.agent_program(hang.format(name="usual", after=None)) as usual,
        ):
            patient.await_line("ready")
            usual.await_line("ready")
            collector.await_state("usual", "degraded/stalled")

            def is_over() -> bool:
                agent = collector.agent("patient")
                return agent is not None and agent["progress_age_ms"] > 3_000

            eventually(is_over, "the collector's limit is over")
            assert collector.transitions("patient") == {"healthy"}
            patient.tell("")
            usual.tell("")
    with Collector(place) as collector:
        with collector.agent_program(hang.format(name="impatient", after=1.5)) as impatient:
            impatient.await_line("ready")
            agent = collector.await_state("impatient", "degraded/stalled")
            assert agent["beat_age_ms"] < 3_000
            impatient.tell("")
            assert impatient.end()[0] == 0


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("idle", "print('ready', flush=True); sys.stdin.readline()"),
        ("emptied-queue", "hb.queue(3); hb.queue(0); print('ready', flush=True); sys.stdin.readline()"),
        (
            "waiting",
            "with hb.task(), hb.waiting('approval'):\n"
            "    print('ready', flush=True); sys.stdin.readline()",
        ),
        (
            "stepping",
            "def step():\n"
            "    with hb.task():\n"
            "        while True: hb.step('next'); time.sleep(0.05)\n"
            "threading.Thread(target=step, daemon=True).start()\n"
            "print('ready', flush=True); sys.stdin.readline()",
        ),
        (
            "idle-loop",
            "async def main():\n"
            "    async with hb.task(): pass\n"
            "    print('ready', flush=True)\n"
            "    await asyncio.to_thread(sys.stdin.readline)\n"
            "asyncio.run(main())",
        ),
    ],
)
def test_one_that_is_not_stuck_stays_healthy(collector: Collector, name: str, rest: str) -> None:
    with start(collector, name, rest) as program:
        program.await_line("ready")
        collector.await_state(name, "healthy")

        def is_over() -> bool:
            """Returns whether the limit is over, since the agent's last progress or its start."""
            agent = collector.agent(name)
            is_old = json.loads(collector.ask("agent", name, "--json"))["beats"] > 6
            return is_old and agent is not None and (
                name == "stepping" or agent["progress_age_ms"] > 1_600
            )

        eventually(is_over, "the limit is over")
        assert collector.transitions(name) == {"healthy"}
        program.tell("")
        assert program.end()[0] == 0
