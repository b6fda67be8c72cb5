//! What the files have in common: fixed keys, hexadecimal text, datagrams signed whatever they say.

use heartline_protocol::{Direction, Header, KeyEpoch, MasterKey, MessageType, ScopeKey};
use ring::hmac;
use serde_json::{Value, json};

/// The agent that most vectors are about.
pub(crate) const AGENT: &str = "order-processor";
/// Its session.
pub(crate) const SESSION: u64 = 0x5be1_0c4f_92d7_3a68;
/// A challenge that some collector gave it.
pub(crate) const CHALLENGE: [u8; 16] =
    *b"\x9f\x1d\x02\xe8\x44\x7a\xb3\xc6\x50\x0e\x3f\x71\xda\x96\x28\xbd";

/// The master key of an epoch, which no collector should ever use: 32 bytes `epoch, epoch+1, …`.
pub(crate) fn master(epoch: u8) -> MasterKey {
    MasterKey::new(std::array::from_fn(|n| epoch + n as u8))
}

pub(crate) fn scope_key(epoch: u8, scope: &str) -> ScopeKey {
    master(epoch).scope_key(KeyEpoch(epoch), scope)
}

/// The header of the agent's 7th message, under the fleet-wide key of epoch 1.
pub(crate) fn header(kind: MessageType) -> Header<'static> {
    Header {
        kind,
        epoch: KeyEpoch(1),
        scope_len: 0,
        agent: AGENT,
        session: SESSION,
        sequence: 7,
        challenge: CHALLENGE,
    }
}

/// The bytes of a datagram before its tag, put together without any check.
pub(crate) fn unsigned(header: &Header<'_>, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"HLN1".to_vec();
    bytes.extend([header.kind as u8, header.epoch.0]);
    bytes.extend((body.len() as u16).to_be_bytes());
    bytes.extend([header.scope_len, header.agent.len() as u8]);
    bytes.extend(header.agent.as_bytes());
    bytes.extend(header.session.to_be_bytes());
    bytes.extend(header.sequence.to_be_bytes());
    bytes.extend(header.challenge);
    bytes.extend(body);
    bytes
}

/// Appends the tag under an agent key.
pub(crate) fn signed_with(key: &[u8; 32], mut bytes: Vec<u8>) -> Vec<u8> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &bytes);
    bytes.extend(tag.as_ref());
    bytes
}

/// A datagram signed as its header claims.
pub(crate) fn sealed(header: &Header<'_>, body: &[u8]) -> Vec<u8> {
    let scope = &header.agent[..usize::from(header.scope_len).min(header.agent.len())];
    let direction = if header.kind.is_upward() { Direction::Up } else { Direction::Down };
    let key = scope_key(header.epoch.0, scope).agent_key_bytes(direction, header.agent);
    signed_with(&key, unsigned(header, body))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes from hexadecimal text, which may have spaces.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "odd number of digits: {text}");
    let digit = |byte: u8| (byte as char).to_digit(16).expect("a hexadecimal digit") as u8;
    digits.chunks(2).map(|two| digit(two[0]) << 4 | digit(two[1])).collect()
}

/// A number; as decimal text where some languages' JSON would round it.
pub(crate) fn number(value: u64) -> Value {
    if value > 1 << 53 { json!(value.to_string()) } else { json!(value) }
}

pub(crate) fn to_u64(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        _ => value.as_u64().unwrap(),
    }
}

pub(crate) fn str(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

pub(crate) fn key32(value: &Value) -> [u8; 32] {
    unhex(str(value)).try_into().unwrap()
}

/// The element of a list that has this name.
pub(crate) fn named<'v>(values: &'v Value, name: &str) -> &'v Value {
    list(values).iter().find(|value| value["name"] == name).unwrap()
}
