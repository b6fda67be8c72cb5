//! Datagrams that are signed as they should be, and whose bodies must be refused.

use heartline_protocol::MessageType;

use crate::fixture::{header, hex, sealed, unhex};
use crate::refused::RefusedDatagram;

/// The required fields of a beat.
const START: &str = "cd7530 cf0000000000001388";
/// The fields of a beat up to the segment.
const TO_SEGMENT: &str = "cd7530 cf0000000000001388 01 00 c0 c0 c0 c0 00 00 00 00 00";

fn case(kind: MessageType, name: &str, fault: &str, body: &str) -> RefusedDatagram {
    RefusedDatagram {
        name: name.into(),
        receiver: if kind.is_upward() { "collector" } else { "agent" },
        stage: "decode",
        reason: format!("BadBody/{fault}"),
        datagram: sealed(&header(kind), &unhex(body)),
    }
}

fn beat(name: &str, fault: &str, body: &str) -> RefusedDatagram {
    case(MessageType::Beat, name, fault, body)
}

/// A beat with one field behind those that are known.
fn newer(name: &str, fault: &str, field: &str) -> RefusedDatagram {
    beat(name, fault, &format!("dc0012 {TO_SEGMENT} c0 c0 c0 c0 {field}"))
}

/// A beat with what a supervisor sees of the process.
fn process(name: &str, fault: &str, process: &str) -> RefusedDatagram {
    beat(name, fault, &format!("dc0011 {TO_SEGMENT} c0 c0 c0 {process}"))
}

fn segment(name: &str, fault: &str, segment: &str) -> RefusedDatagram {
    beat(name, fault, &format!("9e {TO_SEGMENT} {segment}"))
}

fn identity(name: &str, fault: &str, identity: &str) -> RefusedDatagram {
    beat(name, fault, &format!("9f {TO_SEGMENT} c0 {identity}"))
}

pub(crate) fn cases() -> Vec<RefusedDatagram> {
    let mut cases = wholes();
    cases.extend(fields());
    cases.extend(skipped());
    cases.extend(segments());
    cases.extend(identities());
    cases.extend(others());
    cases.extend(cut_bodies());
    cases
}

fn wholes() -> Vec<RefusedDatagram> {
    vec![
        beat("an empty body", "CutOff", ""),
        beat("an array of nothing", "Missing", "90"),
        beat("only the first field", "Missing", "91 cd7530"),
        beat("a map for the array", "WrongType", "80"),
        beat("a number for the array", "WrongType", "05"),
        beat("text for the array", "WrongType", "a568656c6c6f"),
        beat("a byte after the array", "Trailing", &format!("9e {TO_SEGMENT} c0 00")),
        beat("a second array after the first", "Trailing", &format!("92 {START} 90")),
        beat("an array of 65 fields", "TooMany", &format!("dc0041 {START} {}", "c0".repeat(63))),
        beat(
            "an array that claims 4,294,967,295 fields",
            "TooMany",
            &format!("ddffffffff {START}"),
        ),
        beat("the byte that MessagePack never uses", "WrongType", "c1"),
    ]
}

fn fields() -> Vec<RefusedDatagram> {
    let two = |interval: &str| format!("92 {interval} cf0000000000001388");
    let rest = |fields: &str, count: u8| format!("{:02x} {START} {fields}", 0x92 + count);
    vec![
        beat("an interval of 99 ms", "OutOfRange", &two("63")),
        beat("an interval of 3,600,001 ms", "OutOfRange", &two("ce0036ee81")),
        beat("an interval above 32 bits", "OutOfRange", &two("cf0000000100000000")),
        beat("a negative interval", "OutOfRange", &two("d1ff9c")),
        beat("a negative fixint", "OutOfRange", &two("ff")),
        beat("nil for a required field", "WrongType", &two("c0")),
        beat("a float for a number", "WrongType", &two("cb40dd4c0000000000")),
        beat("NaN for a number", "WrongType", &two("cb7ff8000000000000")),
        beat("text for a number", "WrongType", &two("a53330303030")),
        beat("phase 4", "OutOfRange", &rest("04", 1)),
        beat("true for the phase", "WrongType", &rest("c3", 1)),
        beat("more than 32 bits of tasks", "OutOfRange", &rest("01 cf0000000100000000", 2)),
        beat("a negative age", "OutOfRange", &rest("01 00 ff", 3)),
        beat(
            "a step of 65 bytes",
            "TooLong",
            &rest(&format!("01 00 c0 c0 c0 d941{}", "61".repeat(65)), 6),
        ),
        beat("a step that claims 4 GiB", "TooLong", &rest("01 00 c0 c0 c0 dbffffffff61", 6)),
        beat("a step that is not UTF-8", "NotUtf8", &rest("01 00 c0 c0 c0 a2c328", 6)),
        beat("a step with a surrogate", "NotUtf8", &rest("01 00 c0 c0 c0 a3eda080", 6)),
        beat("a step in over-long UTF-8", "NotUtf8", &rest("01 00 c0 c0 c0 a2c09b", 6)),
        beat("bytes for the step", "WrongType", &rest("01 00 c0 c0 c0 c40161", 6)),
        beat("an applied state of 2", "OutOfRange", &rest("01 00 c0 c0 c0 c0 05 02", 8)),
        beat("text for a control id", "WrongType", &rest("01 00 c0 c0 c0 c0 05 01 a161", 9)),
        beat("a negative control id", "OutOfRange", &rest("01 00 c0 c0 c0 c0 05 01 00 ff", 10)),
        beat(
            "a generation above 63 bits",
            "OutOfRange",
            &rest("01 00 c0 c0 c0 c0 cf8000000000000000", 7),
        ),
    ]
}

