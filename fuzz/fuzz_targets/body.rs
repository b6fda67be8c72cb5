//! Bodies of each type of message. What was decoded and written again decodes to the same.
#![no_main]

use heartline_protocol::{
    AgentKey, Body, Datagram, DatagramWriter, Header, IdentityView, KeyEpoch, MessageType,
};
use heartline_vocabulary::text::is_hostile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, body)) = bytes.split_first() else { return };
    let kind = MessageType::ALL[usize::from(kind) % MessageType::ALL.len()];
    let key = AgentKey::new(&[7; 32]);
    let Some(datagram) = sealed(kind, &key, |out| out.extend_from_slice(body)) else { return };
    let Some(first) = decode(&datagram, &key) else { return };
    check_contents(&first);
    let Some(again) = sealed(kind, &key, |out| write(&first, out)) else { return };
    let second = decode(&again, &key).expect("what the crate writes, it reads");
    // Scrubbing lengthens texts, so the second writing may cut; from then on nothing changes.
    let third = sealed(kind, &key, |out| write(&second, out)).expect("it fitted before");
    assert_eq!(again, third);
});

fn sealed(kind: MessageType, key: &AgentKey, body: impl FnOnce(&mut Vec<u8>)) -> Option<Vec<u8>> {
    let header = Header {
        kind,
        epoch: KeyEpoch(0),
        scope_len: 0,
        agent: "a",
        session: 1,
        sequence: 1,
        challenge: [0; 16],
    };
    let mut datagram = Vec::new();
    let mut sealer = DatagramWriter::new(&mut datagram, &header);
    body(sealer.body());
    sealer.seal(key).ok()?;
    Some(datagram)
}

fn decode<'a>(datagram: &'a [u8], key: &AgentKey) -> Option<Body<'a>> {
    let datagram = Datagram::parse(datagram).expect("the envelope is right");
    datagram.verify(key).expect("the tag is right").decode().ok()
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

fn check_contents(body: &Body<'_>) {
    let Body::Beat(beat) = body else { return };
    let none = IdentityView::default();
    let identity = beat.identity.as_deref().unwrap_or(&none);
    let labels = identity.labels.iter().flat_map(|&(key, value)| [key, value]);
    for text in labels.chain(identity.host).chain(beat.step) {
        assert!(!text.scrubbed().contains(is_hostile));
    }
    if let Some(segment) = beat.segment {
        assert!(segment.latency.pairs().all(|(_, count)| count > 0));
    }
}
