"""Bad settings and bad values: said once, in the status and the log, and the agent goes on."""

from __future__ import annotations

import datetime
import decimal
import logging
import math
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from fleet import Collector, Place, eventually

import heartline
from heartline import Heartline

TOKEN = "hl1.AQDWY7_eMsMupq8FPr8mQwpVHN6xyZrFnWRSHmvjhH9pve1G5IM"
NOWHERE = "127.0.0.1:9"


@pytest.fixture(autouse=True)
def end_what_was_started() -> Iterator[None]:
    yield
    while (hb := heartline.current()) is not None:
        hb.stop()


def kinds(hb: Heartline) -> list[str]:
    """Returns the problems, but that nobody listens there."""
    return [problem.kind for problem in hb.status().problems if problem.kind != "socket"]


def start(name: str = "bad-input", **settings: Any) -> Heartline:
    return heartline.start(name, **{"token": TOKEN, "collector": NOWHERE, **settings})


def assert_goes_on(hb: Heartline) -> None:
    with hb.task() as t:
        t.cost(usd=1)
    hb.report(False)
    counted = hb.status().counted
    assert (counted.ok, counted.failed, counted.cost_nano_usd) == (1, 1, 10**9)
    hb.stop()
    hb.stop()


@pytest.mark.parametrize(
    ("name", "settings", "kind", "says"),
    [
        ("Mail", {}, "bad_name", "byte 1 of the agent id (0x4d) is not one of a-z 0-9 . _ -"),
        ("a/b", {}, "bad_name", "byte 2 of the agent id"),
        ("-a", {}, "bad_name", "must not start with `-`"),
        ("", {}, "bad_name", "must not be empty"),
        ("a" * 64, {}, "bad_name", "has at most 63 bytes, this one has 64"),
        ("mäil", {}, "bad_name", "byte 2 of the agent id"),
        (None, {}, "bad_name", "it is not text"),
        ("bad", {"token": "secret"}, "bad_token", 'a token starts with "hl1."'),
        ("bad", {"token": TOKEN[:-1]}, "bad_token", "the token is damaged"),
        ("bad", {"token": Path("/nowhere/t")}, "no_token", "no token at /nowhere/t: start heartlined"),
        ("bad", {"token": Path("/")}, "token_unreadable", "can't read the token at /: Is a directory"),
        ("bad", {"collector": "http://c:1"}, "bad_collector", "has a scheme: write c:1"),
        ("bad", {"collector": "c"}, "bad_collector", "has no port: write c:4327"),
        ("bad", {"collector": ""}, "bad_collector", "the list of collectors is empty"),
        ("bad", {"interval": 0.01}, "interval_out_of_range", "10 ms is outside of 100 ms to 1 h"),
        ("bad", {"interval": "2h"}, "interval_out_of_range", "using 3600000 ms"),
        ("bad", {"interval": "soon"}, "bad_interval", '"soon" is not a whole number and a unit'),
        ("bad", {"interval": math.nan}, "bad_interval", '"nan" is not a whole number'),
        ("bad", {"interval": -1}, "interval_out_of_range", "using 100 ms"),
        ("bad", {"stall_after": "soon"}, "bad_stall_after", 'the stall_after "soon" is not a whole'),
        ("bad", {"stall_after": 0}, "bad_stall_after", "using the collector's setting"),
        ("bad", {"stall_after": math.inf}, "bad_stall_after", 'the stall_after "inf" is not'),
        ("bad", {"stall_after": 0.5}, "stall_after_out_of_range", "500 ms is outside of 1 s to 720 h"),
        ("bad", {"stall_after": "721h"}, "stall_after_out_of_range", "using 2592000000 ms"),
        ("bad", {"on_kill": "Wait"}, "bad_on_kill", 'it is "wait", "raise" or a function'),
        ("bad", {"labels": {"k": "v" * 200}}, "identity_shortened", "it was shortened"),
        ("bad", {"labels": 7}, "not_started", "can't start the emitter: TypeError"),
        ("bad", {"depends_on": ["Mail"]}, "bad_dependency", 'the dependency "Mail" is left out'),
    ],
)  # fmt: skip
def test_a_bad_setting_is_said_and_the_agent_goes_on(
    name: Any, settings: dict[str, Any], kind: str, says: str
) -> None:
    hb = start(name, **settings)
    assert kind in kinds(hb)
    assert says in str(hb.status())
    assert "secret" not in str(hb.status()) and TOKEN[4:-1] not in str(hb.status())
    assert_goes_on(hb)


