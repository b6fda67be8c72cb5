"""Settings of the emitter, resolved from arguments, environment and defaults (`SPEC.md`, section 17)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from .arguments import Arguments, Duration
from .credentials import TokenSource
from .engine.address import ADDRESS_DEFAULT, parse_addresses
from .engine.identity import Identity
from .kill_memory import KillMemory
from .problem import Problem, quoted
from .protocol.agent_id import agent_id_fault
from .protocol.bodies import INTERVAL_DEFAULT_MS, INTERVAL_MAX_MS, INTERVAL_MIN_MS
from .version import SDK

# Limits of a declared `stall_after`: what a collector takes for its own, and what the wire holds.
_STALL_AFTER_MIN_MS, _STALL_AFTER_MAX_MS = 1_000, 720 * 3_600_000
_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_HOST_FILES = ("/proc/sys/kernel/hostname", "/etc/hostname")
_COROUTINE_FUNCTION = 0x80


class Settings(NamedTuple):
    """Resolved settings of an emitter."""

    agent: str
    collectors: list[str]
    """Empty if no address is well-formed: nothing is sent then."""
    token: TokenSource
    interval_ms: int
    stall_after_ms: int | None
    """None: the collector's setting."""
    memory: KillMemory | None
    identity: Identity


def resolve(
    arguments: Arguments, environment: Mapping[str, str], problems: list[Problem]
) -> Settings | Problem:
    """Resolves the settings. Problems that are not fatal are added to `problems`; a fatal one is
    returned."""
    env = {name: value for name, value in environment.items() if value}
    if env.get("HEARTLINE_DISABLE", "0") != "0":
        return Problem("disabled", "HEARTLINE_DISABLE is set: nothing is sent")
    agent = arguments.name
    fault = agent_id_fault(agent) if isinstance(agent, str) else "it is not text"
    if fault is not None:
        return Problem("bad_name", f"{quoted(agent)} can't be an agent's name: {fault}")
    state_home = state_home_of(env)
    state_dir = env.get("HEARTLINE_STATE_DIR") or (state_home and f"{state_home}/agents")
    if not state_dir:
        problems.append(
            Problem(
                "no_state_dir",
                "a kill would be lost at a restart: set HEARTLINE_STATE_DIR (neither XDG_STATE_HOME "
                "nor HOME is set)",
            )
        )
    return Settings(
        agent=agent,
        collectors=_collectors(arguments.collector, env, problems),
        token=token_source(arguments.token, env),
        interval_ms=_interval_ms(arguments.interval, env, problems),
        stall_after_ms=_stall_after_ms(arguments.stall_after, problems),
        memory=KillMemory(state_dir, agent) if state_dir else None,
        identity=_identity(arguments, problems),
    )


def state_home_of(env: Mapping[str, str]) -> str | None:
    """Returns Heartline's directory for what programs of this user remember."""
    if env.get("XDG_STATE_HOME"):
        return os.path.join(env["XDG_STATE_HOME"], "heartline")
    return os.path.join(env["HOME"], ".local/state/heartline") if env.get("HOME") else None


def token_source(argument: str | os.PathLike[str] | None, env: Mapping[str, str]) -> TokenSource:
    """Returns where the token comes from: a path is a file, and text the token itself."""
    if isinstance(argument, str):
        return TokenSource(text=argument)
    if argument is not None:
        return TokenSource(path=os.fspath(argument))
    if env.get("HEARTLINE_TOKEN"):
        return TokenSource(text=env["HEARTLINE_TOKEN"])
    if env.get("HEARTLINE_TOKEN_FILE"):
        return TokenSource(path=env["HEARTLINE_TOKEN_FILE"])
    state_home = state_home_of(env)
    return TokenSource(path=state_home and os.path.join(state_home, "local.token"))


def parse_interval_ms(text: str) -> int | None:
    """Parses a whole number and its unit: `500ms`, `30s`, `2m`, `1h`. None for anything else."""
    text = text.strip()
    digits = len(text) - len(text.lstrip("0123456789"))
    unit_ms = _UNITS_MS.get(text[digits:].strip())
    if not 1 <= digits <= 18 or unit_ms is None:
        return None
    return int(text[:digits]) * unit_ms


