"""The checks, as far as each one allows the next."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ..engine.address import ADDRESS_DEFAULT, parse_addresses, split_address
from ..problem import Problem, quoted, reason
from ..protocol.agent_id import agent_id_fault, scope_covers
from ..protocol.bodies import INTERVAL_MAX_MS, INTERVAL_MIN_MS
from ..protocol.token import Token
from ..sender.lookup import Peer, resolve
from ..settings import parse_interval_ms, state_home_of, token_source
from .diagnostic import Diagnostic
from .probe import Outcome, ProbeResult, send

# The id of the probe, below the token's scope.
_PROBE_ID = "heartline-doctor"


def diagnose(env: Mapping[str, str], agent: str | None) -> list[Diagnostic]:
    """Runs all checks, for an agent of this name, or for any."""
    found: list[Diagnostic] = []
    _check_switches(env, found)
    token = _check_token(env, agent, found)
    _check_state_directory(env, found)
    for collector in _check_collectors(env, found):
        peers = _check_lookup(collector, found)
        if token is not None and peers:
            _check_probe(peers, token, found)
    return found


def _check_switches(env: Mapping[str, str], found: list[Diagnostic]) -> None:
    if env.get("HEARTLINE_DISABLE", "") not in ("", "0"):
        found.append(
            Diagnostic(
                "HEARTLINE_DISABLE is set: agents send nothing", "Unset it where the agent runs."
            )
        )
    text = env.get("HEARTLINE_INTERVAL", "")
    if not text:
        return
    interval_ms = parse_interval_ms(text)
    if interval_ms is None:
        found.append(
            Diagnostic(
                f"HEARTLINE_INTERVAL={quoted(text)} is not a whole number and a unit; agents use 30s",
                "Write it as 30s or 500ms; the units are ms, s, m and h.",
            )
        )
    elif not INTERVAL_MIN_MS <= interval_ms <= INTERVAL_MAX_MS:
        found.append(
            Diagnostic(
                f"HEARTLINE_INTERVAL={quoted(text)} is outside of 100ms to 1h; agents use the nearest "
                "of them",
                "Set it within that range.",
            )
        )


def _check_token(env: Mapping[str, str], agent: str | None, found: list[Diagnostic]) -> Token | None:
    source = token_source(None, env)
    token = source.token()
    where = "HEARTLINE_TOKEN" if source.path is None else source.path
    if isinstance(token, Problem):
        advice = {
            "no_token": "Start `heartlined` as the same user, which makes it, or set HEARTLINE_TOKEN.",
            "no_token_path": "Set HEARTLINE_TOKEN or HEARTLINE_TOKEN_FILE.",
            "token_unreadable": "Let the agent's user read it, or set HEARTLINE_TOKEN.",
        }.get(token.kind, "Copy it again, or make another with `heartline token`.")
        found.append(Diagnostic(f"the token from {where}: {token}", advice))
        return None
    whom = "the whole fleet"
    if token.scope:
        is_prefix = token.scope.endswith(".")
        whom = f"agents below {token.scope}" if is_prefix else f"the agent {token.scope} alone"
    found.append(Diagnostic(f"the token from {where} is valid for {whom} (epoch {token.epoch})"))
    if source.path is not None and os.stat(source.path).st_mode & 0o077:
        found.append(
            Diagnostic(
                f"others can read the token in {source.path}: chmod 600 it", is_note=True
            )
        )
    if agent is not None:
        _check_agent(agent, token, found)
    return token


def _check_agent(agent: str, token: Token, found: list[Diagnostic]) -> None:
    fault = agent_id_fault(agent)
    if fault is not None:
        found.append(
            Diagnostic(f"{quoted(agent)} can't be an agent's name: {fault}", "Rename the agent.")
        )
    elif not scope_covers(token.scope, agent):
        found.append(
            Diagnostic(
                f'the token is for scope "{token.scope}", which does not cover agent "{agent}"',
                f"Make one with `heartline token --agent {agent}`.",
            )
        )
    elif token.scope == agent:
        found.append(
            Diagnostic(
                f"the token covers {agent} alone: forked children, {agent}.1 and so on, would send "
                "nothing",
                is_note=True,
            )
        )


def _check_state_directory(env: Mapping[str, str], found: list[Diagnostic]) -> None:
    home = state_home_of(env)
    directory = env.get("HEARTLINE_STATE_DIR") or (home and os.path.join(home, "agents"))
    if not directory:
        found.append(
            Diagnostic(
                "a kill would be lost at a restart: there is no directory to remember it in",
                "Set HEARTLINE_STATE_DIR.",
            )
        )
        return
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        probe = os.path.join(directory, f"{_PROBE_ID}.{os.urandom(8).hex()}.tmp")
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(probe)
    except OSError as error:
        found.append(
            Diagnostic(
                f"a kill can't be remembered in {directory}: {reason(error)}",
                "Let the agent's user write there, or set HEARTLINE_STATE_DIR.",
            )
        )
    else:
        found.append(Diagnostic(f"a kill is remembered in {directory}"))


def _check_collectors(env: Mapping[str, str], found: list[Diagnostic]) -> list[str]:
    text = env.get("HEARTLINE_COLLECTOR")
    where = "HEARTLINE_COLLECTOR" if text else "the default"
    addresses, faults = parse_addresses(text or ADDRESS_DEFAULT)
    if addresses:
        found.append(Diagnostic(f"agents here send to {' and '.join(addresses)} ({where})"))
    found += [
        Diagnostic(
            fault,
            "HEARTLINE_COLLECTOR is HOST:PORT, such as collector.internal:4327, or several with commas "
            "between them.",
        )
        for fault in faults
    ]
    return addresses


def _check_lookup(collector: str, found: list[Diagnostic]) -> list[Peer]:
    try:
        peers = resolve(*split_address(collector))
    except (OSError, UnicodeError) as error:
        found.append(
            Diagnostic(
                f"the collector's address {collector} can't be resolved: {reason(error)}",
                "Check the name in HEARTLINE_COLLECTOR, and this machine's DNS.",
            )
        )
        return []
    texts = [_shown(peer) for peer in peers]
    if texts != [collector]:
        found.append(Diagnostic(f"{collector} is {', then '.join(texts)}"))
    return peers


def _check_probe(peers: list[Peer], token: Token, found: list[Diagnostic]) -> None:
    agent = _probe_name(token)
    keys = token.agent_keys(agent)
    result = send(peers[0], agent, keys)
    for peer, following in zip(peers, peers[1:]):
        if result.outcome is Outcome.ANSWERED:
            break
        found.append(
            Diagnostic(
                f"{_shown(peer)}: {result.reason or result.outcome.value}; agents go on to the next "
                "address",
                is_note=True,
            )
        )
        result = send(following, agent, keys)
    found.append(_diagnose_probe(result))
    if result.outcome is Outcome.ANSWERED and agent != token.scope:
        found.append(
            Diagnostic(
                f"the probe is listed as {agent}, state unknown; remove it there: heartline forget "
                f"{agent}",
                is_note=True,
            )
        )


def _diagnose_probe(result: ProbeResult) -> Diagnostic:
    address = _shown(result.peer)
    if result.outcome is Outcome.ANSWERED:
        return Diagnostic(
            f"a signed probe to {address} was answered in {result.round_trip_ms:.1f} ms: address and "
            "token are right"
        )
    if result.outcome is Outcome.REFUSED:
        return Diagnostic(
            f"nothing listens on {address} (connection refused)",
            "Start `heartlined` there, or set HEARTLINE_COLLECTOR to the port it listens on.",
        )
    if result.outcome is Outcome.FAILED:
        return Diagnostic(
            f"can't send to {address}: {result.reason}",
            "Check the network and the address in HEARTLINE_COLLECTOR.",
        )
    if result.outcome is Outcome.UNVERIFIED:
        return Diagnostic(
            f"something at {address} answers, and it is no collector with this token's key",
            "Set HEARTLINE_COLLECTOR to the port that `heartlined` listens on.",
        )
    return Diagnostic(
        f"no answer from {address}",
        "A collector answers nothing that is signed wrongly: the token may be of another collector, or "
        "revoked (make one there: `heartline token`), or the collector of another protocol version. Or "
        "a firewall drops UDP to or from this port. On the collector, `heartline doctor` and "
        "`heartline status` tell which.",
    )


def _probe_name(token: Token) -> str:
    """Returns the id of the probe: one that no agent has, or, with a token for one agent alone, that
    agent."""
    if token.scope and not token.scope.endswith("."):
        return token.scope
    name = token.scope + _PROBE_ID
    # A prefix can be so long that the whole id does not fit below it.
    return name if agent_id_fault(name) is None else name[:63]


def _shown(peer: Peer) -> str:
    host, port = peer.address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
