"""The agent that each of these tests is, and what the collector counts of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fleet import Collector, eventually

import heartline

_numbers = itertools.count(1)


def seen(collector: Collector, name: str) -> dict[str, Any]:
    """Returns what `heartline agent NAME --json` says; nothing while it knows no such agent."""
    text = collector.ask("agent", name, "--json", ok=(0, 1, 2, 3))
    found: dict[str, Any] = json.loads(text) if text else {}
    return found if found.get("agent") == name else {}


def wait_for(
    collector: Collector, name: str, what: str, condition: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Returns what is known of an agent once it meets a condition."""
    last: dict[str, Any] = {}

    def probe() -> bool:
        nonlocal last
        last = seen(collector, name)
        return bool(last) and condition(last)

    try:
        eventually(probe, what)
    except AssertionError as error:
        raise AssertionError(f"{error}; {name} is {last}") from None
    return last


def kill(collector: Collector, name: str) -> None:
    """Kills an agent, and waits until it has obeyed."""
    collector.ask("kill", name, "--reason", "test", "--yes", "--wait", "10s")


def resume(collector: Collector, name: str) -> None:
    """Resumes an agent, and waits until it has obeyed."""
    collector.ask("resume", name, "--yes", "--wait", "10s")


class Agent:
    """The agent that a test is: an emitter of this process, and the collector's view of it."""

    def __init__(self, collector: Collector, **settings: Any) -> None:
        self.collector = collector
        self.name = f"adapted-{next(_numbers)}"
        self.hb = heartline.start(
            self.name, collector=collector.address, token=collector.place.token_file,
            interval="100ms", **settings,
        )  # fmt: skip
        self.wait_for("a live beat", lambda agent: agent["state"] == "healthy")

    def wait_for(self, what: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        return wait_for(self.collector, self.name, what, condition)

    def kill(self) -> None:
        kill(self.collector, self.name)

    def resume(self) -> None:
        resume(self.collector, self.name)

    def counted(self) -> dict[str, Any]:
        """Stops the emitter, and returns what the collector has counted of it, in all."""
        assert self.hb.status().in_flight == 0
        self.hb.stop()
        agent = self.wait_for("a goodbye", lambda agent: agent["reason"] == "shutdown")
        total = agent["total"]
        return {
            "ok": total["ok"],
            "failed": total["failed"],
            "tokens": (total["tokens_in"], total["tokens_out"]),
            "usd": total["cost_nano_usd"] / 1e9,
        }


@pytest.fixture
def agent(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Agent]:
    monkeypatch.setenv("HEARTLINE_STATE_DIR", str(tmp_path))
    running = Agent(collector)
    yield running
    running.hb.stop()


@pytest.fixture
def raising_agent(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Agent]:
    """An agent with `on_kill="raise"`."""
    monkeypatch.setenv("HEARTLINE_STATE_DIR", str(tmp_path))
    running = Agent(collector, on_kill="raise")
    yield running
    running.hb.stop()
