//! Whole datagrams: framing, tag, body. They are signed first, so that the fuzzer gets past the
//! tag; the raw bytes are tried as well.
#![no_main]

use heartline_protocol::limits::{AGENT_MAX, DATAGRAM_MAX, TAG_LEN};
use heartline_protocol::{AgentKey, Datagram};
use libfuzzer_sys::fuzz_target;
use ring::hmac;

const KEY: [u8; 32] = [7; 32];

fuzz_target!(|bytes: &[u8]| {
    let key = AgentKey::new(&KEY);
    assert!(receive(bytes, &key).is_none(), "it is not signed");
    let covered = &bytes[..bytes.len().saturating_sub(TAG_LEN)];
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &KEY), covered);
    let signed = [covered, tag.as_ref()].concat();
    receive(&signed, &key);
});

/// Returns the id of the agent, if the datagram is authentic.
fn receive(bytes: &[u8], key: &AgentKey) -> Option<String> {
    let datagram = Datagram::parse(bytes).ok()?;
    assert!(bytes.len() <= DATAGRAM_MAX);
    let header = *datagram.claimed();
    assert!((1..=AGENT_MAX).contains(&header.agent.len()));
    assert!(header.agent.starts_with(header.scope()) && header.sequence > 0);
    let verified = datagram.verify(key).ok()?;
    assert!(verified.body().len() < bytes.len());
    let _ = verified.decode();
    Some(verified.header.agent.to_owned())
}
