"""Bodies of the messages that an emitter sends and receives (`SPEC.md`, section 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import NamedTuple, TypeVar

from .envelope import ACK, Envelope
from .packing import Value, pack_body
from .refused import Refused
from .unpacking import Reader

PHASE_STARTING, PHASE_RUNNING, PHASE_WAITING, PHASE_STOPPING = range(4)
INTERVAL_MIN_MS, INTERVAL_MAX_MS, INTERVAL_DEFAULT_MS = 100, 3_600_000, 30_000
GENERATION_MAX = 2**63 - 1
LABELS_MAX = 16
DEPENDS_MAX = 16

_UNCONFIRMED, _WANTS_IDENTITY, _SESSION_TAKEN, _COUNTS_PENDING = 1, 2, 4, 8
# Of a beat: all but the identity and what follows it.
_FIELDS_ALWAYS_WRITTEN = 14

T = TypeVar("T")


class Segment(NamedTuple):
    """A segment of work (7.6)."""

    number: int
    ok: int = 0
    failed: int = 0
    cost_nano_usd: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    latency: bytes = b""


class Beat(NamedTuple):
    """The fields of a beat (7.1), in their order."""

    interval_ms: int
    uptime_ms: int
    phase: int = PHASE_RUNNING
    in_flight: int = 0
    oldest_in_flight_ms: int | None = None
    progress_age_ms: int | None = None
    queue: int | None = None
    step: str | None = None
    generation: int = 0
    killed: bool = False
    control: int = 0
    blocked_by: int = 0
    lost_observations: int = 0
    segment: Segment | None = None
    identity: Mapping[str, Value] | None = None
    stall_after_ms: int | None = None

    def pack(self) -> bytes:
        """Packs the body; the last fields are written as far as one of them is carried."""
        fields: list[Value] = list(self)
        fields[9] = int(self.killed)
        while len(fields) > _FIELDS_ALWAYS_WRITTEN and fields[-1] is None:
            fields.pop()
        return pack_body(fields)


def pack_goodbye(uptime_ms: int, segment: Segment | None) -> bytes:
    """Packs the body of a goodbye (7.3)."""
    return pack_body([uptime_ms, segment])


class DesiredState(NamedTuple):
    """The desired state of one control id (12); 0 stands for none."""

    control: int
    generation: int = 0
    killed: bool = False

    def outranks(self, other: DesiredState) -> bool:
        """Returns whether this state is newer; of two with one generation the kill wins."""
        return (self.generation, self.killed) > (other.generation, other.killed)


class BudgetUnit(IntEnum):
    """What a budget limits (12.1)."""

    TASKS = 1
    TOKENS = 2
    COST = 3


class BudgetLeft(NamedTuple):
    """What is left of the tightest budget (12.1)."""

    unit: BudgetUnit
    amount: int
    counts_pending: bool
    """It is left after the segment that follows the durable one."""


class Ack(NamedTuple):
    """An ack (7.5)."""

    durable_segment: int
    desired: DesiredState
    lifts: int
    highest_sequence: int
    unconfirmed: bool
    wants_identity: bool
    session_taken: bool
    budget: BudgetLeft | None


class Push(NamedTuple):
    """A push (7.5)."""

    desired: DesiredState
    lifts: int


def decode(envelope: Envelope) -> Ack | Push:
    """Decodes the body of a verified ack or push; raises `Refused`."""
    reader = Reader(envelope.body)
    try:
        message = _ack(reader) if envelope.type == ACK else _push(reader)
        reader.end()
    except Refused as refused:
        raise Refused(f"BadBody/{refused.reason}", "decode") from None
    return message


class Fields:
    """The fields of an array, in their order."""

    __slots__ = ("_left", "_reader")

    def __init__(self, reader: Reader, most: int = 64) -> None:
        self._reader = reader
        self._left = reader.array(most)

    def required(self, read: Callable[[], T]) -> T:
        if next(self._left, 0) == 0:
            raise Refused("Missing")
        return read()

    def optional(self, read: Callable[[], T], default: T) -> T:
        if next(self._left, 0) == 0 or self._reader.nil():
            return default
        return read()

    def skip_rest(self) -> None:
        for _ in self._left:
            self._reader.skip()


def _ack(reader: Reader) -> Ack:
    fields = Fields(reader)
    durable = fields.required(reader.uint)
    generation = fields.optional(lambda: reader.uint(most=GENERATION_MAX), 0)
    killed = fields.optional(lambda: reader.uint(most=1), 0)
    control = fields.optional(reader.uint, 0)
    flags = fields.optional(reader.uint, 0)
    lifts = fields.optional(reader.uint, 0)
    highest = fields.optional(reader.uint, 0)
    unit = fields.optional(reader.uint, 0)
    left = fields.optional(reader.uint, 0)
    fields.skip_rest()
    budget = None
    # A unit of a later version says as little as none.
    if unit in tuple(BudgetUnit):
        budget = BudgetLeft(BudgetUnit(unit), left, bool(flags & _COUNTS_PENDING))
    return Ack(
        durable_segment=durable,
        desired=DesiredState(control, generation, bool(killed)),
        lifts=lifts,
        highest_sequence=highest,
        unconfirmed=bool(flags & _UNCONFIRMED),
        wants_identity=bool(flags & _WANTS_IDENTITY),
        session_taken=bool(flags & _SESSION_TAKEN),
        budget=budget,
    )


def _push(reader: Reader) -> Push:
    fields = Fields(reader)
    generation = fields.required(lambda: reader.uint(most=GENERATION_MAX))
    killed = fields.required(lambda: reader.uint(most=1))
    control = fields.optional(reader.uint, 0)
    lifts = fields.optional(reader.uint, 0)
    fields.skip_rest()
    return Push(DesiredState(control, generation, bool(killed)), lifts)
