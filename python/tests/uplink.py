"""The collector's side of the protocol, for tests: reading of beats, writing of acks and pushes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from heartline.protocol import bodies, text
from heartline.protocol.agent_id import is_agent_id
from heartline.protocol.bodies import Ack, Beat, Fields, Push, Segment
from heartline.protocol.buckets import COUNT_MAX, unpack_histogram
from heartline.protocol.envelope import ACK, BEAT, GOODBYE, PUSH, Envelope, seal
from heartline.protocol.keys import AgentKeys
from heartline.protocol.packing import pack
from heartline.protocol.refused import Refused
from heartline.protocol.unpacking import U32_MAX, Reader


def decode(envelope: Envelope) -> dict[str, Any]:
    """Decodes the body of any message."""
    if envelope.is_downward:
        return _downward(bodies.decode(envelope))
    reader = Reader(envelope.body)
    try:
        fields = _SCHEMAS[envelope.type](reader)
        reader.end()
    except Refused as refused:
        raise Refused(f"BadBody/{refused.reason}", "decode") from None
    return fields


def encode(kind: int, fields: dict[str, Any]) -> bytes:
    """Encodes the body of a beat or goodbye, by the code that the emitter uses."""
    segment = fields["segment"] and Segment(**fields["segment"])
    if kind == GOODBYE:
        return bodies.pack_goodbye(fields["uptime_ms"], segment)
    identity = fields["identity"]
    if identity is not None:
        identity = {key: value for key, value in identity.items() if value not in (None, {}, [])}
    values: dict[str, Any] = {**fields, "segment": segment, "identity": identity}
    del values["process"]
    return Beat(**values).pack()


def plain_number(value: Any) -> Any:
    """Returns a number as the vectors have it: above 2^53 as decimal text."""
    is_large = isinstance(value, int) and value > COUNT_MAX
    return str(value) if is_large else value


def plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns fields as the vectors have them."""
    plain = {key: plain_number(value) for key, value in fields.items()}
    if fields.get("last_lines"):
        plain["last_lines"] = [text.scrub(line) for line in fields["last_lines"]]
    if fields.get("budget"):
        plain["budget"] = {key: plain_number(value) for key, value in fields["budget"].items()}
    if fields.get("process"):
        plain["process"] = {key: plain_number(value) for key, value in fields["process"].items()}
    for key in ("control", "blocked_by", "lifts"):
        if key in fields:
            plain[key] = f"{fields[key]:016x}" if fields[key] else None
    if fields.get("step") is not None:
        plain["step"] = text.scrub(fields["step"])
    if fields.get("segment") is not None:
        plain["segment"] = {**fields["segment"], "latency": fields["segment"]["latency"].hex()}
    if fields.get("identity") is not None:
        identity: dict[str, Any] = {
            key: text.scrub(value) if isinstance(value, str) else value
            for key, value in fields["identity"].items()
        }
        labels = identity["labels"].items()
        plain["identity"] = {
            **identity, "labels": [[text.scrub(key), text.scrub(value)] for key, value in labels]
        }  # fmt: skip
    return plain


def _downward(message: Ack | Push) -> dict[str, Any]:
    desired = {
        "generation": message.desired.generation,
        "killed": message.desired.killed,
        "control": message.desired.control,
        "lifts": message.lifts,
    }
    if isinstance(message, Push):
        return desired
    return {
        **desired,
        "durable_segment": message.durable_segment,
        "highest_sequence": message.highest_sequence,
        "unconfirmed": message.unconfirmed,
        "wants_identity": message.wants_identity,
        "session_taken": message.session_taken,
        "budget": message.budget and {
            "unit": message.budget.unit.name.lower(),
            "left": message.budget.amount,
            "counts_pending": message.budget.counts_pending,
        },
    }


def seal_ack(
    envelope: Envelope,
    keys: AgentKeys,
    challenge: bytes,
    *,
    durable: int = 0,
    generation: int = 0,
    killed: bool = False,
    control: int = 7,
    flags: int = 0,
    lifts: int = 0,
    highest: int = 0,
    budget: tuple[int, ...] = (),
) -> bytes:
    """Returns the ack of a message."""
    body = pack([durable, generation, int(killed), control, flags, lifts, highest, *budget])
    return seal(envelope._replace(type=ACK, challenge=challenge, body=body), keys.down)


def seal_push(envelope: Envelope, keys: AgentKeys, generation: int, killed: bool, control: int) -> bytes:
    """Returns a push to the sender of a message."""
    body = pack([generation, int(killed), control, 0])
    return seal(envelope._replace(type=PUSH, challenge=bytes(16), body=body), keys.down)


