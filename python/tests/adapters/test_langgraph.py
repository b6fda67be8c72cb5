"""LangChain and LangGraph, with fake models."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import pytest
from fleet import Collector
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, RetryPolicy, interrupt

import heartline

from .conftest import Agent, wait_for

assert "langchain" in heartline.auto("langgraph")


class State(TypedDict):
    text: str


def model(**metadata: Any) -> GenericFakeChatModel:
    def answers() -> Iterator[AIMessage]:
        while True:
            yield AIMessage(
                "answer",
                usage_metadata={"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
                response_metadata={"model_name": "gpt-4o", **metadata},
            )

    return GenericFakeChatModel(messages=answers())


def graph(*nodes: Any, **options: Any) -> Any:
    """A graph whose nodes run one after the other."""
    builder = StateGraph(State)
    before = START
    for node in nodes:
        builder.add_node(node.__name__, node, **options.pop("node", {}))
        builder.add_edge(before, node.__name__)
        before = node.__name__
    builder.add_edge(before, END)
    return builder.compile(**options)


def ask(state: State) -> dict[str, str]:
    return {"text": str(model().invoke(state["text"]).content)}


async def ask_async(state: State) -> dict[str, str]:
    return {"text": str((await model().ainvoke(state["text"])).content)}


def approve(state: State) -> dict[str, str]:
    return {"text": interrupt("may I?")}


def fail(state: State) -> dict[str, str]:
    raise ValueError("no")


INPUT = {"text": "question"}
THREAD: Any = {"configurable": {"thread_id": "one"}}


def test_a_run_is_a_task_with_the_tokens_of_its_model(agent: Agent) -> None:
    graph(ask).invoke(INPUT)
    assert agent.counted() == {"ok": 1, "failed": 0, "tokens": (10, 5), "usd": 0.0}


def test_an_asynchronous_run_is_a_task(agent: Agent) -> None:
    asyncio.run(graph(ask_async).ainvoke(INPUT))
    assert agent.counted() == {"ok": 1, "failed": 0, "tokens": (10, 5), "usd": 0.0}


def test_a_streamed_run_is_a_task(agent: Agent) -> None:
    assert list(graph(ask).stream(INPUT))
    assert agent.counted()["ok"] == 1


def test_a_failed_run_has_failed(agent: Agent) -> None:
    with pytest.raises(ValueError):
        graph(ask, fail).invoke(INPUT)
    assert agent.hb.status().last_failure == "ValueError"
    assert agent.counted() == {"ok": 0, "failed": 1, "tokens": (10, 5), "usd": 0.0}


def test_a_node_that_is_retried_is_no_failure(agent: Agent) -> None:
    tries = iter((ValueError("first"), None))

    def flaky(state: State) -> dict[str, str]:
        error = next(tries)
        if error is not None:
            raise error
        return {"text": "second"}

    policy = RetryPolicy(initial_interval=0.0, jitter=False, retry_on=ValueError)
    graph(flaky, node={"retry_policy": policy}).invoke(INPUT)
    assert agent.counted()["ok"] == 1


def test_an_interrupt_waits_and_its_resume_counts_once(agent: Agent) -> None:
    waiting = graph(ask, approve, checkpointer=InMemorySaver())
    waiting.invoke(INPUT, THREAD)
    seen = agent.wait_for("the wait", lambda agent: agent["phase"] == "waiting")
    assert (seen["step"], seen["in_flight"], seen["total"]["failed"]) == ("interrupt in approve", 0, 0)
    waiting.invoke(Command(resume="yes"), THREAD)
    agent.wait_for("the end of the wait", lambda agent: agent["phase"] == "running")
    assert agent.counted() == {"ok": 1, "failed": 0, "tokens": (10, 5), "usd": 0.0}


@pytest.mark.parametrize("when", ["interrupt_before", "interrupt_after"])
def test_a_static_interrupt_waits(agent: Agent, when: str) -> None:
    waiting = graph(ask, ask_async, checkpointer=InMemorySaver(), **{when: ["ask"]})

    async def run() -> None:
        await waiting.ainvoke(INPUT, THREAD)
        await asyncio.to_thread(
            agent.wait_for, "the wait", lambda agent: agent["phase"] == "waiting"
        )
        await waiting.ainvoke(None, THREAD)

    asyncio.run(run())
    assert agent.counted() == {"ok": 1, "failed": 0, "tokens": (20, 10), "usd": 0.0}


def test_while_another_run_works_the_agent_does_not_wait(agent: Agent) -> None:
    graph(approve, checkpointer=InMemorySaver()).invoke(INPUT, THREAD)
    goes_on = threading.Event()

    def work(state: State) -> dict[str, str]:
        agent.wait_for("work", lambda agent: agent["phase"] == "running" and agent["in_flight"] == 1)
        goes_on.set()
        return {"text": ""}

    graph(work).invoke(INPUT)
    assert goes_on.is_set()
    agent.wait_for("the wait", lambda agent: agent["phase"] == "waiting")
    graph(ask, checkpointer=InMemorySaver()).invoke(INPUT, THREAD)  # the thread begins anew
    assert agent.counted()["ok"] == 2


def test_an_interrupt_that_nobody_can_resume_is_an_end(agent: Agent) -> None:
    graph(approve).invoke(INPUT)
    assert agent.counted()["ok"] == 1


def test_a_nested_graph_is_a_part(agent: Agent) -> None:
    inner = graph(ask)

    def outer(state: State) -> dict[str, str]:
        return dict(inner.invoke(state))

    def outer_with_callbacks(state: State) -> dict[str, str]:
        return dict(inner.invoke(state, {"callbacks": []}))

    graph(outer, outer_with_callbacks).invoke(INPUT)
    assert agent.counted() == {"ok": 1, "failed": 0, "tokens": (20, 10), "usd": 0.0}


def test_a_run_inside_of_a_task_of_the_program_is_a_part(agent: Agent) -> None:
    with agent.hb.task("mine"):
        graph(ask).invoke(INPUT)
    assert agent.counted() == {"ok": 1, "failed": 0, "tokens": (10, 5), "usd": 0.0}


def test_each_item_of_a_batch_is_a_task(agent: Agent) -> None:
    chain = ChatPromptTemplate.from_template("{text}") | model()
    chain.batch([INPUT, INPUT, INPUT])
    asyncio.run(chain.abatch([INPUT, INPUT]))
    assert agent.counted() == {"ok": 5, "failed": 0, "tokens": (50, 25), "usd": 0.0}


def test_a_cancelled_run_has_failed_and_is_over(agent: Agent) -> None:
    async def hang(state: State) -> dict[str, str]:
        await asyncio.sleep(3600)
        return {"text": ""}

    async def run() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(graph(hang).ainvoke(INPUT), 0.05)

    asyncio.run(run())
    assert agent.counted()["failed"] == 1


def test_a_stream_that_is_left_early_is_no_failure_and_holds_nothing(agent: Agent) -> None:
    async def run() -> None:
        async for _ in graph(ask_async, ask_async_again).astream(INPUT):
            break
        await graph(ask_async).ainvoke(INPUT)  # while the stream is not closed yet

    asyncio.run(run())
    for _ in graph(ask, ask_again).stream(INPUT):
        break
    assert agent.counted()["ok"] == 3


async def ask_async_again(state: State) -> dict[str, str]:
    return await ask_async(state)


def ask_again(state: State) -> dict[str, str]:
    return ask(state)


def test_what_is_no_run_counts_nothing(agent: Agent) -> None:
    saved = graph(ask, checkpointer=InMemorySaver())
    saved.update_state(THREAD, INPUT)
    saved.get_state(THREAD)
    ChatPromptTemplate.from_template("{text}").invoke(INPUT)
    assert agent.counted() == {"ok": 0, "failed": 0, "tokens": (0, 0), "usd": 0.0}


def test_a_call_outside_of_any_run_counts_its_tokens_and_no_task(agent: Agent) -> None:
    model().invoke("question")
    assert agent.counted() == {"ok": 0, "failed": 0, "tokens": (10, 5), "usd": 0.0}


def test_the_cost_that_a_gateway_reports_counts(agent: Agent) -> None:
    def priced(state: State) -> dict[str, str]:
        model(token_usage={"cost": 0.25}).invoke(state["text"])
        return {"text": ""}

    graph(priced).invoke(INPUT)
    assert agent.counted()["usd"] == 0.25


def test_a_kill_holds_new_runs_and_lets_the_running_one_end(agent: Agent) -> None:
    results = []

    def work(state: State) -> dict[str, str]:
        agent.collector.ask("kill", agent.name, "--reason", "test", "--yes")
        agent.wait_for("the kill", lambda agent: agent["state"] == "killed")
        return {"text": "done"}

    assert graph(work).invoke(INPUT)["text"] == "done"
    agent.wait_for("obedience", lambda agent: agent["kill"]["obeyed_ms"] is not None)
    held = [
        threading.Thread(target=lambda: results.append(graph(ask).invoke(INPUT))),
        threading.Thread(target=lambda: results.append(asyncio.run(graph(ask_async).ainvoke(INPUT)))),
    ]
    for thread in held:
        thread.start()
    for thread in held:
        thread.join(0.2)
    assert results == [] and agent.hb.status().in_flight == 0
    agent.resume()
    for thread in held:
        thread.join(10)
    assert len(results) == 2
    assert agent.counted()["ok"] == 3


def test_a_kill_raises_where_the_program_asked_for_it(raising_agent: Agent) -> None:
    raising_agent.kill()
    with pytest.raises(heartline.AgentKilled):
        graph(ask).invoke(INPUT)
    with pytest.raises(heartline.AgentKilled):
        asyncio.run(graph(ask_async).ainvoke(INPUT))
    raising_agent.resume()
    assert raising_agent.counted()["ok"] == 0


def test_without_an_emitter_graphs_run_as_ever() -> None:
    assert graph(ask).invoke(INPUT) == {"text": "answer"}
    assert asyncio.run(graph(ask_async).ainvoke(INPUT)) == {"text": "answer"}


def test_a_bare_function_is_a_run(agent: Agent) -> None:
    RunnableLambda(lambda text: text).invoke("x")
    assert agent.counted()["ok"] == 1


@pytest.mark.parametrize("part", ["heartline.adapters.gate._new_run", "heartline.adapters.scope.leave"])
def test_a_broken_adapter_breaks_no_run(
    agent: Agent, part: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(part, fail)
    here = contextvars.copy_context()  # which keeps what a broken part leaves in it
    assert here.run(graph(ask).invoke, INPUT) == {"text": "answer"}
    assert asyncio.run(graph(ask_async).ainvoke(INPUT)) == {"text": "answer"}
    assert "the run goes on, but may not be counted" in caplog.text
    assert agent.hb.status().in_flight == 0


FORKING = """
import os, sys
sys.path.insert(0, sys.argv[1])
import heartline
hb = heartline.start("forking", interval="100ms")
from adapters.test_langgraph import INPUT, ask, graph

def fork(state):
    child = os.fork()
    if child == 0:
        graph(ask).invoke(INPUT)  # a run of the child's own, although it began inside of another
        hb.stop()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    return ask(state)

graph(fork).invoke(INPUT)
"""


def test_a_child_that_is_forked_in_a_run_counts_runs_of_its_own(collector: Collector) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING, str(Path(__file__).parents[1])],
        env={**collector.place.environment(), "HEARTLINE_COLLECTOR": collector.address},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("forking", "forking.1"):
        wait_for(collector, name, "a goodbye", lambda agent: agent["reason"] == "shutdown")
        collector.await_total(name, ok=1, failed=0, tokens_in=10, tokens_out=5)
