//! `messages.json`: every kind of message, with its fields and its bytes.

use heartline_protocol::body::COUNT_MAX;
use heartline_protocol::bucket::{self, PackedHistogram};
use heartline_protocol::limits::GENERATION_MAX;
use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{
    Ack, AgentKey, Beat, Body, BudgetLeft, BudgetUnit, ControlId, Datagram, DatagramWriter,
    DesiredState, Direction, ExitReport, Goodbye, Header, IdentityView, KeyEpoch, MessageType,
    Phase, Push, SegmentView,
};
use heartline_vocabulary::ProcessUsage;
use serde_json::{Value, json};

use crate::fields;
use crate::fixture::{
    AGENT, CHALLENGE, header, hex, key32, list, number, scope_key, sealed, str, unhex,
};

/// The control id of some collector.
const CONTROL: Option<ControlId> = ControlId::new(0x7d1c_5b03_92e6_4fa8);
/// What a supervisor sees of some process.
const USAGE: ProcessUsage =
    ProcessUsage { cpu_permille: 1_250, memory_bytes: 412_876_800, emitter_silent_ms: None };
/// A state with every number at its limit.
const LARGEST: DesiredState =
    DesiredState { control: ControlId::new(u64::MAX), generation: GENERATION_MAX, killed: true };

pub(crate) fn generate() -> Value {
    let mut messages = worked_example();
    messages.extend(beats());
    messages.extend(endings());
    messages.extend(answers());
    messages.extend(other_versions());
    json!({
        "about": "SPEC.md sections 3 and 7. Decoding a datagram gives its fields; where `canonical` \
                  is true, writing the fields in shortest encodings, padded where the agent sends it, \
                  gives the datagram. Texts in the fields are scrubbed. Numbers above 2^53 are decimal \
                  text; bytes, sessions and challenges are hexadecimal.",
        "messages": messages,
    })
}

fn write(body: &Body<'_>, out: &mut Vec<u8>) {
    match body {
        Body::Beat(beat) => beat.write(out),
        Body::Goodbye(goodbye) => goodbye.write(out),
        Body::ExitReport(report) => report.write(out),
        Body::Ack(ack) => ack.write(out),
        Body::Push(push) => push.write(out),
    }
}

fn kind(body: &Body<'_>) -> MessageType {
    match body {
        Body::Beat(_) => MessageType::Beat,
        Body::Goodbye(_) => MessageType::Goodbye,
        Body::ExitReport(_) => MessageType::ExitReport,
        Body::Ack(_) => MessageType::Ack,
        Body::Push(_) => MessageType::Push,
    }
}

fn agent_key(header: &Header<'_>) -> [u8; 32] {
    let direction = if header.kind.is_upward() { Direction::Up } else { Direction::Down };
    scope_key(header.epoch.0, header.scope()).agent_key_bytes(direction, header.agent)
}

/// A message as the crate writes it.
fn written(name: &str, header: &Header<'_>, body: &Body<'_>) -> Value {
    let mut datagram = Vec::new();
    let mut sealer = DatagramWriter::new(&mut datagram, header);
    write(body, sealer.body());
    sealer.seal(&AgentKey::new(&agent_key(header))).unwrap();
    entry(name, header, &datagram, true)
}

/// A message of the agent in its everyday envelope.
fn usual(name: &str, body: &Body<'_>) -> Value {
    written(name, &header(kind(body)), body)
}

fn entry(name: &str, header: &Header<'_>, datagram: &[u8], canonical: bool) -> Value {
    let key = agent_key(header);
    let verified = Datagram::parse(datagram).unwrap().verify(&AgentKey::new(&key)).unwrap();
    json!({
        "name": name,
        "scope_key": hex(scope_key(header.epoch.0, header.scope()).as_bytes()),
        "agent_key": hex(&key),
        "header": fields::header(header),
        "fields": fields::body(&verified.decode().unwrap()),
        "canonical": canonical,
        "bytes": datagram.len(),
        "datagram": hex(datagram),
    })
}

/// What `SPEC.md` shows byte by byte.
fn worked_example() -> Vec<Value> {
    let session = 0x0123_4567_89ab_cdef;
    let first = Header {
        session,
        sequence: 1,
        challenge: [0; 16],
        agent: "a1",
        ..header(MessageType::Beat)
    };
    let beat = Beat { interval_ms: 30_000, uptime_ms: 12, ..Beat::default() };
    let answer = Header { kind: MessageType::Ack, challenge: CHALLENGE, ..first };
    let desired = DesiredState { control: CONTROL, ..DesiredState::default() };
    let ack = Ack { desired, unconfirmed: true, ..Ack::default() };
    vec![
        written("worked example: first beat", &first, &Body::Beat(beat)),
        written("worked example: its ack", &answer, &Body::Ack(ack)),
    ]
}

