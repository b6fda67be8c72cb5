//! Frames between operators and collector. What decodes is encoded and decoded to the same bytes.
#![no_main]

use heartline_operator::frame::{decode, encode};
use heartline_operator::message::{ClientFrame, ServerFrame};
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

fuzz_target!(|body: &[u8]| {
    round_trip::<ClientFrame>(body);
    round_trip::<ServerFrame>(body);
});

fn round_trip<T: Serialize + DeserializeOwned>(body: &[u8]) {
    let Ok(message) = decode::<T>(body) else { return };
    let frame = encode(&message).expect("it was within the limit");
    let again: T = decode(&frame[4..]).expect("what is encoded can be decoded");
    // Bytes, not values: a NaN is not equal to itself.
    assert_eq!(encode(&again).expect("as long as before"), frame);
}
