use proptest::prelude::*;
use tokio::io::AsyncWriteExt as _;

use super::*;
use crate::message::*;
use crate::sample;

fn round_trip<T>(message: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let frame = encode(message).unwrap();
    assert_eq!(frame.len() - PREFIX, u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize);
    assert_eq!(&decode::<T>(&frame[PREFIX..]).unwrap(), message);
}

#[test]
fn every_question_survives_its_frame() {
    for (id, request) in (1..).zip(sample::requests()) {
        round_trip(&ClientFrame { id, request });
    }
}

#[test]
fn every_answer_survives_its_frame() {
    for (id, reply) in (0..).zip(sample::replies()) {
        round_trip(&ServerFrame { id, reply });
    }
}

#[test]
fn every_event_survives_its_frame() {
    sample::events_of_every_kind().iter().for_each(round_trip);
}

#[test]
fn an_agent_without_work_is_small() {
    let entry = sample::idle_agent(7, "order-processor");
    let len = rmp_serde::to_vec(&entry).unwrap().len();
    assert!(len < 160, "{len} bytes");
}

#[test]
fn trailing_bytes_are_refused() {
    let mut frame = encode(&ClientFrame { id: 1, request: Request::Ping }).unwrap();
    frame.push(0xc0);
    assert!(matches!(decode::<ClientFrame>(&frame[PREFIX..]), Err(FrameError::Trailing(1))));
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    // `rmp-serde` skips what it doesn't know: 1 MiB of arrays in arrays would overflow the stack.
    let nested = vec![0x91; MAX_FRAME];
    assert!(matches!(decode::<ClientFrame>(&nested), Err(FrameError::Decode(_))));
    assert!(matches!(decode::<serde_json::Value>(&nested), Err(FrameError::Decode(_))));
}

#[test]
fn a_message_over_the_limit_is_not_sent() {
    let huge = Request::MoreNames { names: vec!["a".repeat(MAX_FRAME)] };
    assert!(matches!(encode(&huge), Err(FrameError::TooLong { len }) if len > MAX_FRAME));
}

#[tokio::test]
async fn frames_are_read_one_by_one_up_to_the_end() {
    let (mut near, mut far) = tokio::io::duplex(16);
    let writer = tokio::spawn(async move {
        for request in sample::requests() {
            near.write_all(&encode(&ClientFrame { id: 3, request }).unwrap()).await.unwrap();
        }
    });
    let mut reader = FrameReader::new(&mut far);
    let mut read = Vec::new();
    while let Some(frame) = reader.next::<ClientFrame>().await.unwrap() {
        read.push(frame.request);
    }
    writer.await.unwrap();
    assert_eq!(read, sample::requests());
    assert!(FrameReader::new(&mut far).next::<ClientFrame>().await.unwrap().is_none());
}

#[tokio::test]
async fn a_cancelled_read_loses_nothing() {
    let frame = ClientFrame { id: 3, request: Request::MoreNames { names: vec!["x".into(); 9] } };
    let bytes = encode(&frame).unwrap();
    let (mut near, far) = tokio::io::duplex(64);
    let mut reader = FrameReader::new(far);
    for byte in &bytes[..bytes.len() - 1] {
        near.write_all(&[*byte]).await.unwrap();
        tokio::select! {
            biased;
            got = reader.next::<ClientFrame>() => panic!("half a frame was read as {got:?}"),
            () = std::future::ready(()) => {}
        }
    }
    near.write_all(&bytes[bytes.len() - 1..]).await.unwrap();
    assert_eq!(reader.next().await.unwrap(), Some(frame));
}

#[tokio::test]
async fn a_stream_cut_in_a_frame_says_so() {
    let bytes = encode(&ClientFrame { id: 1, request: Request::Ping }).unwrap();
    for cut in 1..bytes.len() {
        let error = FrameReader::new(&bytes[..cut]).next::<ClientFrame>().await.unwrap_err();
        assert!(matches!(error, FrameError::Truncated { got, .. } if got == cut), "{error}");
    }
}

#[tokio::test]
async fn a_length_over_the_limit_is_refused_before_it_is_read() {
    let mut reader = FrameReader::new(&[0xff, 0xff, 0xff, 0xff][..]);
    let error = reader.next::<ClientFrame>().await.unwrap_err();
    assert!(matches!(error, FrameError::TooLong { len } if len == u32::MAX as usize));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = decode::<ClientFrame>(&body);
        let _ = decode::<ServerFrame>(&body);
    }

    #[test]
    fn a_damaged_frame_never_panics(at in any::<prop::sample::Index>(), byte: u8, which: prop::sample::Index) {
        let replies = sample::replies();
        let reply = replies[which.index(replies.len())].clone();
        let mut body = encode(&ServerFrame { id: 1, reply }).unwrap().split_off(PREFIX);
        let at = at.index(body.len());
        body[at] = byte;
        let _ = decode::<ServerFrame>(&body);
    }
}
