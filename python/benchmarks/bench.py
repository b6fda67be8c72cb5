"""Measures what the emitter costs its agent, beside the metric clients that Python programs use.

`python benchmarks/bench.py [--quick]`, with the packages of `requirements-dev.txt`. The emitter beats once a
second, to the collector of the environment if `HEARTLINE_COLLECTOR` is set, else to nobody.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import socket
import subprocess
import sys
import time
import timeit
from collections.abc import Callable

import heartline

TOKEN = "hl1.AQDWY7_eMsMupq8FPr8mQwpVHN6xyZrFnWRSHmvjhH9pve1G5IM"


def nanoseconds(call: Callable[[], object], number: int) -> float:
    """Returns the least time that a call took, of several rounds."""
    return min(timeit.repeat(call, number=number, repeat=7)) / number * 1e9


def heartline_calls(hb: heartline.Heartline) -> dict[str, Callable[[], object]]:
    def report() -> None:
        hb.report(success=True, latency_ms=230, cost_usd=0.03)

    def report_all() -> None:
        hb.report(True, latency_ms=230.5, cost_usd=0.03, tokens_in=900, tokens_out=120)

    def task() -> None:
        with hb.task():
            pass

    def task_with_amounts() -> None:
        with hb.task("fetch") as t:
            t.cost(usd=0.03)
            t.tokens(input=900, output=120)

    return {
        "heartline: report(success, latency, cost)": report,
        "heartline: the same with tokens": report_all,
        "heartline: with task()": task,
        "heartline: with task(name), cost, tokens": task_with_amounts,
    }


def prometheus_calls() -> dict[str, Callable[[], object]]:
    from prometheus_client import CollectorRegistry, Counter, Histogram

    registry = CollectorRegistry()
    done = Counter("done", "Tasks", ["outcome"], registry=registry).labels("ok")
    cost = Counter("cost", "Cost", registry=registry)
    latency = Histogram("latency", "Latency", registry=registry)

    def report() -> None:
        done.inc()
        latency.observe(0.23)
        cost.inc(0.03)

    def timed() -> None:
        with latency.time():
            pass
        done.inc()

    return {
        "prometheus_client: counter, histogram, counter": report,
        "prometheus_client: with histogram.time(), counter": timed,
    }


def statsd_calls() -> dict[str, Callable[[], object]]:
    from statsd import StatsClient

    nobody = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    nobody.bind(("127.0.0.1", 0))
    client = StatsClient("127.0.0.1", nobody.getsockname()[1])

    def report(_: object = nobody) -> None:
        client.incr("done")
        client.timing("latency", 230)
        client.incr("cost", 30_000)

    def timed() -> None:
        with client.timer("latency"):
            pass

    return {
        "statsd: incr, timing, incr (3 datagrams)": report,
        "statsd: with timer() (1 datagram)": timed,
    }


def opentelemetry_calls() -> dict[str, Callable[[], object]]:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    meter = MeterProvider(metric_readers=[InMemoryMetricReader()]).get_meter("bench")
    done, cost = meter.create_counter("done"), meter.create_counter("cost")
    latency = meter.create_histogram("latency")
    ok = {"outcome": "ok"}

    def report() -> None:
        done.add(1, ok)
        latency.record(0.23, ok)
        cost.add(0.03, ok)

    return {"opentelemetry: counter, histogram, counter": report}


def import_ms(statement: str, rounds: int) -> float:
    """Returns how much longer an interpreter runs that imports something."""

    def run(source: str) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", source], check=True)
        return time.perf_counter() - begun

    bare = min(run("pass") for _ in range(rounds))
    return (min(run(statement) for _ in range(rounds)) - bare) * 1e3


def cpu_share(seconds: float) -> float:
    """Returns the share of one core that this process takes while it only beats, in percent."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    begun = time.perf_counter()
    time.sleep(seconds)
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used / (time.perf_counter() - begun) * 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run, whose numbers mean little")
    quick = parser.parse_args().quick
    if "HEARTLINE_COLLECTOR" in os.environ:
        hb = heartline.start("bench", interval="1s")
    else:
        hb = heartline.start("bench", collector="127.0.0.1:9", token=TOKEN, interval="1s")
    calls = {
        **heartline_calls(hb), **prometheus_calls(), **statsd_calls(), **opentelemetry_calls()
    }  # fmt: skip
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores\n")
    print(f"{'call':<52}{'ns':>8}")
    gc.collect()
    for name, call in calls.items():
        print(f"{name:<52}{nanoseconds(call, 2_000 if quick else 100_000):>8.0f}")
    rounds = 2 if quick else 20
    print(f"\n{'import':<52}{'ms':>8}")
    for module in ("heartline", "prometheus_client", "statsd", "opentelemetry.sdk.metrics"):
        print(f"{module:<52}{import_ms(f'import {module}', rounds):>8.1f}")
    share = cpu_share(2 if quick else 20)
    print(f"\n{'CPU of a process that beats once a second':<52}{share:>7.3f}%")
    hb.stop()


if __name__ == "__main__":
    main()
