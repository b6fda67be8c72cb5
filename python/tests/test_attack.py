"""Attacks on a running agent: what must not stop, break or fool it."""

from __future__ import annotations

import random
import resource
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from fleet import Collector, Place, eventually

import heartline
from heartline import Heartline


@pytest.fixture
def hb(collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Heartline:
    monkeypatch.setenv("HEARTLINE_STATE_DIR", str(tmp_path))
    return heartline.start(
        "attacked", collector=collector.address, token=collector.place.token_file, interval="200ms"
    )


def test_random_and_repeated_datagrams_change_nothing(place: Place) -> None:
    """A proxy between agent and collector answers each message with rubbish, cut, changed and
    repeated, besides passing it on."""
    dice = random.Random(7)
    front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    front.bind(("127.0.0.1", 0))
    with Collector(place) as collector:
        host, port = collector.address.split(":")
        back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        back.connect((host, int(port)))
        back.settimeout(0.05)
        ended = threading.Event()

        def proxy() -> None:
            seen: list[bytes] = []
            front.settimeout(0.05)
            while not ended.is_set():
                try:
                    data, agent = front.recvfrom(2_048)
                except TimeoutError:
                    continue
                back.send(data)
                try:
                    seen.append(back.recv(2_048))
                except TimeoutError:
                    pass
                for answer in dice.choices(seen or [data], k=20):
                    changed = bytearray(answer)
                    changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
                    front.sendto(changed, agent)
                    front.sendto(answer[: dice.randrange(len(answer))], agent)
                    front.sendto(dice.randbytes(dice.randrange(1_400)), agent)
                    front.sendto(answer, agent)

        thread = threading.Thread(target=proxy)
        thread.start()
        address = f"127.0.0.1:{front.getsockname()[1]}"
        hb = heartline.start("targeted", collector=address, token=place.token_file, interval="100ms")
        eventually(lambda: hb.status().is_healthy, f"it is live: {hb.status()}")
        for _ in range(20):
            hb.report()
            time.sleep(0.02)
        refused = hb.status().collectors[0].refused_datagrams
        hb.stop()
        ended.set()
        thread.join()
        collector.await_total("targeted", ok=20, failed=0)
        assert refused > 100 and not hb.killed
        front.close()
        back.close()


def test_a_stopped_process_goes_on_where_it_was(collector: Collector) -> None:
    source = """
    import sys, time, heartline
    hb = heartline.start("suspended")
    while str(hb.status()) != "live": time.sleep(0.01)
    hb.report()
    print("ready", flush=True)
    sys.stdin.readline()
    hb.report()
    """
    with collector.agent_program(source) as program:
        program.await_line("ready")
        program.signal(signal.SIGSTOP)
        eventually(lambda: collector.state("suspended") not in (None, "healthy"), "it is missed")
        program.signal(signal.SIGCONT)
        collector.await_state("suspended", "healthy")
        program.tell("")
        assert program.end() == (0, "", "")
    collector.await_total("suspended", ok=2, failed=0)
    agent = collector.await_state("suspended", "killed/shutdown")
    assert agent["starts"] == 1


def test_a_handle_outlives_the_thread_that_started_it(collector: Collector) -> None:
    source = """
    import threading, time, heartline
    def begin():
        hb = heartline.start("orphan")
        hb.report()
    for target in (begin, begin):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    hb = heartline.current()
    while hb.status().collectors[0].connection.value != "live": time.sleep(0.01)
    for _ in range(100):
        thread = threading.Thread(target=hb.report)
        thread.start()
        thread.join()
    """
    with collector.agent_program(source) as program:
        assert program.end() == (0, "", "")
    collector.await_total("orphan", ok=102, failed=0)


def test_reports_in_signal_handlers_and_finalizers_do_not_deadlock_or_get_lost(
    collector: Collector,
) -> None:
    source = """
    import gc, signal, time, heartline
    hb = heartline.start("reentrant")
    handled = finalized = reported = 0
    class Finalized:
        def __init__(self): self.me = self
        def __del__(self):
            global finalized
            finalized += 1
            # No task: before 3.12 the interpreter itself crashes where the collection of garbage that
            # the setting of a context variable begins sets one.
            hb.report()
    def handle(number, frame):
        global handled
        handled += 1
        with hb.task(): hb.report()
        hb.status()
    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    gc.set_threshold(20)
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        for _ in range(100):
            with hb.task(): pass
            hb.report(latency_ms=1.5)
            reported += 2
            Finalized()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    gc.collect()
    print(hb.status().counted.ok - 2 * handled - finalized - reported, handled > 100, flush=True)
    """
    with collector.agent_program(source) as program:
        program.await_line("0 True")
        assert program.end() == (0, "", "")


def test_beats_cost_next_to_nothing_and_memory_does_not_grow(hb: Heartline) -> None:
    """A thousand beats, each with work, made as fast as their engine makes them."""
    import tracemalloc

    eventually(lambda: hb.status().is_healthy, "it is live")
    link = hb._core.thread._links[0] if hb._core.thread else None
    assert link is not None
    hb.stop()
    engine, metrics = link._engine, link._metrics
    assert engine is not None

    def beats(count: int) -> None:
        from heartline.engine.engine import Engine, EngineConfig

        fresh = Engine(EngineConfig("attacked", engine._keys, b"session1"), 0)
        now = 0
        for _ in range(count):
            now = fresh.poll_timeout() or now
            assert fresh.poll_transmit(now, metrics) is not None

    beats(50)
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    used = resource.getrusage(resource.RUSAGE_SELF)
    beats(1_000)
    after = resource.getrusage(resource.RUSAGE_SELF)
    grown = sum(stat.size_diff for stat in tracemalloc.take_snapshot().compare_to(before, "filename"))
    tracemalloc.stop()
    assert grown < 200_000, f"{grown} bytes more after a thousand beats"
    assert after.ru_utime - used.ru_utime < 60, "a beat takes milliseconds at most"
