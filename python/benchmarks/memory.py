"""Memory of an agent that works all the time: `python benchmarks/memory.py`, beside a collector.

It does the work of 3,600 beats at 100 ms, as many as an hour has at 1 s, and prints what the process
holds after 300 of them and at the end. Counted by the clock: under load there are some fewer.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import threading
import time

import heartline

INTERVAL = 0.1
WARM_UP_BEATS = 300
BEATS = 3_600


class ModelError(Exception):
    """What a task may fail by."""


def rss_kib() -> int:
    """Returns the resident memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1_024


def run_tasks(hb: heartline.Heartline) -> None:
    """Runs tasks with all that they can tell; each seventh fails."""
    for number in itertools.count():
        try:
            with hb.task(f"order {number}") as t:
                t.step("model")
                t.tokens(input=900, output=number % 500)
                t.cost(usd=0.0001 * (number % 97))
                time.sleep(0.002)
                if number % 7 == 0:
                    raise ModelError(number)
        except ModelError:
            pass


def run_reports(hb: heartline.Heartline) -> None:
    """Reports latencies of all sizes, and a backlog."""
    for number in itertools.count():
        hb.report(success=number % 11 != 0, latency_ms=(number * 7_919) % 90_000 / 10, cost_usd=0.01)
        hb.queue(number % 20)
        time.sleep(0.001)


def run_threads(hb: heartline.Heartline) -> None:
    """Runs tasks in threads that end."""
    while True:
        threads = [threading.Thread(target=run_one_task, args=(hb,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def run_one_task(hb: heartline.Heartline) -> None:
    with hb.task("in a thread"):
        time.sleep(0.005)


async def run_event_loop(hb: heartline.Heartline) -> None:
    """Runs tasks side by side in an event loop."""

    async def run_one() -> None:
        async with hb.task("in a loop"):
            await asyncio.sleep(0.005)

    while True:
        await asyncio.gather(*(run_one() for _ in range(10)))


def main() -> None:
    hb = heartline.start("memory", interval=INTERVAL)
    for work in (run_tasks, run_reports, run_threads):
        threading.Thread(target=work, args=(hb,), daemon=True).start()
    loop = threading.Thread(target=lambda: asyncio.run(run_event_loop(hb)), daemon=True)
    loop.start()
    begun, warm = time.monotonic(), 0
    for beats in (WARM_UP_BEATS, BEATS):
        time.sleep(begun + beats * INTERVAL - time.monotonic())
        status = hb.status()
        rss = rss_kib()
        warm = warm or rss
        tasks = status.counted.ok + status.counted.failed
        print(f"after {beats:5} beats  {rss:7} KiB  {tasks:8} tasks  {status}", flush=True)
    print(f"growth {rss - warm} KiB")
    sys.exit(0 if hb.status().is_healthy else 1)


main()