fn skipped() -> Vec<RefusedDatagram> {
    vec![
        newer("NaN, 64 bits, skipped", "NotFinite", "cb7ff8000000000000"),
        newer("NaN, 32 bits, skipped", "NotFinite", "ca7fc00000"),
        newer("infinity, skipped", "NotFinite", "cb7ff0000000000000"),
        newer("minus infinity, 32 bits, skipped", "NotFinite", "caff800000"),
        newer("NaN deep within what is skipped", "NotFinite", "9181a16191ca7fc00000"),
        newer("an ext value, skipped", "WrongType", "d40100"),
        newer("a timestamp, skipped", "WrongType", "d6ff00000000"),
        newer("the unused byte, skipped", "WrongType", "c1"),
        newer("arrays nested five deep", "TooDeep", "9191919100"),
        newer("maps nested five deep", "TooDeep", "81a16181a16181a16181a16100"),
        newer("a thousand levels", "TooDeep", &"91".repeat(1_000)),
        newer("a repeated key, skipped", "DuplicateKey", "82a16101a16102"),
        newer("a number as key, skipped", "WrongType", "810101"),
        newer("text that is not UTF-8, skipped", "NotUtf8", "a1ff"),
        newer("65 elements, skipped", "TooMany", &format!("dc0041{}", "c0".repeat(65))),
        newer("a map that claims 4,294,967,295 pairs", "TooMany", "dfffffffffa16101"),
        newer("bytes that claim more than there are", "CutOff", "c6ffffffff00"),
        newer("text that claims more than there is", "CutOff", "db0000ffff61"),
    ]
}

fn segments() -> Vec<RefusedDatagram> {
    vec![
        segment("segment number 0", "OutOfRange", "97 00 01 00 00 00 00 c400"),
        segment(
            "segment number above 2^53",
            "OutOfRange",
            "97 cf0020000000000001 01 00 00 00 00 c400",
        ),
        segment("a segment without counts", "Missing", "9101"),
        segment("a negative count", "OutOfRange", "97 01 ff 00 00 00 00 c400"),
        segment("a count above 2^53", "OutOfRange", "97 01 cf0020000000000001 00 00 00 00 c400"),
        segment("nil for a required count", "WrongType", "97 01 c0 00 00 00 00 c400"),
        segment("a map for a segment", "WrongType", "8101 00"),
        segment("a segment of 33 fields", "TooMany", &format!("dc0021 010100{}", "c0".repeat(30))),
        segment("text for a histogram", "WrongType", "97 01 01 00 00 00 00 a20501"),
        segment("a histogram cut off", "BadHistogram", "97 01 01 00 00 00 00 c40105"),
        segment("a histogram out of order", "BadHistogram", "97 01 01 00 00 00 00 c40405010001"),
        segment(
            "a histogram beyond the last bucket",
            "BadHistogram",
            "97 01 01 00 00 00 00 c403890801",
        ),
        segment(
            "a histogram with an empty bucket",
            "BadHistogram",
            "97 01 01 00 00 00 00 c4020500",
        ),
        segment(
            "a histogram of over-long numbers",
            "BadHistogram",
            "97 01 01 00 00 00 00 c403058100",
        ),
        segment(
            "a histogram that claims 65,535 bytes",
            "TooLong",
            "97 01 01 00 00 00 00 c5ffff0501",
        ),
    ]
}

fn text(text: &str) -> String {
    format!("d9{:02x}{}", text.len(), hex(text.as_bytes()))
}

