"""Bodies and free text, written from protocol/SPEC.md alone: sections 7 and 8."""

from buckets import COUNT_MAX, unpack_histogram
from keys import is_id
from packing import Reader, Refused, pack, pack_padded

BEAT, GOODBYE, EXIT_REPORT, ACK, PUSH = 0x01, 0x02, 0x03, 0x81, 0x82

# 7 Bodies: (name, how to read it, default)

REQUIRED = object()


def u32(reader):
    return reader.uint(most=2**32 - 1)


def count(reader):
    return reader.uint(most=COUNT_MAX)


def generation(reader):
    return reader.uint(most=2**63 - 1)


def killed(reader):
    return bool(reader.uint(0, 1))


def control(reader):
    """A control id as 16 digits; None for none."""
    number = reader.uint()
    return f"{number:016x}" if number else None


def record(reader, most, schema):
    length, fields = reader.array(most), {}
    for at, (name, read, default) in enumerate(schema):
        if at >= length and default is REQUIRED:
            raise Refused("Missing")
        if at >= length or (default is not REQUIRED and reader.nil()):
            fields[name] = default
        else:
            fields[name] = read(reader)
    for _ in range(length - len(schema)):
        reader.skip()
    reader.depth -= 1
    return fields


def identity(reader):
    who = dict.fromkeys(("host", "group", "version", "framework", "sdk", "pid"))
    who.update(labels={}, depends=[])

    def label(key):
        if len(key.encode()) > 32:
            raise Refused("TooLong")
        who["labels"][key] = reader.text(128)

    def value(key):
        if reader.nil():
            return
        if key == "pid":
            who[key] = u32(reader)
        elif key == "labels":
            reader.map(16, label)
        elif key == "depends":
            for _ in range(reader.array(16)):
                agent = reader.text(63)
                if not is_id(agent.encode()):
                    raise Refused("OutOfRange")
                who["depends"].append(agent)
            reader.depth -= 1
        elif key in who:
            who[key] = reader.text(128)
        else:
            reader.skip()

    reader.map(32, value)
    return who


def latency(reader):
    packed = reader.bin(1200)
    try:
        unpack_histogram(packed)
    except Refused:
        raise Refused("BadHistogram") from None
    return packed


SEGMENT = [
    ("number", lambda reader: reader.uint(1, COUNT_MAX), REQUIRED),
    ("ok", count, REQUIRED),
    ("failed", count, REQUIRED),
    ("cost_nano_usd", count, 0),
    ("tokens_in", count, 0),
    ("tokens_out", count, 0),
    ("latency", latency, b""),
]


def segment(reader):
    return record(reader, 32, SEGMENT)


PROCESS = [
    ("cpu_permille", u32, REQUIRED),
    ("memory_bytes", Reader.uint, REQUIRED),
    ("emitter_silent_ms", Reader.uint, None),
]


def process(reader):
    return record(reader, 16, PROCESS)


def lines(reader):
    texts = [reader.text(128) for _ in range(reader.array(5))]
    reader.depth -= 1
    return texts


SCHEMAS = {
    BEAT: [
        ("interval_ms", lambda reader: reader.uint(100, 3_600_000), REQUIRED),
        ("uptime_ms", Reader.uint, REQUIRED),
        ("phase", lambda reader: reader.uint(0, 3), 1),
        ("in_flight", u32, 0),
        ("oldest_in_flight_ms", Reader.uint, None),
        ("progress_age_ms", Reader.uint, None),
        ("queue", u32, None),
        ("step", lambda reader: reader.text(64), None),
        ("generation", generation, 0),
        ("killed", killed, False),
        ("control", control, None),
        ("blocked_by", control, None),
        ("lost_observations", Reader.uint, 0),
        ("segment", segment, None),
        ("identity", identity, None),
        ("stall_after_ms", lambda reader: u32(reader) or None, None),
        ("process", process, None),
    ],
    GOODBYE: [("uptime_ms", Reader.uint, REQUIRED), ("segment", segment, None)],
    EXIT_REPORT: [
        ("uptime_ms", Reader.uint, REQUIRED),
        ("code", u32, None),
        ("signal", u32, None),
        ("oom_killed", Reader.bool, False),
        ("segment", segment, None),
        ("last_lines", lines, None),
    ],
    ACK: [
        ("durable_segment", Reader.uint, REQUIRED),
        ("generation", generation, 0),
        ("killed", killed, False),
        ("control", control, None),
        ("flags", Reader.uint, 0),
        ("lifts", control, None),
        ("highest_sequence", Reader.uint, 0),
        ("budget_unit", Reader.uint, 0),
        ("budget_left", Reader.uint, 0),
    ],
    PUSH: [
        ("generation", generation, REQUIRED),
        ("killed", killed, REQUIRED),
        ("control", control, None),
        ("lifts", control, None),
    ],
}