fn packed(pairs: &[(u16, u64)]) -> Vec<u8> {
    let (mut bytes, mut last) = (Vec::new(), 0);
    for &(index, count) in pairs {
        bucket::pack(&mut bytes, index - last, count);
        last = index;
    }
    bytes
}

fn everyday() -> Beat<'static> {
    Beat {
        interval_ms: 30_000,
        uptime_ms: 86_400_123,
        in_flight: 3,
        oldest_in_flight_ms: Some(4_250),
        progress_age_ms: Some(120),
        queue: Some(17),
        step: Some(UntrustedText::new("fetch invoices")),
        applied: DesiredState { control: CONTROL, generation: 4, killed: false },
        ..Beat::default()
    }
}

fn beats() -> Vec<Value> {
    let pairs = [(390, 1), (395, 4), (398, 9), (401, 12), (402, 6), (410, 2), (431, 1)];
    let latency = packed(&pairs);
    let segment = SegmentView {
        number: 211,
        ok: 33,
        failed: 2,
        cost_nano_usd: 41_250_000,
        tokens_in: 81_204,
        tokens_out: 9_377,
        latency: PackedHistogram::new(&latency).unwrap(),
    };
    let identity = IdentityView {
        host: Some(UntrustedText::new("machine-3")),
        pid: Some(4_411),
        group: Some(UntrustedText::new("billing")),
        version: Some(UntrustedText::new("2.14.0")),
        framework: Some(UntrustedText::new("rig 0.30")),
        sdk: Some(UntrustedText::new("heartline-rust 0.1.0")),
        labels: vec![
            (UntrustedText::new("env"), UntrustedText::new("prod")),
            (UntrustedText::new("zone"), UntrustedText::new("eu-west-1")),
        ],
        depends: vec!["mail.3", "ledger"],
    };
    let mail =
        Header { agent: "mail.3", scope_len: 5, epoch: KeyEpoch(2), ..header(MessageType::Beat) };
    let own = Header { scope_len: AGENT.len() as u8, ..header(MessageType::Beat) };
    let beat = |beat| Body::Beat(beat);
    vec![
        usual("everyday beat", &beat(everyday())),
        usual("everyday beat with a segment", &beat(Beat { segment: Some(segment), ..everyday() })),
        usual(
            "beat with identity",
            &beat(Beat { identity: Some(Box::new(identity)), ..everyday() }),
        ),
        usual(
            "beat with an empty identity",
            &beat(Beat { identity: Some(Box::default()), ..everyday() }),
        ),
        usual("idle, shortest interval", &beat(Beat { interval_ms: 100, ..Beat::default() })),
        usual(
            "waiting for a person",
            &beat(Beat {
                phase: Phase::Waiting,
                blocked_by: ControlId::new(0xabc),
                step: Some(UntrustedText::new("approval by Zoë 🔏")),
                ..everyday()
            }),
        ),
        usual(
            "its own limit for progress",
            &beat(Beat { stall_after_ms: Some(60_000), ..everyday() }),
        ),
        usual("of a supervisor", &beat(Beat { process: Some(USAGE), ..everyday() })),
        usual(
            "of a supervisor whose process has an emitter that is silent",
            &beat(Beat {
                process: Some(ProcessUsage { emitter_silent_ms: Some(95_000), ..USAGE }),
                ..everyday()
            }),
        ),
        written("scope of a group, epoch 2", &mail, &beat(everyday())),
        written("scope of a single agent", &own, &beat(everyday())),
        largest(),
    ]
}

