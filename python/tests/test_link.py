"""The link to one collector, with time given."""

from __future__ import annotations

import socket

import pytest
from heartline.core import Core
from heartline.engine.engine import EngineConfig
from heartline.engine.schedule import MS
from heartline.problem import Problem
from heartline.protocol.token import read_token
from heartline.sender.link import CollectorLink

KEYS = read_token("hl1.AQDWY7_eMsMupq8FPr8mQwpVHN6xyZrFnWRSHmvjhH9pve1G5IM").agent_keys("a1")


@pytest.mark.parametrize(
    ("is_refused", "age_ms", "patience_ms"),
    [(False, 10, 990), (False, 700, 300), (False, 900, 250), (False, 60_000, 250), (True, 10, 250)],
)
def test_a_goodbye_leaves_the_first_second_for_the_first_answer(
    is_refused: bool, age_ms: int, patience_ms: int
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        link = CollectorLink(f"127.0.0.1:{silent.getsockname()[1]}", 1_000 * MS, Core("a1", None))
        started = 5_000 * MS
        link.start_session(EngineConfig(agent="a1", keys=KEYS, session=b"session1"), started)
        link.transmit(started)
        assert silent.recv(2_048)
        if is_refused:
            link._socket.problem = Problem("address", "connection refused")
        stopped = started + age_ms * MS
        link.say_goodbye(stopped)

        # It goes on, message after message, until the end of its patience.
        now = stopped
        while (due := link.poll_timeout()) is not None:
            now = max(now, due)
            link.transmit(now)
        assert (now - stopped) // MS == patience_ms
        link.close()