def test_good_settings_in_all_their_forms_are_no_problem() -> None:
    for number, interval in enumerate((30, 0.5, "500ms", " 1 h", datetime.timedelta(seconds=2))):
        hb = start(f"good.{number}", interval=interval)
        assert not [kind for kind in kinds(hb) if "interval" in kind]
        hb.stop()
    for number, stall_after in enumerate((90, 1.5, "20m", " 720 h", datetime.timedelta(hours=1))):
        hb = start(f"patient.{number}", stall_after=stall_after)
        assert not [kind for kind in kinds(hb) if "stall" in kind]
        hb.stop()


def test_an_async_function_can_not_be_called_at_a_kill() -> None:
    async def on_kill() -> None: ...

    hb = start(on_kill=on_kill)
    assert kinds(hb) == ["bad_on_kill"]
    assert_goes_on(hb)


def test_a_disabled_emitter_is_silent_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTLINE_DISABLE", "1")
    hb = start()
    assert str(hb.status()) == "off; HEARTLINE_DISABLE is set: nothing is sent"
    assert_goes_on(hb)


BAD_VALUES: list[Any] = [
    math.nan, math.inf, -math.inf, -1, -1e-9, "x", ["x"], object(), 1j, None, decimal.Decimal("NaN")
]  # fmt: skip


