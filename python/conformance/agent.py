"""The conformance agent: does what the lines on its standard input say, and prints what was counted.

`python conformance/agent.py NAME`, with the settings in the environment.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import heartline


def report(hb: heartline.Heartline, operation: dict[str, Any]) -> None:
    latency_us = operation.get("latency_us")
    hb.report(
        operation["success"],
        latency_ms=None if latency_us is None else latency_us / 1_000,
        cost_usd=operation.get("cost_nano_usd", 0) / 1e9,
        tokens_in=operation.get("tokens_in", 0),
        tokens_out=operation.get("tokens_out", 0),
    )


def task(hb: heartline.Heartline, operation: dict[str, Any]) -> None:
    with hb.task() as t:
        if operation.get("step"):
            t.step(operation["step"])
        t.cost(usd=operation.get("cost_nano_usd", 0) / 1e9)
        t.tokens(input=operation.get("tokens_in", 0), output=operation.get("tokens_out", 0))
        if not operation["success"]:
            t.fail()


def main() -> None:
    hb = heartline.start(sys.argv[1])
    for line in sys.stdin:
        operation = json.loads(line)
        {"report": report, "task": task}[operation["op"]](hb, operation)
    hb.stop()
    status = hb.status()
    print(json.dumps({**status.counted._asdict(), "lost_observations": status.lost_observations}))


if __name__ == "__main__":
    main()
