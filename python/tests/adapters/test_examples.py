"""The examples of frameworks, run as their readers run them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet import PATIENCE, Collector

from .conftest import wait_for

EXAMPLES = Path(__file__).parents[2] / "examples" / "frameworks"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem != "crewai_agent")


@pytest.fixture(scope="module")
def finished(collector: Collector) -> Iterator[dict[str, tuple[int, str]]]:
    """The exit codes and errors of all examples, which run beside each other."""
    running = {
        name: subprocess.Popen(
            [sys.executable, str(EXAMPLES / f"{name}.py")],
            env={**collector.place.environment(), "HEARTLINE_COLLECTOR": collector.address},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for name in NAMES
    }  # fmt: skip
    ended = {}
    for name, example in running.items():
        _, errors = example.communicate(timeout=6 * PATIENCE)
        ended[name] = (example.returncode, errors)
    yield ended


@pytest.mark.parametrize("name", NAMES)
def test_an_example_counts_three_tasks(
    collector: Collector, finished: dict[str, tuple[int, str]], name: str
) -> None:
    code, errors = finished[name]
    assert code == 0, errors
    agent = name.replace("_", "-")
    seen = wait_for(collector, agent, "a goodbye", lambda agent: agent["reason"] == "shutdown")
    assert (seen["total"]["ok"], seen["total"]["failed"]) == (3, 0), errors
