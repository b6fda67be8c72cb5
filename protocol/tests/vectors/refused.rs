//! `refused.json`: datagrams that must be refused, and why.

use heartline_protocol::wire::DecodeError;
use heartline_protocol::{Datagram, DatagramError, Direction, Header, KeyEpoch, MessageType};
use serde_json::{Value, json};

use crate::fixture::{
    AGENT, header, hex, list, scope_key, sealed, signed_with, str, unhex, unsigned,
};
use crate::refused_bodies;

const EPOCHS: [u8; 2] = [1, 2];
const REVOKED_SCOPE: &str = "gone.";
const REVOKED_AGENT: &str = "order-old";

/// A datagram, who receives it, and what comes of it.
pub(crate) struct RefusedDatagram {
    pub(crate) name: String,
    pub(crate) receiver: &'static str,
    pub(crate) stage: &'static str,
    pub(crate) reason: String,
    pub(crate) datagram: Vec<u8>,
}

impl RefusedDatagram {
    fn new(name: &str, stage: &'static str, reason: &str, datagram: Vec<u8>) -> Self {
        Self { name: name.into(), receiver: "collector", stage, reason: reason.into(), datagram }
    }

    fn at_the_agent(self) -> Self {
        Self { receiver: "agent", ..self }
    }
}

pub(crate) fn generate() -> Value {
    let mut cases = framing();
    cases.extend(truncations());
    cases.extend(lies());
    cases.extend(keys());
    cases.extend(reflections());
    cases.extend(refused_bodies::cases());
    let cases = cases.into_iter().map(|case| {
        json!({
            "why": case.name,
            "receiver": case.receiver,
            "stage": case.stage,
            "reason": case.reason,
            "datagram": hex(&case.datagram),
        })
    });
    json!({
        "about": "SPEC.md sections 3 to 7. The collector holds the masters and has revoked what is \
                  listed; the agent holds the scope key. Nothing here may be answered.",
        "collector": {
            "masters": EPOCHS.map(|epoch| {
                let master = crate::fixture::master(epoch);
                json!({"epoch": epoch, "master": hex(master.as_bytes())})
            }),
            "revoked_scopes": [REVOKED_SCOPE],
            "revoked_agents": [REVOKED_AGENT],
        },
        "agent": {
            "agent": AGENT,
            "epoch": 1,
            "scope": "",
            "scope_key": hex(scope_key(1, "").as_bytes()),
        },
        "cases": cases.collect::<Vec<_>>(),
    })
}

/// The body of a small valid beat.
const BODY: &str = "9b cd7530 cf0000000000001388 01 00 c0 c0 c0 c0 00 00 c0";

fn good() -> Vec<u8> {
    unsigned(&header(MessageType::Beat), &unhex(BODY))
}

/// The good beat with some of its bytes replaced, signed again.
fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut datagram = good();
    datagram[at..at + bytes.len()].copy_from_slice(bytes);
    resigned(datagram)
}

fn resigned(datagram: Vec<u8>) -> Vec<u8> {
    let key = scope_key(1, "").agent_key_bytes(Direction::Up, AGENT);
    signed_with(&key, datagram)
}

fn renamed(agent: &str, scope_len: u8) -> Vec<u8> {
    sealed(&Header { agent, scope_len, ..header(MessageType::Beat) }, &unhex(BODY))
}

fn framing() -> Vec<RefusedDatagram> {
    let parse = |name, reason, datagram| RefusedDatagram::new(name, "parse", reason, datagram);
    let too_long = "x".repeat(64);
    vec![
        parse("garbage of a beat's length", "BadMagic", (0..130).map(|n| n ^ 0xa5).collect()),
        parse("only zeros", "BadMagic", vec![0; 130]),
        parse("text of another protocol", "BadMagic", b"GET / HTTP/1.1\r\n".repeat(8)),
        parse("the next version", "BadMagic", with(3, b"2")),
        parse("magic in lower case", "BadMagic", with(0, b"h")),
        parse("type 0", "BadKind", with(4, &[0])),
        parse("type 4, which this version does not know", "BadKind", with(4, &[4])),
        parse("type 0x83, which this version does not know", "BadKind", with(4, &[0x83])),
        parse("an id of no bytes", "BadAgent", with(9, &[0])),
        parse("an id length of 64", "BadAgent", renamed(&too_long, 0)),
        parse("an id length of 255", "BadAgent", with(9, &[255])),
        parse("an upper-case id", "BadAgent", renamed("Order-processor", 0)),
        parse("a space in the id", "BadAgent", renamed("order processor", 0)),
        parse("a slash in the id", "BadAgent", renamed("../etc", 0)),
        parse("an escape sequence as id", "BadAgent", renamed("\u{1b}[2j", 0)),
        parse("a nul in the id", "BadAgent", renamed("order\0processor", 0)),
        parse("a line feed in the id", "BadAgent", renamed("order\nprocessor", 0)),
        parse("an id that begins with a hyphen", "BadAgent", renamed("-rf", 0)),
        parse("an id that begins with a dot", "BadAgent", renamed(".hidden", 0)),
        parse("an id that is not ASCII", "BadAgent", renamed("ordér", 0)),
        parse("an id that is not UTF-8", "BadAgent", with(10, &[0xff, 0xfe])),
        parse("scope `order` of `order-processor`: no boundary", "BadScope", renamed(AGENT, 5)),
        parse("scope `order-` does not end in a dot", "BadScope", renamed(AGENT, 6)),
        parse("scope `mail` of `mail.3`: the dot is missing", "BadScope", renamed("mail.3", 4)),
        parse("a scope longer than the id", "BadScope", renamed(AGENT, 16)),
        parse("a scope length of 255", "BadScope", renamed(AGENT, 255)),
        parse("sequence 0", "BadSequence", {
            sealed(&Header { sequence: 0, ..header(MessageType::Beat) }, &unhex(BODY))
        }),
        parse("one byte over the limit", "BadLength", {
            sealed(&header(MessageType::Beat), &[0xc0; 1_201 - 74 - AGENT.len()])
        }),
        parse(
            "as long as UDP allows",
            "BadLength",
            good().into_iter().cycle().take(65_507).collect(),
        )
        .shortened(),
    ]
}

