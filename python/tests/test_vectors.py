"""The known answers of `protocol/vectors`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uplink
from heartline.protocol import bodies, buckets, keys, text
from heartline.protocol.agent_id import is_agent_id, scope_covers
from heartline.protocol.digest import Hmac
from heartline.protocol.envelope import ACK, BEAT, EXIT_REPORT, GOODBYE, PUSH, parse, seal, verify
from heartline.protocol.refused import Refused
from heartline.protocol.token import read_token

VECTORS = Path(__file__).resolve().parents[2] / "protocol" / "vectors"
TYPES = {BEAT: "beat", GOODBYE: "goodbye", EXIT_REPORT: "exit_report", ACK: "ack", PUSH: "push"}


def load(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


def cases(name: str, part: str) -> list[Any]:
    found = load(name)[part]
    assert found, "there are some"
    return list(found)


@pytest.mark.parametrize("agent", load("keys")["ids"]["valid"])
def test_valid_agent_ids(agent: str) -> None:
    assert is_agent_id(agent)


@pytest.mark.parametrize("agent", load("keys")["ids"]["invalid"])
def test_invalid_agent_ids(agent: str) -> None:
    assert not is_agent_id(agent)


@pytest.mark.parametrize("case", cases("keys", "scopes"))
def test_scopes(case: Any) -> None:
    assert scope_covers(case["scope"], case["agent"]) == case["covers"]


@pytest.mark.parametrize("case", cases("keys", "derived"))
def test_derived_keys(case: Any) -> None:
    scope_key = keys.scope_key(bytes.fromhex(case["master"]), case["epoch"], case["scope"])
    assert scope_key.hex() == case["scope_key"]
    assert keys.agent_key(scope_key, keys.UP, case["agent"]).hex() == case["up"]
    assert keys.agent_key(scope_key, keys.DOWN, case["agent"]).hex() == case["down"]


@pytest.mark.parametrize("case", cases("keys", "tokens"))
def test_tokens(case: Any) -> None:
    token = read_token(f" {case['token']}\n")
    assert (token.epoch, token.scope, token.key.hex()) == (
        case["epoch"],
        case["scope"],
        case["scope_key"],
    )
    assert case["scope_key"] not in repr(token)


@pytest.mark.parametrize("case", cases("keys", "refused_tokens"), ids=lambda case: case["why"])
def test_refused_tokens(case: Any) -> None:
    with pytest.raises(Refused) as refused:
        read_token(case["token"])
    assert refused.value.reason == case["reason"]


@pytest.mark.parametrize("case", cases("messages", "messages"), ids=lambda case: case["name"])
def test_messages(case: Any) -> None:
    data = bytes.fromhex(case["datagram"])
    key = Hmac(bytes.fromhex(case["agent_key"]))
    verify(data, key)
    envelope = parse(data)
    direction = keys.DOWN if envelope.is_downward else keys.UP
    derived = keys.agent_key(bytes.fromhex(case["scope_key"]), direction, envelope.agent)
    assert derived.hex() == case["agent_key"]
    assert case["header"] == {
        "type": TYPES[envelope.type],
        "epoch": envelope.epoch,
        "scope": envelope.agent[: envelope.scope_length],
        "agent": envelope.agent,
        "session": envelope.session.hex(),
        "sequence": uplink.plain_number(envelope.sequence),
        "challenge": envelope.challenge.hex(),
    }
    fields = uplink.decode(envelope)
    assert uplink.plain(fields) == case["fields"]
    is_of_a_supervisor = bool(fields.get("process"))
    if case["canonical"] and envelope.type in (BEAT, GOODBYE) and not is_of_a_supervisor:
        body = uplink.encode(envelope.type, fields)
        assert seal(envelope._replace(body=body), key) == data


def test_refused_by_an_agent() -> None:
    file = load("refused")
    agent = file["agent"]
    down = Hmac(keys.agent_key(bytes.fromhex(agent["scope_key"]), keys.DOWN, agent["agent"]))

    def check(data: bytes) -> None:
        envelope = parse(data)
        if not envelope.is_downward:
            raise Refused("BadKind", "direction")
        verify(data, down)
        bodies.decode(envelope)

    refused = [case for case in file["cases"] if case["receiver"] == "agent"]
    assert len(refused) >= 10
    for case in refused:
        assert outcome(check, case) == (case["stage"], case["reason"]), case["why"]


def test_refused_by_a_collector() -> None:
    """What only a collector receives is read by the same code, in other tables."""
    file = load("refused")
    collector = file["collector"]
    masters = {it["epoch"]: bytes.fromhex(it["master"]) for it in collector["masters"]}

    def check(data: bytes) -> None:
        envelope = parse(data)
        scope = envelope.agent[: envelope.scope_length]
        if envelope.is_downward:
            raise Refused("BadKind", "direction")
        if envelope.epoch not in masters:
            raise Refused("UnknownEpoch", "key")
        if scope in collector["revoked_scopes"] or envelope.agent in collector["revoked_agents"]:
            raise Refused("Revoked", "key")
        scope_key = keys.scope_key(masters[envelope.epoch], envelope.epoch, scope)
        verify(data, Hmac(keys.agent_key(scope_key, keys.UP, envelope.agent)))
        uplink.decode(envelope)

    refused = [case for case in file["cases"] if case["receiver"] == "collector"]
    assert len(refused) > 200
    for case in refused:
        assert outcome(check, case) == (case["stage"], case["reason"]), case["why"]


def outcome(check: Any, case: Any) -> tuple[str | None, str | None]:
    try:
        check(bytes.fromhex(case["datagram"]))
    except Refused as refused:
        return refused.step, refused.reason
    return None, None


@pytest.mark.parametrize("case", cases("buckets", "latencies"), ids=lambda case: str(case["us"]))
def test_buckets(case: Any) -> None:
    index = buckets.bucket(int(case["us"]))
    found = (index, buckets.lowest(index), buckets.midpoint(index))
    assert found == (case["index"], case["lowest"], case["midpoint"])


@pytest.mark.parametrize("case", cases("buckets", "packed"), ids=lambda case: case["name"])
def test_packed_histograms(case: Any) -> None:
    pairs = [(int(index), int(count)) for index, count in case["pairs"]]
    assert buckets.unpack_histogram(bytes.fromhex(case["packed"])) == pairs
    assert buckets.pack_histogram(pairs).hex() == case["packed"]


@pytest.mark.parametrize("case", cases("buckets", "refused"), ids=lambda case: case["why"])
def test_refused_histograms(case: Any) -> None:
    with pytest.raises(Refused) as refused:
        buckets.unpack_histogram(bytes.fromhex(case["packed"]))
    assert refused.value.reason == case["reason"]


def ranges(name: str) -> Iterator[tuple[int, int]]:
    for first, last in load("text")[name]:
        yield int(first, 16), int(last, 16)


def test_characters_of_free_text() -> None:
    assert list(ranges("dropped")) == list(text.DROPPED)
    assert list(ranges("replaced")) == list(text.REPLACED)


@pytest.mark.parametrize("case", cases("text", "cases"), ids=lambda case: case["name"])
def test_free_text(case: Any) -> None:
    assert text.scrub(case["raw"]) == case["scrubbed"]
