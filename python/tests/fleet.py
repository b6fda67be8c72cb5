"""Real collectors and agent programs, for tests."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 20.0


def program(name: str) -> str:
    """Returns the path of a program of the workspace, from the environment."""
    path = _PROGRAMS.get(name)
    if not path or not Path(path).exists():
        raise RuntimeError(
            f"set {name} to the path of a built {name.lower()}: these tests run against the real one"
        )
    return path


# Read before tests clear the environment.
_PROGRAMS = {name: os.environ.get(name) for name in ("HEARTLINED", "HEARTLINE")}


def eventually(probe: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """Returns the first true result of `probe`, asked again and again."""
    deadline = time.monotonic() + patience
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"in {patience:.0f} s it did not come to this: {what}")
        time.sleep(0.02)


class Place:
    """Directories of one fleet."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / "s"
        self.runtime = directory / "r"
        for path in (self.state, self.runtime):
            path.mkdir(exist_ok=True)

    def environment(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("HEARTLINE_")
        }
        return {
            **kept,
            "XDG_STATE_HOME": str(self.state),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "PYTHONUNBUFFERED": "1",
        }

    @property
    def token_file(self) -> Path:
        return self.state / "heartline" / "local.token"

    @property
    def desired_states(self) -> Path:
        return self.state / "heartline" / "agents"


class Collector:
    """A running collector, and what operators ask it."""

    def __init__(
        self,
        place: Place,
        *,
        stall_after: str = "5m",
        listen: str = "127.0.0.1:0",
        more_config: str = "",
    ) -> None:
        self.place = place
        self._config = place.directory / "config.toml"
        self._config.write_text(f'[health]\nstall_after = "{stall_after}"\n{more_config}')
        self._listen = listen
        self.address = ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Collector:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end(signal.SIGTERM)

    def start(self) -> None:
        """Starts it; again, at the same address."""
        command = [program("HEARTLINED"), "--config", str(self._config), "--listen", self._listen]
        self._process = subprocess.Popen(
            command,
            env=self.place.environment(),
            stdout=subprocess.PIPE,
            stderr=open(self.place.directory / "log", "a"),
            text=True,
        )
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        match = re.match(r"ready udp=(\S+)", ready)
        assert match, f"the collector says {ready!r}: {(self.place.directory / 'log').read_text()}"
        self.address = self._listen = match[1]

    def end(self, signal_number: int) -> None:
        """Ends it, by SIGKILL at once."""
        if self._process is not None:
            self._process.send_signal(signal_number)
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def ask(self, *arguments: str, ok: tuple[int, ...] = (0,)) -> str:
        """Runs an operator's command; returns what it prints."""
        done = subprocess.run(
            [program("HEARTLINE"), *arguments],
            env=self.place.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode in ok, (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def agent(self, name: str) -> dict[str, Any] | None:
        """Returns what is known of an agent; None while it is unknown."""
        document = json.loads(self.ask("status", "--json"))
        agents = [agent for agent in document["agents"] if agent["agent"] == name]
        return agents[0] if agents else None

    def names(self, prefix: str) -> set[str]:
        document = json.loads(self.ask("status", "--json"))
        return {it["agent"] for it in document["agents"] if it["agent"].startswith(prefix)}

    def state(self, name: str) -> str | None:
        """Returns an agent's state and reason, such as `degraded/stalled`."""
        agent = self.agent(name)
        if agent is None:
            return None
        return "/".join(filter(None, (agent["state"], agent["reason"])))

    def await_state(self, name: str, state: str) -> dict[str, Any]:
        eventually(lambda: self.state(name) == state, f"{name} is {state}, not {self.state(name)}")
        agent = self.agent(name)
        assert agent is not None
        return agent

    def await_total(self, name: str, **sums: int) -> None:
        """Waits until exactly these sums are stored."""

        def total() -> dict[str, int]:
            agent = self.agent(name)
            return {} if agent is None else {key: agent["total"][key] for key in sums}

        eventually(lambda: total() == sums, f"{name} has {sums}, not {total()}")

    def transitions(self, agent: str) -> set[str]:
        """Returns the states that an agent and its replicas came into, and their reasons."""
        events = map(json.loads, self.ask("events", "--json").splitlines())
        return {
            "/".join(filter(None, (event["to"], event["reason"])))
            for event in events
            if event["kind"] == "transition" and f"{event['agent']}.".startswith(f"{agent}.")
        }

    def kill(self, name: str) -> None:
        self.ask("kill", name, "--reason", "a test", "--yes")

    def resume(self, name: str) -> None:
        self.ask("resume", name, "--reason", "a test", "--yes")

    def agent_environment(self, **more: str) -> dict[str, str]:
        """Returns the environment of an agent of this collector."""
        return {
            **self.place.environment(),
            "HEARTLINE_COLLECTOR": self.address,
            "HEARTLINE_INTERVAL": "300ms",
            **more,
        }

    def agent_program(self, source: str, **more: str) -> AgentProgram:
        """Starts a program as an agent of this collector."""
        return AgentProgram(source, self.agent_environment(**more))


class AgentProgram:
    """A Python program in a process of its own, which says `ready` and what else it wants."""

    def __init__(
        self, source: str | None, environment: dict[str, str], *arguments: str
    ) -> None:
        """Starts a program from its source, or from a file and arguments."""
        given = [] if source is None else ["-c", textwrap.dedent(source)]
        self.process = subprocess.Popen(
            [sys.executable, *given, *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> AgentProgram:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def line(self) -> str:
        """Returns the next line that it prints."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            _, errors = self.process.communicate()
            raise AssertionError(f"it has ended: {errors}")
        return line.strip()

    def await_line(self, expected: str) -> None:
        line = self.line()
        assert line == expected, line

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, patience: float = PATIENCE) -> tuple[int, str, str]:
        """Waits for its end; returns exit status, output and errors."""
        output, errors = self.process.communicate(timeout=patience)
        return self.process.returncode, output, errors
