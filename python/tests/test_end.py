"""How processes end: a clean end is no outage, a crash is."""

from __future__ import annotations

import signal

import pytest
from fleet import AgentProgram, Collector, eventually

# Starts an agent, and says `ready` once it is live.
LIVE = """
import sys, time, threading, signal, os, heartline
hb = heartline.start({name!r})
while str(hb.status()) != "live":
    time.sleep(0.01)
hb.report()
"""


def live_program(collector: Collector, name: str, rest: str) -> AgentProgram:
    program = collector.agent_program(LIVE.format(name=name) + rest)
    program.await_line("ready")
    return program


def assert_no_goodbye(collector: Collector, name: str) -> None:
    agent = collector.agent(name)
    assert agent is not None and agent["reason"] != "shutdown", agent


@pytest.mark.parametrize(
    ("name", "rest", "status"),
    [
        ("falls-off", "print('ready', flush=True)", 0),
        ("sys-exit", "print('ready', flush=True); sys.exit(3)", 3),
        ("in-a-task", "t = hb.task(); t.__enter__(); print('ready', flush=True); sys.exit()", 0),
        (
            "exits-in-atexit",
            "import atexit; atexit.register(lambda: sys.exit(5)); print('ready', flush=True)",
            0,
        ),
        (
            "reports-in-atexit",
            "import atexit; atexit.register(hb.report); print('ready', flush=True)",
            0,
        ),
        (
            "thread-goes-on",
            "threading.Thread(target=lambda: (time.sleep(0.5), hb.report())).start()\n"
            "print('ready', flush=True)",
            0,
        ),
        (
            "daemon-reports-on",
            "def work():\n"
            "    while True:\n"
            "        with hb.task(): pass\n"
            "threading.Thread(target=work, daemon=True).start()\n"
            "print('ready', flush=True)",
            0,
        ),
        ("keyboard-interrupt", "print('ready', flush=True); raise KeyboardInterrupt", -2),
    ],
)
def test_an_end_says_goodbye(collector: Collector, name: str, rest: str, status: int) -> None:
    with live_program(collector, name, rest) as program:
        ended, _, errors = program.end()
    assert ended == status
    if name not in ("keyboard-interrupt", "exits-in-atexit"):
        assert errors == ""
    assert "heartline/" not in errors
    collector.await_state(name, "killed/shutdown")


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("raises", "print('ready', flush=True); raise ValueError('a bug')"),
        ("is-ended", "print('ready', flush=True); os.kill(os.getpid(), signal.SIGKILL)"),
    ],
)
def test_a_crash_says_no_goodbye(collector: Collector, name: str, rest: str) -> None:
    with live_program(collector, name, rest) as program:
        assert program.end()[0] != 0
    eventually(lambda: collector.state(name) != "healthy", "it is missed")
    assert_no_goodbye(collector, name)


@pytest.mark.parametrize("where", ["main", "thread", "foreign-function", "deadlock"])
def test_sigterm_says_goodbye_and_ends_the_process(collector: Collector, where: str) -> None:
    name = f"term-{where}"
    rest = {
        "main": "print('ready', flush=True); time.sleep(60)",
        "thread": "def work():\n"
        "    while True:\n"
        "        with hb.task(): pass\n"
        "for _ in range(3): threading.Thread(target=work, daemon=True).start()\n"
        "print('ready', flush=True)\nthreading.Event().wait()",
        # A loop in C never lets Python's handlers run.
        "foreign-function": "import ctypes; libc = ctypes.CDLL(None)\n"
        "print('ready', flush=True)\n"
        "lock = ctypes.create_string_buffer(64)\n"
        "libc.pthread_mutex_lock(lock); libc.pthread_mutex_lock(lock)",
        "deadlock": "lock = threading.Lock(); lock.acquire()\n"
        "print('ready', flush=True); lock.acquire()",
    }[where]
    with live_program(collector, name, rest) as program:
        program.signal(signal.SIGTERM)
        status, _, errors = program.end()
    assert (status, errors) == (-signal.SIGTERM, "")
    collector.await_state(name, "killed/shutdown")