impl RefusedDatagram {
    /// Keeps the file readable: 2,000 bytes are as much too long as 65,507.
    fn shortened(mut self) -> Self {
        self.name = "far over the limit".into();
        self.datagram.truncate(2_000);
        self
    }
}

fn truncations() -> Vec<RefusedDatagram> {
    let whole = resigned(good());
    let id_end = 10 + AGENT.len();
    let body_at = id_end + 32;
    let short = [0, 1, 4, 5, 8, 9, 10, 11, id_end, id_end + 8, id_end + 16, body_at, 73, 74];
    let longer = [75, body_at + 21, whole.len() - 32, whole.len() - 31, whole.len() - 1];
    let cut = |at: usize, reason| {
        RefusedDatagram::new(
            &format!("cut off after {at} bytes"),
            "parse",
            reason,
            whole[..at].to_vec(),
        )
    };
    let short = short.into_iter().map(|at| cut(at, "BadLength"));
    short.chain(longer.into_iter().map(|at| cut(at, "BadBodyLength"))).collect()
}

fn lies() -> Vec<RefusedDatagram> {
    let body_len = unhex(BODY).len() as u16;
    let parse = |name, length: u16| {
        RefusedDatagram::new(name, "parse", "BadBodyLength", with(6, &length.to_be_bytes()))
    };
    let mut appended = resigned(good());
    appended.push(0);
    vec![
        parse("a body length one too small", body_len - 1),
        parse("a body length one too large", body_len + 1),
        parse("a body length of 0", 0),
        parse("a body length of 65,535", u16::MAX),
        parse("a body length that takes in the tag", body_len + 32),
        RefusedDatagram::new("one byte after the tag", "parse", "BadBodyLength", appended),
        RefusedDatagram::new(
            "an id length one too small",
            "parse",
            "BadBodyLength",
            with(9, &[14]),
        ),
        RefusedDatagram::new(
            "an id length one too large",
            "parse",
            "BadBodyLength",
            with(9, &[16]),
        ),
    ]
}

fn under(agent: &str, scope_len: u8, epoch: u8) -> Header<'_> {
    Header { agent, scope_len, epoch: KeyEpoch(epoch), ..header(MessageType::Beat) }
}

fn keys() -> Vec<RefusedDatagram> {
    let body = unhex(BODY);
    let head = header(MessageType::Beat);
    let verify = |name, datagram| RefusedDatagram::new(name, "verify", "BadTag", datagram);
    let by = |epoch, scope: &str, direction, agent: &str, head: &Header<'_>| {
        let key = scope_key(epoch, scope).agent_key_bytes(direction, agent);
        signed_with(&key, unsigned(head, &body))
    };
    let flipped = |at: usize| {
        let mut datagram = resigned(good());
        let at = if at < datagram.len() { at } else { datagram.len() - 1 };
        datagram[at] ^= 1;
        datagram
    };
    let untagged = [good(), vec![0; 32]].concat();
    let last = usize::MAX;
    vec![
        RefusedDatagram::new(
            "epoch 3 has no master",
            "key",
            "UnknownEpoch",
            sealed(&under(AGENT, 0, 3), &body),
        ),
        RefusedDatagram::new(
            "epoch 0 has no master",
            "key",
            "UnknownEpoch",
            sealed(&under(AGENT, 0, 0), &body),
        ),
        RefusedDatagram::new(
            "a revoked scope",
            "key",
            "Revoked",
            sealed(&under("gone.1", 5, 1), &body),
        ),
        RefusedDatagram::new("a revoked scope, in the other epoch", "key", "Revoked", {
            sealed(&under("gone.1", 5, 2), &body)
        }),
        RefusedDatagram::new(
            "a revoked agent",
            "key",
            "Revoked",
            sealed(&under(REVOKED_AGENT, 9, 1), &body),
        ),
        RefusedDatagram::new("a revoked agent, under the fleet's key", "key", "Revoked", {
            sealed(&under(REVOKED_AGENT, 0, 1), &body)
        }),
        verify("a tag of zeros", untagged),
        verify("signed under epoch 1, claims epoch 2", {
            by(1, "", Direction::Up, AGENT, &under(AGENT, 0, 2))
        }),
        verify(
            "signed with the key of the other direction",
            by(1, "", Direction::Down, AGENT, &head),
        ),
        verify("signed with another agent's key", by(1, "", Direction::Up, "mail.3", &head)),
        verify("signed under `mail.`, claims the empty scope", {
            by(1, "mail.", Direction::Up, "mail.3", &under("mail.3", 0, 1))
        }),
        verify("signed under `mail`, claims `mail.`", {
            by(1, "mail", Direction::Up, "mail.3", &under("mail.3", 5, 1))
        }),
        verify("signed with the scope key itself", {
            signed_with(scope_key(1, "").as_bytes(), unsigned(&head, &body))
        }),
        verify("a bit of the session flipped", flipped(10 + AGENT.len())),
        verify("a bit of the sequence flipped", flipped(10 + AGENT.len() + 15)),
        verify("a bit of the challenge flipped", flipped(10 + AGENT.len() + 20)),
        verify("a bit of the body flipped", flipped(10 + AGENT.len() + 40)),
        verify("the last bit of the tag flipped", flipped(last)),
        verify("a letter of the id changed", flipped(10)),
        verify("a beat made a goodbye", {
            let mut datagram = resigned(good());
            datagram[4] = 2;
            datagram
        }),
    ]
}

