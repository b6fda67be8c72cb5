#!/usr/bin/env python3
"""Writes the starting corpora from the protocol's vectors: `python3 fuzz/seeds.py`."""

import json
import pathlib

FUZZ = pathlib.Path(__file__).parent
VECTORS = FUZZ.parent / "protocol" / "vectors"
KINDS = {0x01: 0, 0x02: 1, 0x03: 2, 0x81: 3, 0x82: 4}  # as the target `body` numbers them


# Requests and replies of operators: hello, ping, subscribe, agent, pong, goodbye.
FRAMES = [
    "9201 81a568656c6c6f 9301a178c0",
    "9202 a470696e67",
    "9203 81a9737562736372696265 929104",
    "9204 81a56167656e74 91a26d33",
    "9205 81a4706f6e67 cf0000019d4a000000",
    "9206 81a7676f6f64627965 91a26e6f",
]

FILTERS = [
    "",
    "state:degraded host:m3* p95>2s step>5m !tag:dev",
    "(mail or order) and not host=machine-3",
    'step:"fetch invoices" cost>=1.5 failed!=0',
    "!(a or (b c)) *a*a*a*b? p99<=1h",
]

TERMINAL_INPUT = [
    "\x1b[A\x1bOP\x1b[1;5C\x1b[<0;4;8M",
    "\x1b[?2026;2$y\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\",
    "\x1b[200~pasted\x1b[201~",
    "\x1bP>|xterm(388)\x1b\\\x1b_Gi=31;OK\x1b\\",
]


def read(name):
    return json.loads((VECTORS / f"{name}.json").read_text())


def write(target, seeds):
    folder = FUZZ / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number:03}").write_bytes(seed)
    print(f"{target}: {len(seeds)} seeds")


def body(datagram):
    """The kind and the body of a datagram whose framing is right."""
    return bytes([KINDS[datagram[4]]]) + datagram[42 + datagram[9]:-32]


def main():
    messages = [bytes.fromhex(case["datagram"]) for case in read("messages")["messages"]]
    refused = read("refused")["cases"]
    bad = [bytes.fromhex(case["datagram"]) for case in refused]
    framed = [datagram for case, datagram in zip(refused, bad) if case["stage"] == "decode"]
    write("datagram", messages + bad)
    write("body", [body(datagram) for datagram in messages + framed])

    keys = read("keys")
    write("token", [case["token"].encode() for case in keys["tokens"] + keys["refused_tokens"]])

    buckets = read("buckets")
    write("histogram", [bytes.fromhex(case["packed"]) for case in buckets["packed"] + buckets["refused"]])
    write("frames", [bytes.fromhex(frame) for frame in FRAMES])
    write("filter", [text.encode() for text in FILTERS])
    write("terminal_input", [text.encode() for text in TERMINAL_INPUT])


if __name__ == "__main__":
    main()