def test_sigint_still_reaches_the_program_as_a_keyboard_interrupt(collector: Collector) -> None:
    rest = """
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    with live_program(collector, "interrupted", rest) as program:
        program.signal(signal.SIGINT)
        assert program.end() == (0, "interrupted\n", "")
    collector.await_state("interrupted", "killed/shutdown")


def test_asyncio_still_cancels_its_main_task_at_sigint(collector: Collector) -> None:
    rest = """
import asyncio
async def main():
    try:
        print("ready", flush=True)
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        raise
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    with live_program(collector, "asyncio-interrupted", rest) as program:
        program.signal(signal.SIGINT)
        status, output, errors = program.end()
    assert (status, errors) == (0, "")
    assert output.endswith("interrupted\n")
    collector.await_state("asyncio-interrupted", "killed/shutdown")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_handler_of_the_program_wins(collector: Collector, when: str) -> None:
    install = """
def handle(number, frame):
    print("handled", number, flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, handle)
"""
    live, name = LIVE.format(name=f"handler-{when}"), f"handler-{when}"
    source = ("import signal, sys" + install + live) if when == "before" else live + install
    with collector.agent_program(source + "print('ready', flush=True); time.sleep(60)") as program:
        program.await_line("ready")
        program.signal(signal.SIGTERM)
        assert program.end() == (7, "handled 15\n", "")
    collector.await_state(name, "killed/shutdown")


def test_an_ignored_signal_stays_ignored(collector: Collector) -> None:
    source = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    source += LIVE.format(name="ignorant") + "print('ready', flush=True); input()"
    with collector.agent_program(source) as program:
        program.await_line("ready")
        program.signal(signal.SIGTERM)
        program.tell("")
        assert program.end()[0] == 0


def test_signals_are_left_alone_where_that_is_asked(collector: Collector) -> None:
    rest = """
other = heartline.start("left-alone", goodbye_on_signals=False)
print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, flush=True)
"""
    source = "import signal, heartline\n" + rest
    with collector.agent_program(source) as program:
        program.await_line("True")
        program.end()


def test_a_start_in_another_thread_says_that_sigterm_is_not_handled_until_it_is(
    collector: Collector,
) -> None:
    source = """
    import threading, time, heartline
    thread = threading.Thread(target=lambda: heartline.start("elsewhere"))
    thread.start()
    thread.join()
    hb = heartline.current()
    kinds = lambda: [problem.kind for problem in hb.status().problems]
    print(kinds(), flush=True)
    while hb.status().collectors[0].connection.value != "live":
        time.sleep(0.01)
    hb.report()
    print(kinds(), flush=True)
    time.sleep(60)
    """
    with collector.agent_program(source) as program:
        program.await_line("['signals_not_handled']")
        program.await_line("[]")
        program.signal(signal.SIGTERM)
        assert program.end()[0] == -signal.SIGTERM
    collector.await_state("elsewhere", "killed/shutdown")


def test_a_rolling_restart_of_twenty_shows_no_outage_and_no_failure(collector: Collector) -> None:
    rest = """
def work():
    while True:
        with hb.task(): time.sleep(0.01)
threading.Thread(target=work, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
"""
    names = [f"rolling.{n}" for n in range(20)]
    programs = {
        name: collector.agent_program(LIVE.format(name=name) + rest) for name in names
    }
    try:
        for name in names:
            programs[name].await_line("ready")
        for name in names:
            programs[name].signal(signal.SIGTERM)
            assert programs[name].end()[0] == -signal.SIGTERM
            programs[name] = collector.agent_program(LIVE.format(name=name) + rest)
        for name in names:
            programs[name].await_line("ready")
            collector.await_state(name, "healthy")
        assert collector.transitions("rolling") == {"healthy", "killed/shutdown"}
        for name in names:
            agent = collector.agent(name)
            assert agent is not None and agent["total"]["failed"] == 0
    finally:
        for program in programs.values():
            program.__exit__()
