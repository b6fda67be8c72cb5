"""The envelope, written from protocol/SPEC.md alone: section 3."""

import hmac
import struct

from bodies import ACK, BEAT, EXIT_REPORT, GOODBYE, PUSH, decode
from keys import covers, is_id, sha256_hmac
from packing import Refused

TYPES = {BEAT: "beat", GOODBYE: "goodbye", EXIT_REPORT: "exit_report", ACK: "ack", PUSH: "push"}
DATAGRAM_MAX = 1200

# 3 Envelope


def seal(kind, epoch, scope, agent, session, sequence, challenge, body, key):
    head = b"HLN1" + struct.pack(">BBHBB", kind, epoch, len(body), len(scope), len(agent))
    covered = head + agent.encode() + session + struct.pack(">Q", sequence) + challenge + body
    return covered + sha256_hmac(key, covered)


def parse(data):
    """The header and body of a datagram that nobody has vouched for yet."""
    if not 75 <= len(data) <= DATAGRAM_MAX:
        raise Refused("BadLength", "parse")
    if data[:4] != b"HLN1":
        raise Refused("BadMagic", "parse")
    kind, epoch, body_len, scope_len, n = struct.unpack(">BBHBB", data[4:10])
    if kind not in TYPES:
        raise Refused("BadKind", "parse")
    if not 1 <= n <= 63:
        raise Refused("BadAgent", "parse")
    if 74 + n + body_len != len(data):
        raise Refused("BadBodyLength", "parse")
    raw = data[10 : 10 + n]
    if not is_id(raw):
        raise Refused("BadAgent", "parse")
    agent = raw.decode()
    if scope_len > n or not covers(agent[:scope_len], agent):
        raise Refused("BadScope", "parse")
    sequence = struct.unpack(">Q", data[18 + n : 26 + n])[0]
    if sequence == 0:
        raise Refused("BadSequence", "parse")
    return {
        "type": kind,
        "epoch": epoch,
        "scope": agent[:scope_len],
        "agent": agent,
        "session": data[10 + n : 18 + n],
        "sequence": sequence,
        "challenge": data[26 + n : 42 + n],
        "body": data[42 + n : -32],
    }


def verify(data, key):
    if not hmac.compare_digest(sha256_hmac(key, data[:-32]), data[-32:]):
        raise Refused("BadTag", "verify")


def open_downward(data, key):
    """Every check that an emitter makes, in order; the header with the fields of the body."""
    message = parse(data)
    if message["type"] < 0x80:
        raise Refused("BadKind", "direction")
    verify(data, key)
    message["fields"] = decode(message["type"], message["body"])
    return message