# 12.1
UNITS = {1: "tasks", 2: "tokens", 3: "cost"}
AMOUNTS = {"tasks": ("ok", "failed"), "tokens": ("tokens_in", "tokens_out"), "cost": ("cost_nano_usd",)}
SUMS = ("ok", "failed", "cost_nano_usd", "tokens_in", "tokens_out")


def decode(kind, body):
    reader = Reader(body)
    try:
        fields = record(reader, 64, SCHEMAS[kind])
        if reader.at != len(body):
            raise Refused("Trailing")
    except Refused as refused:
        raise Refused("BadBody/" + refused.reason, "decode") from None
    if kind == EXIT_REPORT:
        fields["last_lines"] = fields["last_lines"] or []
    if kind == ACK:
        flags = fields.pop("flags")
        fields.update(unconfirmed=bool(flags & 1), wants_identity=bool(flags & 2), session_taken=bool(flags & 4))
        unit, left = fields.pop("budget_unit"), fields.pop("budget_left")
        budget = {"unit": UNITS.get(unit), "left": left, "counts_pending": bool(flags & 8)}
        fields["budget"] = budget if unit in UNITS else None
    return fields


def encode(kind, fields):
    """The body, from fields as `decode` gives them."""
    values = dict(fields)
    for name in {"control", "blocked_by", "lifts"} & fields.keys():
        values[name] = int(fields[name] or "0", 16)
    if values.get("segment"):
        values["segment"] = [values["segment"][name] for name, _, _ in SEGMENT]
    if values.get("identity") is not None:
        values["identity"] = {k: v for k, v in values["identity"].items() if v not in (None, {}, [])}
    if "killed" in fields:
        values["killed"] = int(fields["killed"])
    if kind == ACK:
        budget = fields["budget"] or {"unit": None, "left": None, "counts_pending": False}
        flags = [fields["unconfirmed"], fields["wants_identity"], fields["session_taken"], budget["counts_pending"]]
        values["budget_unit"] = {unit: number for number, unit in UNITS.items()}.get(budget["unit"])
        values["budget_left"] = budget["left"]
        values["flags"] = sum(flag << bit for bit, flag in enumerate(flags))
    if values.get("process"):
        values["process"] = [values["process"][name] for name, _, _ in PROCESS]
    array = [values.get(name) for name, _, _ in SCHEMAS[kind]]
    fewest = {BEAT: 14, EXIT_REPORT: 5, ACK: 7}.get(kind, len(array))
    while len(array) > fewest and array[-1] in (None, []):
        array.pop()
    return pack(array) if kind in (ACK, PUSH) else pack_padded(array)


# 8 Free text

DROPPED = [
    (0x034F, 0x034F), (0x180B, 0x180D), (0x180F, 0x180F), (0x200C, 0x200D), (0xFE00, 0xFE0F),
    (0xE0100, 0xE01EF),
]  # fmt: skip
REPLACED = [
    (0x0000, 0x001F), (0x007F, 0x009F), (0x00AD, 0x00AD), (0x061C, 0x061C), (0x115F, 0x1160),
    (0x17B4, 0x17B5), (0x180E, 0x180E), (0x200B, 0x200B), (0x200E, 0x200F), (0x2028, 0x202E),
    (0x2060, 0x206F), (0x3164, 0x3164), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB),
    (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE00FF), (0xE01F0, 0xE0FFF),
]  # fmt: skip


def is_in(table, c):
    return any(first <= ord(c) <= last for first, last in table)


def scrub(text):
    kept = (c for c in text if not is_in(DROPPED, c))
    return "".join("\ufffd" if is_in(REPLACED, c) else c for c in kept)
