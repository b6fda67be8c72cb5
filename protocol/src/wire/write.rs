//! Writing of values in their shortest encoding into a `Vec`, which cannot fail.

use rmp::encode;

use super::UntrustedText;
use crate::limits::BODY_MIN;

const ARRAY_16: u8 = 0xdc;
const NIL: u8 = 0xc0;
const INFALLIBLE: &str = "a Vec takes every write";

pub(crate) fn array(out: &mut Vec<u8>, len: usize) {
    encode::write_array_len(out, len as u32).expect(INFALLIBLE);
}

pub(crate) fn map(out: &mut Vec<u8>, len: usize) {
    encode::write_map_len(out, len as u32).expect(INFALLIBLE);
}

pub(crate) fn uint(out: &mut Vec<u8>, value: u64) {
    encode::write_uint(out, value).expect(INFALLIBLE);
}

/// Writes the body of a message from an agent: an array of `fields` fields, and as many nils behind
/// them as it takes to make it [`BODY_MIN`] bytes long. Its header always takes three bytes, so that
/// the number of nils needs no second look.
pub(crate) fn padded_array(out: &mut Vec<u8>, fields: usize, put: impl FnOnce(&mut Vec<u8>)) {
    let from = out.len();
    out.extend_from_slice(&[ARRAY_16, 0, 0]);
    put(out);
    let nils = BODY_MIN.saturating_sub(out.len() - from);
    out.resize(out.len() + nils, NIL);
    // At most 14 fields and 61 nils.
    out[from + 2] = (fields + nils) as u8;
}

pub(crate) fn bool(out: &mut Vec<u8>, value: bool) {
    encode::write_bool(out, value).expect(INFALLIBLE);
}

pub(crate) fn str(out: &mut Vec<u8>, text: &str) {
    encode::write_str(out, text).expect(INFALLIBLE);
}

/// Writes a text scrubbed and cut to its limit: a receiver refuses the whole message for one that
/// is too long.
pub(crate) fn text(out: &mut Vec<u8>, text: UntrustedText<'_>, most: usize) {
    str(out, &text.scrubbed_to(most));
}

pub(crate) fn bin(out: &mut Vec<u8>, bytes: &[u8]) {
    encode::write_bin(out, bytes).expect(INFALLIBLE);
}

pub(crate) fn nil(out: &mut Vec<u8>) {
    encode::write_nil(out).expect(INFALLIBLE);
}

pub(crate) fn optional<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        Some(value) => put(out, value),
        None => nil(out),
    }
}