def on_kill_problem(on_kill: Any) -> Problem | None:
    """Returns why this can't be done at a kill."""
    if on_kill in ("wait", "raise"):
        return None
    if not callable(on_kill):
        what = 'it is "wait", "raise" or a function without arguments'
    elif getattr(getattr(on_kill, "__code__", None), "co_flags", 0) & _COROUTINE_FUNCTION:
        what = "it is called on a thread, so it can't be an async function"
    else:
        return None
    return Problem("bad_on_kill", f"on_kill={quoted(on_kill)} is not used: {what}; tasks wait")


def _collectors(
    argument: str | None, env: Mapping[str, str], problems: list[Problem]
) -> list[str]:
    text = argument if argument is not None else env.get("HEARTLINE_COLLECTOR")
    if text is None:
        return [ADDRESS_DEFAULT]
    addresses, faults = parse_addresses(str(text))
    problems += [Problem("bad_collector", fault) for fault in faults]
    return addresses


def _interval_ms(
    argument: Duration | None, env: Mapping[str, str], problems: list[Problem]
) -> int:
    asked = argument if argument is not None else env.get("HEARTLINE_INTERVAL")
    if asked is None:
        return INTERVAL_DEFAULT_MS
    asked_ms = _asked_ms(asked)
    if asked_ms is None:
        problems.append(
            Problem(
                "bad_interval",
                f"the interval {quoted(asked)} is not a whole number and a unit, such as 30s or "
                f"500ms; using {INTERVAL_DEFAULT_MS} ms",
            )
        )
        return INTERVAL_DEFAULT_MS
    used_ms = min(max(asked_ms, INTERVAL_MIN_MS), INTERVAL_MAX_MS)
    if used_ms != asked_ms:
        problems.append(
            Problem(
                "interval_out_of_range",
                f"the interval of {asked_ms} ms is outside of 100 ms to 1 h; using {used_ms} ms",
            )
        )
    return used_ms


def _stall_after_ms(asked: Duration | None, problems: list[Problem]) -> int | None:
    if asked is None:
        return None
    asked_ms = _asked_ms(asked)
    if asked_ms is None or asked_ms <= 0:
        problems.append(
            Problem(
                "bad_stall_after",
                f"the stall_after {quoted(asked)} is not a whole number and a unit, such as 20m or "
                "90s; using the collector's setting",
            )
        )
        return None
    used_ms = min(max(asked_ms, _STALL_AFTER_MIN_MS), _STALL_AFTER_MAX_MS)
    if used_ms != asked_ms:
        problems.append(
            Problem(
                "stall_after_out_of_range",
                f"the stall_after of {asked_ms} ms is outside of 1 s to 720 h; using {used_ms} ms",
            )
        )
    return used_ms


def _asked_ms(asked: Any) -> int | None:
    """Returns a duration in ms: from text with a unit, from seconds, or from a timedelta."""
    if isinstance(asked, str):
        return parse_interval_ms(asked)
    try:
        seconds = asked.total_seconds() if hasattr(asked, "total_seconds") else float(asked)
        return int(seconds * 1_000)
    except (TypeError, ValueError, OverflowError):
        return None


def _identity(arguments: Arguments, problems: list[Problem]) -> Identity:
    depends: list[str] = []
    for name in arguments.depends_on or ():
        fault = agent_id_fault(str(name))
        if fault is None:
            depends.append(str(name))
        else:
            problems.append(
                Problem("bad_dependency", f"the dependency {quoted(name)} is left out: {fault}")
            )
    identity = Identity(
        host=_host_name(),
        group=_text(arguments.group),
        version=_text(arguments.version),
        framework=_text(arguments.framework),
        sdk=SDK,
        pid=os.getpid(),
        labels={str(key): str(value) for key, value in dict(arguments.labels or {}).items()},
        depends=tuple(depends),
    )
    fitted = identity.fitted()
    if fitted != identity:
        problems.append(
            Problem(
                "identity_shortened",
                "the identity is too large or has characters that can't be shown; it was shortened",
            )
        )
    return fitted


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _host_name() -> str | None:
    """Reads the machine's name, where the system has a file for it."""
    for path in _HOST_FILES:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                name = file.read(1_024).strip()
        except OSError:
            continue
        if name:
            return name
    return os.uname().nodename or None