fn identities() -> Vec<RefusedDatagram> {
    let label = |n: u8| format!("a16{n} 00");
    let (host, labels, depends) = (text("host"), text("labels"), text("depends"));
    let many: String = (b'a'..b'a' + 17).map(|c| format!("a1{c:02x} a178")).collect();
    let keys: String = (0..33).map(|n| format!("{}c0", text(&format!("k{n}")))).collect();
    vec![
        identity("an array for the identity", "WrongType", "90"),
        identity("a repeated key", "DuplicateKey", &format!("82 {host} a161 {host} a162")),
        identity(
            "a repeated key, nil both times",
            "DuplicateKey",
            &format!("82 {host} c0 {host} c0"),
        ),
        identity(
            "a repeated label",
            "DuplicateKey",
            &format!("81 {labels} 82 a161 a178 a161 a179"),
        ),
        identity("17 labels", "TooMany", &format!("81 {labels} de0011 {many}")),
        identity("33 keys", "TooMany", &format!("de0021 {keys}")),
        identity(
            "a host of 129 bytes",
            "TooLong",
            &format!("81 {host} {}", text(&"h".repeat(129))),
        ),
        identity(
            "a label key of 33 bytes",
            "TooLong",
            &format!("81 {labels} 81 {} a178", text(&"k".repeat(33))),
        ),
        identity(
            "a label value of 129 bytes",
            "TooLong",
            &format!("81 {labels} 81 a161 {}", text(&"v".repeat(129))),
        ),
        identity("a number as label value", "WrongType", &format!("81 {labels} 81 {}", label(1))),
        identity("nil as label value", "WrongType", &format!("81 {labels} 81 a161 c0")),
        identity(
            "a process id above 32 bits",
            "OutOfRange",
            &format!("81 {} cf0000000100000000", text("pid")),
        ),
        identity(
            "17 dependencies",
            "TooMany",
            &format!("81 {depends} dc0011 {}", "a161".repeat(17)),
        ),
        identity("a dependency that is no id", "OutOfRange", &format!("81 {depends} 91 a141")),
        identity("an empty dependency", "OutOfRange", &format!("81 {depends} 91 a0")),
        identity(
            "a dependency that begins with a dot",
            "OutOfRange",
            &format!("81 {depends} 91 a22e61"),
        ),
        identity("nil as dependency", "WrongType", &format!("81 {depends} 92 a161 c0")),
        identity(
            "a dependency of 64 bytes",
            "TooLong",
            &format!("81 {depends} 91 {}", text(&"d".repeat(64))),
        ),
        identity(
            "maps too deep under an unknown key",
            "TooDeep",
            &format!("81 {} 919191 00", text("x")),
        ),
    ]
}

fn others() -> Vec<RefusedDatagram> {
    let uptime = "cf0000000000001388";
    vec![
        process("a process without its memory", "Missing", "91 05"),
        process("a share of CPU above 32 bits", "OutOfRange", "92 cf0000000100000000 05"),
        process("a map for a process", "WrongType", "80"),
        process("a process of 17 fields", "TooMany", &format!("dc0011 {}", "00".repeat(17))),
        case(MessageType::Goodbye, "a goodbye without uptime", "Missing", "90"),
        case(
            MessageType::Goodbye,
            "a goodbye with segment 0",
            "OutOfRange",
            &format!("92 {uptime} 93 00 00 00"),
        ),
        case(MessageType::ExitReport, "an exit report without uptime", "Missing", "90"),
        case(
            MessageType::ExitReport,
            "a negative exit code",
            "OutOfRange",
            &format!("92 {uptime} ff"),
        ),
        case(
            MessageType::ExitReport,
            "a number for a truth",
            "WrongType",
            &format!("94 {uptime} c0 09 01"),
        ),
        case(
            MessageType::ExitReport,
            "six last lines",
            "TooMany",
            &format!("96 {uptime} 01 c0 c2 c0 96{}", "a161".repeat(6)),
        ),
        case(
            MessageType::ExitReport,
            "a last line that is too long",
            "TooLong",
            &format!("96 {uptime} 01 c0 c2 c0 91 d981{}", "61".repeat(129)),
        ),
        case(MessageType::Ack, "an ack of nothing", "Missing", "90"),
        case(MessageType::Ack, "an ack with desired state 2", "OutOfRange", "93 00 01 02"),
        case(MessageType::Ack, "an ack with a truth for a number", "WrongType", "93 00 01 c3"),
        case(
            MessageType::Ack,
            "an ack with a generation above 63 bits",
            "OutOfRange",
            "92 00 cf8000000000000000",
        ),
        case(
            MessageType::Ack,
            "an ack with a text for what is left of a budget",
            "WrongType",
            "99 00 00 00 07 00 00 00 01 a161",
        ),
        case(
            MessageType::Ack,
            "an ack with less than nothing left of a budget",
            "OutOfRange",
            "99 00 00 00 07 00 00 00 03 ff",
        ),
        case(MessageType::Push, "a push without a state", "Missing", "91 05"),
        case(MessageType::Push, "a push with nil for a state", "WrongType", "92 05 c0"),
    ]
}

/// A rich beat's body, cut off at every byte and signed each time.
fn cut_bodies() -> Vec<RefusedDatagram> {
    let body = format!(
        "9f {START} 02 03 cd0102 78 c0 a561e282ac62 04 01 cd0c0d cf0123456789abcdef 00 9707 cd0102 0000 00 00 c404 0a01 6403 \
         83 a4686f7374 a16d a3706964 cd113b a66c6162656c73 81 a3656e76 a470726f64"
    );
    let bytes = unhex(&body);
    (1..bytes.len())
        .map(|len| {
            beat(&format!("a body cut off after {len} bytes"), "CutOff", &hex(&bytes[..len]))
        })
        .collect()
}
