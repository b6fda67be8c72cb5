#!/usr/bin/env python3
"""Checks every known answer in protocol/vectors/ with this folder's code."""

import json
import pathlib
import sys

import bodies
import buckets
import envelope
import keys
from packing import Refused

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "protocol" / "vectors"
KINDS = {name: kind for kind, name in envelope.TYPES.items()}


def load(name):
    return json.loads((VECTORS / f"{name}.json").read_text())


def reason_of(call, *arguments):
    """Why a call refuses what it was given, and at which stage; None if it does not."""
    try:
        call(*arguments)
    except Refused as refused:
        return refused.stage, refused.reason
    return None, None


def check_keys():
    file = load("keys")
    for text in file["ids"]["valid"]:
        yield text, keys.is_id(text.encode())
    for text in file["ids"]["invalid"]:
        yield repr(text), not keys.is_id(text.encode())
    for case in file["scopes"]:
        yield str(case), keys.covers(case["scope"], case["agent"]) == case["covers"]
    for case in file["derived"]:
        scope_key = keys.scope_key(bytes.fromhex(case["master"]), case["epoch"], case["scope"])
        pair = [key.hex() for key in keys.agent_keys(scope_key, case["agent"])]
        yield str(case), [scope_key.hex(), *pair] == [case["scope_key"], case["up"], case["down"]]
    for case in file["tokens"]:
        expected = case["epoch"], case["scope"], bytes.fromhex(case["scope_key"])
        yield case["token"], keys.read_token(case["token"]) == expected
    for case in file["refused_tokens"]:
        yield case["why"], reason_of(keys.read_token, case["token"])[1] == case["reason"]


def number(value):
    """Numbers above 2^53 are decimal text there."""
    return str(value) if isinstance(value, int) and value > 2**53 else value


def plain(fields):
    """Fields as the vectors have them."""
    fields = dict(fields)
    if fields.get("segment"):
        fields["segment"] = dict(fields["segment"], latency=fields["segment"]["latency"].hex())
    if fields.get("identity") is not None:
        who = {k: bodies.scrub(v) if isinstance(v, str) else v for k, v in fields["identity"].items()}
        who["labels"] = [[bodies.scrub(k), bodies.scrub(v)] for k, v in who["labels"].items()]
        fields["identity"] = who
    if fields.get("step") is not None:
        fields["step"] = bodies.scrub(fields["step"])
    if fields.get("process") is not None:
        fields["process"] = {k: number(v) for k, v in fields["process"].items()}
    if fields.get("budget") is not None:
        fields["budget"] = {k: number(v) for k, v in fields["budget"].items()}
    if fields.get("last_lines"):
        fields["last_lines"] = [bodies.scrub(line) for line in fields["last_lines"]]
    return {field: number(value) for field, value in fields.items()}


def check_messages():
    for case in load("messages")["messages"]:
        data, key, name = bytes.fromhex(case["datagram"]), bytes.fromhex(case["agent_key"]), case["name"]
        message = envelope.parse(data)
        kind, head = message["type"], case["header"]
        scope_key = bytes.fromhex(case["scope_key"])
        yield name + ": key", keys.agent_keys(scope_key, message["agent"])[kind >> 7] == key
        yield name + ": tag", reason_of(envelope.verify, data, key) == (None, None)
        header = {
            "type": envelope.TYPES[kind],
            "epoch": message["epoch"],
            "scope": message["scope"],
            "agent": message["agent"],
            "session": message["session"].hex(),
            "sequence": number(message["sequence"]),
            "challenge": message["challenge"].hex(),
        }
        yield name + ": header", header == head
        fields = bodies.decode(kind, message["body"])
        yield f"{name}: {fields}", plain(fields) == case["fields"]
        if case["canonical"]:
            body = bodies.encode(kind, fields)
            again = envelope.seal(
                kind, message["epoch"], message["scope"], message["agent"], message["session"],
                message["sequence"], message["challenge"], body, key,
            )  # fmt: skip
            yield name + ": written", again == data


def check_refused():
    file = load("refused")
    collector, agent = file["collector"], file["agent"]
    masters = {each["epoch"]: bytes.fromhex(each["master"]) for each in collector["masters"]}
    down = keys.agent_keys(bytes.fromhex(agent["scope_key"]), agent["agent"])[1]

    def upward(data):
        message = envelope.parse(data)
        if message["type"] >= 0x80:
            raise Refused("BadKind", "direction")
        if message["epoch"] not in masters:
            raise Refused("UnknownEpoch", "key")
        if message["scope"] in collector["revoked_scopes"] or message["agent"] in collector["revoked_agents"]:
            raise Refused("Revoked", "key")
        scope_key = keys.scope_key(masters[message["epoch"]], message["epoch"], message["scope"])
        envelope.verify(data, keys.agent_keys(scope_key, message["agent"])[0])
        bodies.decode(message["type"], message["body"])

    for case in file["cases"]:
        data = bytes.fromhex(case["datagram"])
        if case["receiver"] == "agent":
            found = reason_of(envelope.open_downward, data, down)
        else:
            found = reason_of(upward, data)
        yield f"{case['why']}: {found}", found == (case["stage"], case["reason"])


def check_buckets():
    file = load("buckets")
    for case in file["latencies"]:
        index = buckets.bucket(int(case["us"]))
        found = index, buckets.lowest(index), buckets.midpoint(index)
        yield str(case), found == (case["index"], case["lowest"], case["midpoint"])
    for case in file["packed"]:
        pairs = [tuple(pair) for pair in case["pairs"]]
        yield case["name"], buckets.unpack_histogram(bytes.fromhex(case["packed"])) == pairs
        yield case["name"], buckets.pack_histogram(dict(pairs)).hex() == case["packed"]
    for case in file["refused"]:
        found = reason_of(buckets.unpack_histogram, bytes.fromhex(case["packed"]))
        yield case["why"], found[1] == case["reason"]


def check_text():
    file = load("text")
    for name, table in ("dropped", bodies.DROPPED), ("replaced", bodies.REPLACED):
        ranges = [(int(first, 16), int(last, 16)) for first, last in file[name]]
        yield f"{name} characters", ranges == table
    for case in file["cases"]:
        yield case["name"], bodies.scrub(case["raw"]) == case["scrubbed"]


def check_window():
    for case in load("window")["cases"]:
        taken = set()
        for step in case["steps"]:
            sequence, highest = int(step["sequence"]), max(taken, default=0)
            fresh = sequence > highest or highest - sequence < 128 and sequence not in taken
            fresh = fresh and sequence > 0
            yield f"{case['name']}: {sequence}", fresh == step["new"]
            if fresh:
                taken.add(sequence)


def check_challenge():
    for case in load("challenge")["challenges"]:
        step_ms = max(3_000, 3 * case["interval_ms"])
        step = int(case["elapsed_ms"]) // step_ms
        message = step.to_bytes(8, "big") + case["voided"].to_bytes(4, "big")
        message += step_ms.to_bytes(4, "big")
        message += bytes.fromhex(case["session"]) + case["agent"].encode()
        found = keys.sha256_hmac(bytes.fromhex(case["boot_key"]), message)[:16].hex()
        yield str(case), found == case["challenge"]


def main():
    checks = [
        check_keys, check_messages, check_refused, check_buckets, check_text, check_window,
        check_challenge,
    ]  # fmt: skip
    results = [(check.__name__, what, passed) for check in checks for what, passed in check()]
    failed = [(name, what) for name, what, passed in results if not passed]
    for name, what in failed:
        print(f"{name}: {what}")
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