/// A beat with every number and text at its limit, and as long a histogram as the rest allows.
fn largest() -> Value {
    let id = "z".repeat(63);
    let header = Header {
        agent: &id,
        scope_len: 63,
        epoch: KeyEpoch(223),
        session: u64::MAX,
        sequence: u64::MAX,
        challenge: [0xff; 16],
        ..header(MessageType::Beat)
    };
    let pairs: Vec<_> = (0..408).map(|n| (2 * n, 100)).collect();
    let latency = packed(&pairs);
    let step = "é".repeat(32);
    let beat = Beat {
        interval_ms: 3_600_000,
        uptime_ms: u64::MAX,
        phase: Phase::Stopping,
        in_flight: u32::MAX,
        oldest_in_flight_ms: Some(u64::MAX),
        progress_age_ms: Some(u64::MAX),
        queue: Some(u32::MAX),
        step: Some(UntrustedText::new(&step)),
        applied: LARGEST,
        blocked_by: ControlId::new(u64::MAX - 1),
        lost_observations: u64::MAX,
        segment: Some(SegmentView {
            number: COUNT_MAX,
            ok: COUNT_MAX,
            failed: COUNT_MAX,
            cost_nano_usd: COUNT_MAX,
            tokens_in: COUNT_MAX,
            tokens_out: COUNT_MAX,
            latency: PackedHistogram::new(&latency).unwrap(),
        }),
        identity: None,
        stall_after_ms: Some(u32::MAX),
        process: Some(ProcessUsage {
            cpu_permille: u32::MAX,
            memory_bytes: u64::MAX,
            emitter_silent_ms: Some(u64::MAX),
        }),
    };
    written("everything at its limit", &header, &Body::Beat(beat))
}

fn endings() -> Vec<Value> {
    let latency = packed(&[(401, 1)]);
    let segment = SegmentView {
        number: 1,
        ok: 1,
        latency: PackedHistogram::new(&latency).unwrap(),
        ..SegmentView::default()
    };
    let goodbye = Goodbye { uptime_ms: 90_500, segment: None };
    let crash = ExitReport { uptime_ms: 90_500, code: Some(101), ..ExitReport::default() };
    let oom = ExitReport {
        uptime_ms: 90_500,
        signal: Some(9),
        oom_killed: true,
        segment: Some(segment),
        ..ExitReport::default()
    };
    let lines = ["Traceback (most recent call last):", "MemoryError"].map(UntrustedText::new);
    let traced = ExitReport { code: Some(1), last_lines: lines.into(), ..crash.clone() };
    vec![
        usual("goodbye", &Body::Goodbye(goodbye.clone())),
        usual("goodbye with work", &Body::Goodbye(Goodbye { segment: Some(segment), ..goodbye })),
        usual("exit report: code", &Body::ExitReport(crash.clone())),
        usual("exit report: killed for memory", &Body::ExitReport(oom)),
        usual("exit report: its last lines", &Body::ExitReport(traced)),
    ]
}

fn answers() -> Vec<Value> {
    let largest = Ack {
        durable_segment: u64::MAX,
        desired: LARGEST,
        unconfirmed: true,
        wants_identity: true,
        session_taken: true,
        lifts: ControlId::new(u64::MAX - 1),
        highest_sequence: u64::MAX,
        budget: Some(BudgetLeft { unit: BudgetUnit::Cost, amount: u64::MAX, counts_pending: true }),
    };
    let desired = DesiredState { control: CONTROL, generation: 5, killed: true };
    let nothing = DesiredState { control: CONTROL, ..DesiredState::default() };
    let killed = Ack { durable_segment: 211, desired, highest_sequence: 4_711, ..Ack::default() };
    let budget = |unit, amount, counts_pending| {
        let budget = Some(BudgetLeft { unit, amount, counts_pending });
        Body::Ack(Ack { durable_segment: 211, desired: nothing, budget, ..Ack::default() })
    };
    let running = DesiredState { killed: false, ..desired };
    let push = |desired, lifts| Body::Push(Push { desired, lifts });
    let unasked = Header { sequence: 1, challenge: [0; 16], ..header(MessageType::Push) };
    vec![
        usual("ack, nothing to say", &Body::Ack(Ack { desired: nothing, ..Ack::default() })),
        usual("ack: durable, killed", &Body::Ack(killed)),
        usual("ack at its limits", &Body::Ack(largest)),
        usual("ack: 3 tasks left", &budget(BudgetUnit::Tasks, 3, false)),
        usual("ack: tokens left after the pending segment", &budget(BudgetUnit::Tokens, 900, true)),
        usual("ack: nothing left of a budget of money", &budget(BudgetUnit::Cost, 0, false)),
        written("push: kill", &unasked, &push(desired, None)),
        written("push: resume", &unasked, &push(running, None)),
        written("push: resume, and lift another", &unasked, &push(running, ControlId::new(0xabc))),
    ]
}

