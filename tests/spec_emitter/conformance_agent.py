#!/usr/bin/env python3
"""The conformance agent of the emitter that was written from protocol/SPEC.md alone: one collector, and
a thread that reads what to do. docs/write-an-emitter.md has the contract.

    cargo xtask conformance --collectors 1 -- python3 tests/spec_emitter/conformance_agent.py
"""

import json
import os
import queue
import sys
import threading
import types

import buckets
from emitter import Emitter, now_ms

SUMS = ("ok", "failed", "cost_nano_usd", "tokens_in", "tokens_out")
INTERVAL_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}


def interval_ms(text):
    number = text.rstrip("hms")
    return int(number) * INTERVAL_UNITS_MS[text[len(number) :]]


def settings(agent):
    """The environment as options of the emitter, without work of its own."""
    return types.SimpleNamespace(
        agent=agent,
        collector=os.environ["HEARTLINE_COLLECTOR"],
        token=os.environ["HEARTLINE_TOKEN"],
        interval_ms=interval_ms(os.environ["HEARTLINE_INTERVAL"]),
        ok=0,
        failed=0,
        latency_us=None,
        cost_nano=0,
        copy_after=None,
        lose=[],
    )


class ConformanceAgent(Emitter):
    def __init__(self, agent):
        super().__init__(settings(agent))
        self.operations = queue.SimpleQueue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in sys.stdin:
            self.operations.put(json.loads(line))
        self.operations.put(None)

    def perform(self):
        """Does what was read so far, unless a kill holds it; returns whether that was the last of it."""
        while not self.is_killed() and not self.work.is_spent() and not self.operations.empty():
            operation = self.operations.get()
            if operation is None:
                return True
            work = {"ok" if operation["success"] else "failed": 1}
            work.update((name, operation[name]) for name in SUMS[2:])
            self.work.open.update(work)
            self.work.counted.update(work)
            # A task that ends at once has taken no time.
            self.work.latency[buckets.bucket(operation.get("latency_us", 0))] += 1
            if self.work.is_spent():
                self.report()
        return False

    def run(self):
        while not self.perform():
            if now_ms() >= self.due:
                self.beat()
            elif message := self.receive(min(self.due, now_ms() + 20)):
                self.take(message)
        self.say_goodbye()


def main():
    # What the emitter says of each event would stand among the counts.
    counts, sys.stdout = sys.stdout, open(os.devnull, "w")
    agent = ConformanceAgent(sys.argv[1])
    agent.run()
    sums = {name: agent.work.counted[name] for name in SUMS}
    print(json.dumps({**sums, "lost_observations": 0}), file=counts)


if __name__ == "__main__":
    main()