@pytest.mark.parametrize("value", BAD_VALUES, ids=lambda value: repr(value).partition(" at ")[0])
def test_bad_values_are_lost_observations_and_said_once(
    value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    hb = start()
    with caplog.at_level(logging.WARNING, "heartline"):
        for _ in range(2):
            if value is not None:
                hb.report(True, latency_ms=value, cost_usd=value)
            tokens: Any = math.nan if value is None else value
            hb.report(True, tokens_in=tokens, tokens_out=tokens)
            with hb.task() as t:
                t.cost(usd=value)
                t.tokens(input=value, output=value)
            hb.queue(value)
        hb.stop()
    status = hb.status()
    assert (status.counted.ok, status.counted.cost_nano_usd) == (6 if value is not None else 4, 0)
    assert status.lost_observations == (16 if value is not None else 12)
    said = [record.getMessage() for record in caplog.records]
    assert sum("US dollars" in line for line in said) == 1
    assert sum("tokens" in line for line in said) == 1


def test_values_of_other_number_types_count() -> None:
    hb = start()
    latency, cost = cast(Any, decimal.Decimal("1.5")), cast(Any, decimal.Decimal("0.25"))
    hb.report(latency_ms=latency, cost_usd=cost, tokens_in=True)
    hb.report(latency_ms=1e300, cost_usd=0.0, tokens_in=2**52)
    hb.report(latency_ms=0.0, cost_usd=9_007_199.0, tokens_out=7.0)  # type: ignore[arg-type]
    status = hb.status()
    assert status.counted == (3, 0, 250_000_000 + 9_007_199_000_000_000, 1 + 2**52, 7)
    assert status.lost_observations == 0
    hb.report(cost_usd=9_007_200.0, tokens_in=2**53 + 1)
    assert hb.status().lost_observations == 2
    hb.stop()


def test_use_after_the_end_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    hb = start()
    with caplog.at_level(logging.WARNING, "heartline"):
        hb.stop()
        before = hb.status().counted
        for _ in range(3):
            hb.report()
            with hb.task() as t:
                t.step("late")
            hb.step("late")
            hb.queue(1)
            with hb.waiting("late"):
                pass
        assert not hb.killed and hb.wait_until_resumed(0)
        hb.stop()
    assert "used_after_stop" in kinds(hb) and hb.status().counted == before
    assert sum("was stopped" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize("fault", ["threading.Event().wait()", "raise OSError('disk full')"])
def test_a_log_handler_that_hangs_or_raises_stops_nothing(collector: Collector, fault: str) -> None:
    source = """
    import logging, os, threading, heartline
    class Bad(logging.Handler):
        def emit(self, record):
            FAULT
    logging.raiseExceptions = False
    logging.getLogger().addHandler(Bad())
    hb = heartline.start("bad-log", interval="10ms")
    hb.report(cost_usd=-1)
    while hb.status().collectors[0].connection.value != "live": pass
    print("live", flush=True)
    # The end of `logging` itself would wait for a handler that hangs.
    os._exit(0)
    """
    with collector.agent_program(source.replace("FAULT", fault)) as program:
        program.await_line("live")
        assert program.end()[0] == 0


def test_a_full_or_unwritable_state_directory_is_said_and_the_kill_is_obeyed(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the place of a directory")
    monkeypatch.setenv("HEARTLINE_STATE_DIR", str(tmp_path / "file" / "agents"))
    hb = heartline.start(
        "forgetful",
        collector=collector.address,
        token=collector.place.token_file,
        interval="300ms",
    )
    eventually(lambda: collector.state("forgetful") == "healthy", "it is live")
    collector.kill("forgetful")
    eventually(lambda: hb.killed, "it is killed")
    eventually(lambda: "state_unwritable" in kinds(hb), "it says that the kill would be lost")
    assert "can't store the desired state at" in str(hb.status())
    collector.resume("forgetful")
    assert hb.wait_until_resumed(10)
    hb.stop()


def test_a_damaged_or_unattributed_state_file_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTLINE_STATE_DIR", str(tmp_path))
    (tmp_path / "marked@ed46e483.desired").write_bytes(b"\xff\xff")
    (tmp_path / "marked.desired").write_text("heartline 1 generation 4 killed\n")
    hb = start("marked")
    assert kinds(hb) == ["state_unreadable", "unattributed_kill"] and hb.killed
    hb.stop()


def test_without_a_home_it_says_that_there_is_neither_token_nor_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    hb = heartline.start("homeless")
    assert kinds(hb) == ["no_state_dir", "no_token_path"]
    hb.stop()


def test_a_token_that_comes_later_is_found(collector: Collector, tmp_path: Path) -> None:
    path = tmp_path / "token"
    hb = heartline.start("early", collector=collector.address, token=path, interval="300ms")
    assert kinds(hb) == ["no_token"]
    hb.report()
    path.write_text(collector.place.token_file.read_text())
    eventually(lambda: str(hb.status()) == "live", f"it is live: {hb.status()}")
    hb.stop()
    collector.await_total("early", ok=1, failed=0)


def test_an_unanswered_emitter_warns_once_and_recovers(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    with Collector(place) as collector:
        token, address = place.token_file.read_text(), collector.address
    with caplog.at_level(logging.WARNING, "heartline"):
        hb = heartline.start("patient", collector=address, token=token, interval="100ms")
        hb.report()
        eventually(lambda: "unanswered" in kinds(hb), "it says that nothing answers")
        assert f"no answer from {address}" in str(hb.status())
        with collector:
            eventually(lambda: hb.status().is_healthy, f"it is live: {hb.status()}")
            hb.stop()
            collector.await_total("patient", ok=1, failed=0)
    warnings = [it for it in caplog.records if "no answer from" in it.getMessage()]
    assert len(warnings) == 1


def test_a_name_that_does_not_resolve_is_said_and_one_that_moves_is_followed(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    import _socket

    port = int(collector.address.rpartition(":")[2])
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    answers: list[Any] = [OSError(-2, "Name or service not known")]

    def getaddrinfo(*_: object) -> list[Any]:
        if isinstance(answers[0], OSError):
            raise answers[0]
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", answers[0])]

    monkeypatch.setattr(_socket, "getaddrinfo", getaddrinfo)
    hb = heartline.start(
        "follower", collector="collector.test:4327", token=collector.place.token_file, interval="100ms"
    )
    eventually(lambda: "unresolved" in kinds(hb), "it says that the name is unknown")
    assert "can't find the collector collector.test:4327: Name or service" in str(hb.status())
    answers[0] = silent.getsockname()
    assert silent.recv(2_048)[:4] == b"HLN1"
    answers[0] = ("127.0.0.1", port)
    eventually(lambda: hb.status().is_healthy, f"it finds the new address: {hb.status()}")
    hb.stop()
    silent.close()


def test_a_clock_that_steps_changes_nothing(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    hb = heartline.start(
        "stepping-clock",
        collector=collector.address,
        token=collector.place.token_file,
        interval="300ms",
    )
    for wall in (0.0, 4e9):
        monkeypatch.setattr(time, "time", lambda wall=wall: wall)
        with hb.task():
            pass
    monkeypatch.undo()
    eventually(lambda: hb.status().is_healthy, "it is live")
    hb.stop()
    collector.await_total("stepping-clock", ok=2, failed=0)


def test_the_memory_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    from heartline.engine.applied import AppliedStates
    from heartline.kill_memory import KillMemory
    from heartline.protocol.bodies import DesiredState

    before = os.umask(0o777)
    try:
        tmp_path.chmod(0o700)
        memory = KillMemory(str(tmp_path), "mail")
        assert memory.write("ed46e483", AppliedStates([DesiredState(0xABC, 4, True)])) is None
    finally:
        os.umask(before)
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == "heartline 2 control 0000000000000abc generation 4 killed\n"
