"""A real collector for the tests, and programs that run as agents of it."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet import Collector, Place


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """A collector that calls an agent stalled after a second without progress."""
    with tempfile.TemporaryDirectory(prefix="hl") as directory:
        place = Place(Path(directory))
        with Collector(place, stall_after="1s") as running:
            yield running


@pytest.fixture
def place() -> Iterator[Place]:
    """Directories of a fleet of one's own."""
    with tempfile.TemporaryDirectory(prefix="hl") as directory:
        yield Place(Path(directory))


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keeps the settings of whoever runs the tests from them."""
    for name in list(os.environ):
        if name.startswith("HEARTLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def pytest_configure() -> None:
    """Lets programs under test have SIGINT, also where a shell has started this one in the background:
    its jobs ignore the signal, and what they start inherits that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
