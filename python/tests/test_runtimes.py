"""asyncio, gevent, trio and sub-interpreters."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from fleet import AgentProgram, Collector, eventually

import heartline


def test_a_kill_holds_tasks_of_a_loop_without_blocking_it(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTLINE_STATE_DIR", str(tmp_path))

    async def run() -> None:
        hb = heartline.start(
            "loop", collector=collector.address, token=collector.place.token_file, interval="200ms"
        )
        while not hb.status().is_healthy:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(collector.kill, "loop")
        while not hb.killed:
            await asyncio.sleep(0.01)

        async def work() -> None:
            async with hb.task():
                pass

        held = [asyncio.create_task(work()) for _ in range(10)]
        waits = asyncio.create_task(hb.resumed())
        held[0].cancel()
        await asyncio.sleep(0.1)
        assert hb.status().in_flight == 0 and not waits.done()
        await asyncio.to_thread(collector.resume, "loop")
        await asyncio.wait_for(waits, 10)
        results = await asyncio.gather(*held, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError) and results[1:] == [None] * 9
        hb.stop()

    asyncio.run(run())
    collector.await_total("loop", ok=9, failed=0)


def test_a_with_block_that_would_block_its_loop_says_so(collector: Collector) -> None:
    source = """
    import asyncio, sys, heartline
    hb = heartline.start("blocking")
    async def run():
        while not hb.killed:
            await asyncio.sleep(0.01)
        with hb.task():
            print([problem.kind for problem in hb.status().problems], flush=True)
    print("ready", flush=True)
    asyncio.run(run())
    """
    with collector.agent_program(source) as program:
        program.await_line("ready")
        eventually(lambda: collector.state("blocking") == "healthy", "it is live")
        collector.ask("kill", "blocking", "--reason", "a test", "--yes", "--wait", "10s")
        collector.resume("blocking")
        program.await_line("['blocks_event_loop']")
        assert program.end()[0] == 0


@pytest.mark.parametrize("order", ["patched first", "patched after the import"])
def test_under_gevent_the_beats_are_sent_by_a_thread_and_a_kill_holds_greenlets_alone(
    collector: Collector, order: str
) -> None:
    name = "gevent-" + order.split()[1]
    patch = "from gevent import monkey; monkey.patch_all()\n"
    source = (patch + "import heartline\n") if order == "patched first" else "import heartline\n" + patch
    source += f"""
import sys, threading, time, gevent
hb = heartline.start({name!r})
done = []
def work():
    while len(done) < 1000:
        with hb.task():
            time.sleep(0.01)
            done.append(1)
        if sys.exc_info()[0]: raise
def tick():
    while True:
        ticks.append(1)
        time.sleep(0.01)
ticks = []
workers = [gevent.spawn(work) for _ in range(3)]
gevent.spawn(tick)
while str(hb.status()) != "live":
    time.sleep(0.01)
print("ready", flush=True)
while not hb.killed or hb.status().in_flight:
    time.sleep(0.01)
before, ticks_before = len(done), len(ticks)
time.sleep(0.3)
print("held", len(done) == before, len(ticks) > ticks_before + 5, flush=True)
hb.wait_until_resumed()
time.sleep(0.2)
print("goes on", len(done) > before, flush=True)
gevent.killall(workers)
# The hub is blocked, and the beats go on: natively, until told.
from gevent.monkey import get_original
with hb.task("blocked"):
    print("blocked", flush=True)
    get_original("select", "select")([sys.stdin.fileno()], [], [])
"""
    with collector.agent_program(source) as program:
        program.await_line("ready")
        collector.ask("kill", name, "--reason", "a test", "--yes", "--wait", "10s")
        program.await_line("held True True")
        collector.resume(name)
        program.await_line("goes on True")
        program.await_line("blocked")
        agent = collector.await_state(name, "degraded/stalled")
        assert agent["beat_age_ms"] < 3_000
        program.tell("")
        assert program.end() == (0, "", "")
    collector.await_state(name, "killed/shutdown")


def test_trio_waits_for_the_resume(collector: Collector) -> None:
    source = """
    import trio, heartline
    hb = heartline.start("trio")
    async def run():
        while str(hb.status()) != "live":
            await trio.sleep(0.01)
        print("ready", flush=True)
        while not hb.killed:
            await trio.sleep(0.01)
        print("killed", flush=True)
        async with hb.task():
            print("resumed", flush=True)
    trio.run(run)
    """
    with collector.agent_program(source) as program:
        program.await_line("ready")
        collector.kill("trio")
        program.await_line("killed")
        collector.resume("trio")
        program.await_line("resumed")
        assert program.end() == (0, "", "")


SUB_INTERPRETER = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
source = '''
import heartline
hb = heartline.start("sub", collector="127.0.0.1:9", token=TOKEN)
with hb.task():
    hb.report()
print(hb.status().counted.ok, [problem.kind for problem in hb.status().problems], flush=True)
hb.stop()
'''
source = source.replace("TOKEN", repr("hl1.AQDWY7_eMsMupq8FPr8mQwpVHN6xyZrFnWRSHmvjhH9pve1G5IM"))
one = interpreters.create()
interpreters.run_string(one, source)
interpreters.destroy(one)
print("end", flush=True)
"""


def test_a_sub_interpreter_says_that_nothing_is_sent_and_goes_on() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SUB_INTERPRETER], capture_output=True, text=True, timeout=20
    )
    assert done.stdout == "2 ['thread_not_started']\nend\n", done
    assert "this is a sub-interpreter" in done.stderr and "Traceback" not in done.stderr


def test_a_python_without_its_lock_says_that_nothing_is_sent_and_goes_on() -> None:
    source = """
    import sys
    sys._is_gil_enabled = lambda: False  # as a free-threaded build says
    import heartline
    hb = heartline.start("free", collector="127.0.0.1:9", token=sys.argv[1])
    with hb.task():
        hb.report()
    print(hb.status().counted.ok, [problem.kind for problem in hb.status().problems])
    hb.stop()
    """
    token = "hl1.AQDWY7_eMsMupq8FPr8mQwpVHN6xyZrFnWRSHmvjhH9pve1G5IM"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source), token],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.stdout == "2 ['thread_not_started']\n", done
    assert "PYTHON_GIL=1" in done.stderr and "Traceback" not in done.stderr


def test_the_import_loads_nothing_heavy() -> None:
    heavy = {
        "asyncio", "ssl", "_ssl", "socket", "hashlib", "_hashlib", "logging", "inspect",
        "multiprocessing", "random", "subprocess", "ctypes", "argparse", "dataclasses", "json",
    }  # fmt: skip
    source = "import sys; before = set(sys.modules); import heartline; "
    source += "print(*sorted(set(sys.modules) - before))"
    environment = {"PYTHONPATH": str(Path(heartline.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-S", "-c", source], capture_output=True, text=True, env=environment
    )
    loaded = set(done.stdout.split())
    assert "heartline" in loaded, done.stderr
    assert not loaded & heavy


def test_a_first_use_in_an_exit_handler_is_harmless(collector: Collector) -> None:
    source = """
    import atexit, heartline
    @atexit.register
    def last():
        hb = heartline.start("at-the-end")
        with hb.task():
            hb.report()
        hb.stop()
        print(hb.status().counted.ok, flush=True)
    """
    with AgentProgram(source, collector.agent_environment()) as program:
        status, output, errors = program.end()
    assert (status, output) == (0, "2\n") and "Traceback" not in errors
