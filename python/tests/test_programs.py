"""The programs beside the package: the doctor, the conformance agent, the examples, the benchmark."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from fleet import Collector, Place, eventually

PYTHON = Path(__file__).resolve().parents[1]


def run(
    environment: dict[str, str], *arguments: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        timeout=50,
        cwd=PYTHON,
    )


def doctor(environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    done = run(environment, "-m", "heartline", "doctor", *arguments)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def test_the_doctor_finds_nothing_wrong_with_a_good_setting(collector: Collector) -> None:
    status, said = doctor(collector.agent_environment(), "--agent", "mail")
    assert status == 0, said
    assert f"✓ a signed probe to {collector.address} was answered in" in said
    assert "for the whole fleet (epoch 1)" in said


def test_the_doctor_names_what_is_wrong(collector: Collector, place: Place) -> None:
    good = collector.agent_environment()
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    unused = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    unused.bind(("127.0.0.1", 0))
    free_port = unused.getsockname()[1]
    unused.close()
    with Collector(place):
        other_token = str(place.token_file)
    narrow = collector.ask("token", "--agent", "mail").strip().splitlines()[-1]
    for change, arguments, wrong in (
        ({"HEARTLINE_COLLECTOR": f"127.0.0.1:{free_port}"}, (), "nothing listens on 127.0.0.1"),
        ({"HEARTLINE_COLLECTOR": f"127.0.0.1:{silent.getsockname()[1]}"}, (), "no answer from"),
        ({"HEARTLINE_COLLECTOR": "nowhere.invalid:1"}, (), "can't be resolved"),
        ({"HEARTLINE_COLLECTOR": "http://c"}, (), "has a scheme: write c:4327"),
        ({"HEARTLINE_TOKEN_FILE": other_token}, (), "no answer from"),
        ({"HEARTLINE_TOKEN": "hl1.secret"}, (), "the token is damaged"),
        ({"HEARTLINE_TOKEN_FILE": "/nowhere"}, (), "no token at /nowhere"),
        ({"HEARTLINE_TOKEN": narrow}, ("--agent", "mailer"), 'does not cover agent "mailer"'),
        ({"HEARTLINE_INTERVAL": "30"}, (), "is not a whole number and a unit"),
        ({"HEARTLINE_INTERVAL": "1ms"}, (), "is outside of 100ms to 1h"),
        ({"HEARTLINE_DISABLE": "1"}, (), "agents send nothing"),
        ({"HEARTLINE_STATE_DIR": "/proc/nowhere"}, (), "a kill can't be remembered in"),
    ):
        status, said = doctor({**good, **change}, *arguments)
        assert status == 1 and wrong in said, (change, said)
        assert "hl1.secret" not in said
    silent.close()


def test_the_command_line_explains_itself(place: Place) -> None:
    done = run(place.environment(), "-m", "heartline", "--help")
    assert done.returncode == 0 and "doctor" in done.stdout
    assert run(place.environment(), "-m", "heartline").returncode == 2
    assert run(place.environment(), "-m", "heartline", "--version").stdout.startswith("heartline 0")


def test_the_conformance_agent_counts_what_the_collector_stores(collector: Collector) -> None:
    operations = [
        {"op": "report", "success": True, "latency_us": 1234, "cost_nano_usd": 30_000_000,
         "tokens_in": 5, "tokens_out": 7},
        {"op": "task", "success": False, "cost_nano_usd": 1, "tokens_in": 2, "tokens_out": 3,
         "step": "parse"},
    ] * 50  # fmt: skip
    given = "".join(json.dumps(operation) + "\n" for operation in operations)
    agent = str(PYTHON / "conformance" / "agent.py")
    done = run(collector.agent_environment(), agent, "conformance", given=given)
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout)
    assert counted.pop("lost_observations") == 0
    assert counted == {
        "ok": 50, "failed": 50, "cost_nano_usd": 1_500_000_050, "tokens_in": 350, "tokens_out": 500
    }  # fmt: skip
    collector.await_total("conformance", **counted)


@pytest.mark.parametrize(
    ("file", "agent", "done"),
    [
        ("plain_loop.py", "order-processor", {"ok": 57, "failed": 3}),
        ("async_agent.py", "async-agent", {"ok": 60, "failed": 0}),
        ("multiprocessing_agent.py", "cruncher", {"ok": 0, "failed": 0}),
    ],
)
def test_examples_run(collector: Collector, file: str, agent: str, done: dict[str, int]) -> None:
    ended = run(collector.agent_environment(), str(PYTHON / "examples" / file))
    assert (ended.returncode, ended.stderr) == (0, "")
    collector.await_total(agent, **done)
    if agent == "cruncher":
        assert ended.stdout.startswith("20540 ['cruncher.1'")
        replicas = collector.names("cruncher.")

        def crunched() -> int:
            agents = [collector.agent(name) for name in replicas]
            return sum(agent["total"]["ok"] for agent in agents if agent)

        eventually(lambda: crunched() == 40, "all is counted")