/// What travels the wrong way, or is not what the collector signed.
fn reflections() -> Vec<RefusedDatagram> {
    let ack = header(MessageType::Ack);
    let body = unhex("94 05 03 01 00");
    let up = scope_key(1, "").agent_key_bytes(Direction::Up, AGENT);
    let direction = |name, datagram| RefusedDatagram::new(name, "direction", "BadKind", datagram);
    let verify =
        |name, datagram| RefusedDatagram::new(name, "verify", "BadTag", datagram).at_the_agent();
    let mut killed = sealed(&ack, &body);
    let at = killed.len() - 32 - 2;
    killed[at] ^= 1;
    vec![
        direction("an ack sent back to the collector", sealed(&ack, &body)),
        direction(
            "a push sent to the collector",
            sealed(&header(MessageType::Push), &unhex("92 05 01")),
        ),
        direction("an ack forged by the agent", signed_with(&up, unsigned(&ack, &body))),
        direction("a beat sent to an agent", resigned(good())).at_the_agent(),
        verify("an ack signed with the agent's own key", signed_with(&up, unsigned(&ack, &body))),
        verify("an ack for another agent of the same scope", {
            let key = scope_key(1, "").agent_key_bytes(Direction::Down, "mail.3");
            signed_with(&key, unsigned(&ack, &body))
        }),
        verify("an ack whose desired state was flipped", killed),
    ]
}

/// The name of a refusal, with its fault where it has one.
fn reason(refusal: DatagramError) -> String {
    match refusal {
        DatagramError::BadBody(fault) => format!("BadBody/{fault:?}"),
        other => format!("{other:?}"),
    }
}

/// Receives a datagram as `SPEC.md` section 3 orders the checks.
fn receive(case: &Value, bytes: &[u8]) -> Result<(), (&'static str, DatagramError)> {
    let at = |stage| move |refusal| (stage, refusal);
    let direction = if case["receiver"] == "agent" { Direction::Down } else { Direction::Up };
    let datagram = Datagram::parse(bytes).map_err(at("parse"))?;
    let datagram = datagram.check_direction(direction).map_err(at("direction"))?;
    let claimed = *datagram.claimed();
    if !EPOCHS.contains(&claimed.epoch.0) {
        return Err(("key", DatagramError::UnknownEpoch));
    }
    if claimed.scope() == REVOKED_SCOPE || claimed.agent == REVOKED_AGENT {
        return Err(("key", DatagramError::Revoked));
    }
    let key = scope_key(claimed.epoch.0, claimed.scope()).agent_key(direction, claimed.agent);
    let verified = datagram.verify(&key).map_err(at("verify"))?;
    verified.decode().map(drop).map_err(at("decode"))
}

pub(crate) fn check(file: &Value) -> usize {
    let cases = list(&file["cases"]);
    for case in cases {
        let (stage, refusal) = receive(case, &unhex(str(&case["datagram"]))).unwrap_err();
        assert_eq!(case["stage"], stage, "{case}");
        assert_eq!(case["reason"], reason(refusal), "{case}");
    }
    for fault in ALL_FAULTS {
        let name = reason(DatagramError::BadBody(fault));
        assert!(cases.iter().any(|case| case["reason"] == name), "no case of {name}");
    }
    cases.len()
}

const ALL_FAULTS: [DecodeError; 12] = [
    DecodeError::CutOff,
    DecodeError::Trailing,
    DecodeError::WrongType,
    DecodeError::OutOfRange,
    DecodeError::NotFinite,
    DecodeError::TooLong,
    DecodeError::NotUtf8,
    DecodeError::TooMany,
    DecodeError::TooDeep,
    DecodeError::DuplicateKey,
    DecodeError::Missing,
    DecodeError::BadHistogram,
];