def _beat(reader: Reader) -> dict[str, Any]:
    fields = Fields(reader)

    def u32() -> int:
        return reader.uint(most=U32_MAX)

    read: dict[str, Any] = {
        "interval_ms": fields.required(
            lambda: reader.uint(bodies.INTERVAL_MIN_MS, bodies.INTERVAL_MAX_MS)
        ),
        "uptime_ms": fields.required(reader.uint),
        "phase": fields.optional(lambda: reader.uint(most=3), bodies.PHASE_RUNNING),
        "in_flight": fields.optional(u32, 0),
        "oldest_in_flight_ms": fields.optional(reader.uint, None),
        "progress_age_ms": fields.optional(reader.uint, None),
        "queue": fields.optional(u32, None),
        "step": fields.optional(lambda: reader.text(text.STEP_MAX), None),
        "generation": fields.optional(lambda: reader.uint(most=bodies.GENERATION_MAX), 0),
        "killed": bool(fields.optional(lambda: reader.uint(most=1), 0)),
        "control": fields.optional(reader.uint, 0),
        "blocked_by": fields.optional(reader.uint, 0),
        "lost_observations": fields.optional(reader.uint, 0),
        "segment": fields.optional(lambda: _segment(reader), None),
        "identity": fields.optional(lambda: _identity(reader), None),
        "stall_after_ms": fields.optional(u32, None),
        "process": fields.optional(lambda: _process(reader), None),
    }
    fields.skip_rest()
    return read


def _goodbye(reader: Reader) -> dict[str, Any]:
    fields = Fields(reader)
    read = {
        "uptime_ms": fields.required(reader.uint),
        "segment": fields.optional(lambda: _segment(reader), None),
    }
    fields.skip_rest()
    return read


def _exit_report(reader: Reader) -> dict[str, Any]:
    fields = Fields(reader)
    no_lines: list[str] = []
    read = {
        "uptime_ms": fields.required(reader.uint),
        "code": fields.optional(lambda: reader.uint(most=U32_MAX), None),
        "signal": fields.optional(lambda: reader.uint(most=U32_MAX), None),
        "oom_killed": fields.optional(lambda: _bool(reader), False),
        "segment": fields.optional(lambda: _segment(reader), None),
        "last_lines": fields.optional(lambda: _lines(reader), no_lines),
    }
    fields.skip_rest()
    return read


def _lines(reader: Reader) -> list[str]:
    return [reader.text(text.TEXT_MAX) for _ in reader.array(5)]


def _process(reader: Reader) -> dict[str, Any]:
    fields = Fields(reader, 16)
    read = {
        "cpu_permille": fields.required(lambda: reader.uint(most=U32_MAX)),
        "memory_bytes": fields.required(reader.uint),
        "emitter_silent_ms": fields.optional(reader.uint, None),
    }
    fields.skip_rest()
    return read


def _bool(reader: Reader) -> bool:
    mark = reader.byte()
    if mark not in (0xC2, 0xC3):
        raise Refused("WrongType")
    return mark == 0xC3


def _segment(reader: Reader) -> dict[str, Any]:
    fields = Fields(reader, 32)

    def count() -> int:
        return reader.uint(most=COUNT_MAX)

    read = {
        "number": fields.required(lambda: reader.uint(1, COUNT_MAX)),
        "ok": fields.required(count),
        "failed": fields.required(count),
        "cost_nano_usd": fields.optional(count, 0),
        "tokens_in": fields.optional(count, 0),
        "tokens_out": fields.optional(count, 0),
        "latency": fields.optional(lambda: _latency(reader), b""),
    }
    fields.skip_rest()
    return read


def _latency(reader: Reader) -> bytes:
    packed = reader.bin(1_200)
    try:
        unpack_histogram(packed)
    except Refused:
        raise Refused("BadHistogram") from None
    return packed


def _identity(reader: Reader) -> dict[str, Any]:
    who: dict[str, Any] = dict.fromkeys(("host", "group", "version", "framework", "sdk", "pid"))
    who.update(labels={}, depends=[])

    def label(key: str) -> None:
        if len(key.encode()) > text.LABEL_KEY_MAX:
            raise Refused("TooLong")
        who["labels"][key] = reader.text(text.TEXT_MAX)

    def value(key: str) -> None:
        if reader.nil():
            return
        if key == "pid":
            who[key] = reader.uint(most=U32_MAX)
        elif key == "labels":
            reader.map(bodies.LABELS_MAX, label)
        elif key == "depends":
            for _ in reader.array(bodies.DEPENDS_MAX):
                agent = reader.text(63)
                if not is_agent_id(agent):
                    raise Refused("OutOfRange")
                who["depends"].append(agent)
        elif key in who:
            who[key] = reader.text(text.TEXT_MAX)
        else:
            reader.skip()

    reader.map(32, value)
    return who


_SCHEMAS: dict[int, Callable[[Reader], dict[str, Any]]] = {
    BEAT: _beat, GOODBYE: _goodbye, 0x03: _exit_report
}  # fmt: skip