/// Bodies that no writer of this version makes, and that every reader of it takes.
fn other_versions() -> Vec<Value> {
    let uptime = "cf0000000000001388";
    let beat = |name: &str, body: String| foreign(name, MessageType::Beat, &body);
    vec![
        beat("older: the required fields only", format!("92 cd7530 {uptime}")),
        beat("older: ends within the optional fields", format!("95 cd7530 {uptime} 02 05 c0")),
        beat(
            "older: a segment of three fields",
            format!("9e cd7530 {uptime} 01 00 c0 c0 c0 c0 00 00 00 00 00 93 01 02 03"),
        ),
        beat("nil for every optional field", format!("9f cd7530 {uptime} {}", "c0".repeat(13))),
        beat(
            "nil for every key of an identity",
            format!(
                "9f cd7530 {uptime} 01 00 c0 c0 c0 c0 00 00 00 00 00 c0 \
                 88 a4686f7374c0 a567726f7570c0 a776657273696f6ec0 a96672616d65776f726bc0 a373646bc0 \
                 a3706964c0 a66c6162656c73c0 a7646570656e6473c0"
            ),
        ),
        beat(
            "an identity with the longest dependencies and an empty list",
            format!(
                "9f cd7530 {uptime} 01 00 c0 c0 c0 c0 00 00 00 00 00 c0 \
                 82 a66c6162656c7380 a7646570656e6473 92 d93f{} a161",
                "7a".repeat(63)
            ),
        ),
        beat(
            "newer: trailing fields of every type",
            format!(
                "dc001b cd7530 {uptime} 01 00 c0 c0 c0 c0 00 00 00 00 00 c0 c0 c0 c0 \
                 07 ff c3 ca3fc00000 cb3ff8000000000000 a161 c40200ff 9101 81a16b81a16b9102 d1fffe"
            ),
        ),
        beat(
            "newer: a segment and an identity with more in them",
            format!(
                "9f cd7530 {uptime} 01 00 c0 c0 c0 c0 00 00 00 00 00 98 01 02 03 00 00 00 c0 c3 \
                 82a4686f7374a16d a6726567696f6e81a16101"
            ),
        ),
        beat(
            "numbers in wide and signed encodings",
            format!("93 d200007530 {uptime} d30000000000000002"),
        ),
        beat(
            "hostile texts",
            format!(
                "9f cd7530 {uptime} 01 00 c0 c0 c0 a41b5b324a 00 00 00 00 00 c0 81 a6 6c6162656c73 81 a3e280ae a20d0a"
            ),
        ),
        foreign("older ack: one field", MessageType::Ack, "91 05"),
        foreign(
            "newer ack: an unknown flag and field",
            MessageType::Ack,
            "9a 05 03 01 07 ccf1 00 09 c0 c0 a3616263",
        ),
        foreign(
            "newer ack: a budget of an unknown unit",
            MessageType::Ack,
            "99 05 03 00 07 00 00 09 04 cd03e8",
        ),
        foreign("ack: a budget without an amount", MessageType::Ack, "98 05 03 00 07 00 00 09 02"),
        foreign("newer push", MessageType::Push, "95 05 01 07 00 c0"),
        foreign("older goodbye", MessageType::Goodbye, &format!("91 {uptime}")),
    ]
}

fn foreign(name: &str, kind: MessageType, body: &str) -> Value {
    let header = header(kind);
    entry(name, &header, &sealed(&header, &unhex(body)), false)
}

pub(crate) fn check(file: &Value) -> usize {
    let messages = list(&file["messages"]);
    for message in messages {
        let datagram = unhex(str(&message["datagram"]));
        let key = AgentKey::new(&key32(&message["agent_key"]));
        let verified = Datagram::parse(&datagram).unwrap().verify(&key).unwrap();
        assert_eq!(message["header"], fields::header(&verified.header));
        let body = verified.decode().unwrap();
        assert_eq!(message["fields"], fields::body(&body), "{}", message["name"]);
        let mut again = Vec::new();
        let mut sealer = DatagramWriter::new(&mut again, &verified.header);
        write(&body, sealer.body());
        sealer.seal(&key).unwrap();
        assert_eq!(message["canonical"] == true, again == datagram, "{}", message["name"]);
        assert_eq!(message["bytes"], number(datagram.len() as u64));
        if str(&message["name"]).starts_with("everyday") {
            assert!(datagram.len() <= heartline_protocol::limits::EVERYDAY_BEAT_MAX);
        }
    }
    messages.len()
}
