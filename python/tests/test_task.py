"""Tasks, waits and steps, as programs use them."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import heartline
from heartline import Heartline
from heartline.current import CURRENT_TASK


@pytest.fixture
def hb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Heartline]:
    monkeypatch.setenv("HEARTLINE_DISABLE", "1")
    hb = heartline.start("task")
    yield hb
    hb.stop()


def counts(hb: Heartline) -> tuple[int, int]:
    counted = hb.status().counted
    return counted.ok, counted.failed


def test_a_with_block_is_a_task(hb: Heartline) -> None:
    with hb.task("fetch") as t:
        assert hb.status().in_flight == 1 and CURRENT_TASK.get() is t
        t.cost(usd=0.25)
        t.tokens(input=3, output=4)
        t.end()
        t.cost(usd=1)
        t.end(False)
    assert hb.status().counted == (1, 0, 250_000_000, 3, 4)
    assert hb.status().in_flight == 0 and CURRENT_TASK.get() is None


def test_exceptions_and_fail_make_it_fail(hb: Heartline) -> None:
    with pytest.raises(KeyError), hb.task():
        raise KeyError
    assert (counts(hb), hb.status().last_failure) == ((0, 1), "KeyError")
    with hb.task() as t:
        t.fail("timeout")
    assert (counts(hb), hb.status().last_failure) == ((0, 2), "timeout")
    hb.begin().end(success=False)
    t = hb.begin("again")
    t.fail()
    t.end(success=True)
    assert counts(hb) == (1, 3)


def test_tasks_nest_and_a_step_is_one_of_the_innermost(hb: Heartline) -> None:
    with hb.task("outer") as outer:
        with hb.task("inner") as inner:
            before = outer.quiet_since
            hb.step("deep")
            assert inner.step_name == "deep" and outer.quiet_since == before
            assert hb._core.vitals(0).step == "deep"
        assert hb._core.vitals(0).step == "outer", "that of the task that goes on"
    assert hb._core.vitals(0).step is None
    assert counts(hb) == (2, 0)


def test_a_step_outside_of_a_task_is_one_of_the_tasks_of_its_thread(hb: Heartline) -> None:
    here = hb.begin("here")
    thread = threading.Thread(target=lambda: elsewhere.append(hb.begin("elsewhere")))
    elsewhere: list[heartline.Task] = []
    thread.start()
    thread.join()
    before = elsewhere[0].quiet_since
    hb.step("next")
    assert here.quiet_since > before == elsewhere[0].quiet_since
    for task in (here, *elsewhere):
        task.end()


def test_functions_of_all_kinds_are_tasks(hb: Heartline) -> None:
    @hb.task
    def plain(n: int) -> int:
        "Documentation."
        assert CURRENT_TASK.get() is not None
        return n

    @hb.task("named")
    async def coroutine(n: int) -> int:
        await asyncio.sleep(0)
        assert CURRENT_TASK.get() is not None
        return n

    @hb.task
    def generator(n: int) -> Iterator[int]:
        yield n
        yield n + 1

    @hb.task
    async def stream(n: int) -> AsyncIterator[int]:
        yield n
        await asyncio.sleep(0)
        yield n + 1

    class Agent:
        @hb.task
        def method(self, n: int) -> int:
            return n

    async def run() -> list[int]:
        return [await coroutine(1), *[n async for n in stream(2)]]

    assert plain(1) == 1 and (plain.__name__, plain.__doc__) == ("plain", "Documentation.")
    assert asyncio.run(run()) == [1, 2, 3]
    numbers = generator(4)
    assert next(numbers) == 4 and hb.status().in_flight == 1 and CURRENT_TASK.get() is None
    assert list(numbers) == [5] and Agent().method(6) == 6
    partial = hb.task(functools.partial(coroutine, 7))
    assert asyncio.run(partial()) == 7
    assert counts(hb) == (7, 0)


def test_generators_pass_on_what_is_sent_and_thrown(hb: Heartline) -> None:
    @hb.task
    def echo() -> Any:
        received = yield "ready"
        try:
            yield received
        except KeyError:
            yield "caught"
        return "result"

    generator = echo()
    assert (next(generator), generator.send("sent")) == ("ready", "sent")
    assert generator.throw(KeyError()) == "caught"
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == "result"

    @hb.task
    async def echo_async() -> Any:
        received = yield "ready"
        try:
            yield received
        except KeyError:
            yield "caught"

    async def run() -> None:
        generator = echo_async()
        assert await generator.__anext__() == "ready"
        assert await generator.asend("sent") == "sent"
        assert await generator.athrow(KeyError()) == "caught"
        with pytest.raises(StopAsyncIteration):
            await generator.__anext__()

    asyncio.run(run())
    assert counts(hb) == (2, 0)


def test_a_stream_that_is_left_early_has_not_failed_and_a_broken_one_has(hb: Heartline) -> None:
    @hb.task
    def numbers() -> Iterator[int]:
        yield 1
        raise ValueError

    left: Any = numbers()
    next(left)
    left.close()
    assert counts(hb) == (1, 0)
    with pytest.raises(ValueError):
        list(numbers())
    assert counts(hb) == (1, 1)

    @hb.task
    async def stream() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def run() -> None:
        generator: Any = stream()
        await generator.__anext__()
        await generator.aclose()

    asyncio.run(run())
    assert counts(hb) == (2, 1)


def test_a_task_object_may_be_used_again_and_one_entered_twice_is_said(hb: Heartline) -> None:
    task = hb.task("again")
    for _ in range(2):
        with task:
            pass
    assert counts(hb) == (2, 0)
    with task, task:
        pass
    assert counts(hb) == (4, 0) and hb.status().in_flight == 0
    assert "task_entered_twice" in [problem.kind for problem in hb.status().problems]


def test_concurrent_tasks_of_a_loop_are_apart(hb: Heartline) -> None:
    async def work(n: int) -> None:
        async with hb.task(f"task {n}") as t:
            await asyncio.sleep(0.001)
            assert CURRENT_TASK.get() is t
            hb.step(f"step {n}")
            assert t.step_name == f"step {n}"
            if n % 10 == 0:
                raise ValueError

    async def run() -> None:
        await asyncio.gather(*(work(n) for n in range(100)), return_exceptions=True)

    asyncio.run(run())
    assert counts(hb) == (90, 10)


def test_waits_are_counted(hb: Heartline) -> None:
    def phase() -> tuple[int, str | None]:
        vitals = hb._core.vitals(0)
        return vitals.phase, vitals.step

    assert phase() == (0, None)
    first, second = hb.begin("a"), hb.begin("b")
    with hb.waiting("approval"):
        assert phase()[0] == 1, "another task goes on"
        hb.begin_waiting("a colleague")
        assert phase() == (2, "a colleague")
        hb.end_waiting()
    first.end()
    second.end()
    wait = hb.begin_waiting()
    assert phase() == (2, None)
    hb.end_waiting(wait)
    hb.end_waiting(wait)
    hb.end_waiting()
    assert phase() == (1, None)

    async def run() -> None:
        async with hb.waiting("a person"):
            assert phase() == (2, "a person")

    asyncio.run(run())


def test_a_task_that_ends_in_another_thread_or_context_is_counted(hb: Heartline) -> None:
    task = hb.task()
    task.__enter__()
    thread = threading.Thread(target=task.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    assert counts(hb) == (1, 0)


def test_tasks_that_never_end_use_bounded_memory(
    hb: Heartline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartline.task, "TASKS_MAX", 100)
    for _ in range(1_000):
        hb.begin("forgotten")
        hb.begin_waiting("forgotten")
    status = hb.status()
    assert (status.in_flight, status.lost_observations) == (100, 900)


def test_loops_are_watched_while_they_come_and_go(hb: Heartline) -> None:
    ended = threading.Event()
    faults: list[BaseException] = []

    def read() -> None:
        while not ended.is_set():
            try:
                hb._core.vitals(0)
            except BaseException as fault:
                faults.append(fault)

    async def work() -> None:
        async with hb.task():
            pass

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(200):
        asyncio.run(work())
    ended.set()
    reader.join()
    assert not faults and counts(hb) == (200, 0)
    assert len(hb._core.loop_lag._probes) <= 64
