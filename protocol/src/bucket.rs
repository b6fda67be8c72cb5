//! Logarithmic-linear latency buckets (`SPEC.md`, "Latency buckets").
//!
//! A latency in microseconds falls into the bucket that [`index`] names: one bucket per microsecond
//! below 64 µs, then 32 of equal width in every power of two. Its [`midpoint`] is off by at most
//! 1/64 (1.57 %). The scheme is that of HdrHistogram with 5 bits of precision.

use crate::limits::COUNT_MAX;

/// Number of buckets: indices run from 0 to `BUCKETS - 1`.
pub const BUCKETS: usize = 1_033;
/// Latencies above this saturate into the last bucket: 24 h in microseconds.
pub const MAX_US: u64 = 86_400_000_000;

const SUB_BITS: u32 = 5;

/// Returns the bucket of a latency of `us` microseconds.
pub const fn index(us: u64) -> u16 {
    let us = if us > MAX_US { MAX_US } else { us };
    if us < 64 {
        return us as u16;
    }
    let shift = (63 - us.leading_zeros()) - SUB_BITS;
    ((shift << SUB_BITS) as u64 + (us >> shift)) as u16
}

/// Returns the smallest latency in a bucket, in microseconds.
pub const fn lowest(index: u16) -> u64 {
    if index < 64 {
        return index as u64;
    }
    let shift = (index as u32 >> SUB_BITS) - 1;
    ((index as u64 & 31) + 32) << shift
}

/// Returns the middle of a bucket's range in microseconds, rounded down, at most [`MAX_US`].
pub const fn midpoint(index: u16) -> u64 {
    let width = lowest(index + 1) - lowest(index);
    let middle = lowest(index) + (width - 1) / 2;
    if middle > MAX_US { MAX_US } else { middle }
}

/// Appends one `(bucket, count)` pair to a packed histogram: the step from the bucket before
/// (from 0 at the first), then the count, each as an unsigned LEB128.
pub fn pack(out: &mut Vec<u8>, step: u16, count: u64) {
    leb128(out, u64::from(step));
    leb128(out, count);
}

/// Returns how many bytes [`pack`] appends.
pub fn packed_len(step: u16, count: u64) -> usize {
    leb128_len(u64::from(step)) + leb128_len(count)
}

/// Error of a packed histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistogramError {
    /// A number is cut off, or longer than its value needs.
    #[error("a number in the packed histogram is cut off or over-long")]
    BadNumber,
    /// A count of zero, a step of zero after the first pair, a bucket that does not exist, or more
    /// than [`COUNT_MAX`] in all.
    #[error("a pair in the packed histogram is out of order, out of range or empty")]
    BadPair,
}

/// Validated packed histogram: buckets ascend and exist, counts are positive, no bytes are left
/// over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PackedHistogram<'a>(&'a [u8]);

impl<'a> PackedHistogram<'a> {
    /// Validates the bytes of a packed histogram.
    ///
    /// # Errors
    /// [`HistogramError`] when they are not what [`pack`] writes.
    pub fn new(bytes: &'a [u8]) -> Result<Self, HistogramError> {
        let (mut rest, mut bucket, mut first, mut total) = (bytes, 0u64, true, 0u64);
        while !rest.is_empty() {
            let step = take_leb128(&mut rest)?;
            let count = take_leb128(&mut rest)?;
            bucket = bucket.saturating_add(step);
            total = total.saturating_add(count);
            let ascends = step > 0 || first;
            if count == 0 || !ascends || bucket >= BUCKETS as u64 || total > COUNT_MAX {
                return Err(HistogramError::BadPair);
            }
            first = false;
        }
        Ok(Self(bytes))
    }

    /// Returns the packed bytes.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Returns the `(bucket, count)` pairs, buckets ascending.
    pub fn pairs(&self) -> impl Iterator<Item = (u16, u64)> + 'a {
        let (mut rest, mut bucket) = (self.0, 0u16);
        std::iter::from_fn(move || {
            let step = take_leb128(&mut rest).ok()?;
            let count = take_leb128(&mut rest).ok()?;
            bucket += step as u16;
            Some((bucket, count))
        })
    }
}

fn leb128(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn leb128_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[inline]
fn take_leb128(rest: &mut &[u8]) -> Result<u64, HistogramError> {
    // Most steps and counts are small.
    if let [byte @ ..0x80, tail @ ..] = *rest {
        *rest = tail;
        return Ok(u64::from(*byte));
    }
    take_long_leb128(rest)
}

fn take_long_leb128(rest: &mut &[u8]) -> Result<u64, HistogramError> {
    let (mut value, mut shift) = (0u64, 0u32);
    loop {
        let (&byte, tail) = rest.split_first().ok_or(HistogramError::BadNumber)?;
        *rest = tail;
        // Nine bytes carry 63 bits: more than any count that a segment can reach.
        if shift > 56 || (byte == 0 && shift > 0) {
            return Err(HistogramError::BadNumber);
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_tile_the_range_without_gap_or_overlap() {
        for i in 1..BUCKETS as u16 {
            assert_eq!(index(lowest(i)), i);
            assert_eq!(index(lowest(i) - 1), i - 1);
        }
        assert!(usize::from(index(u64::MAX)) < BUCKETS);
    }

    proptest! {
        #[test]
        fn midpoint_is_within_its_error(us in 1u64..=MAX_US) {
            let middle = midpoint(index(us));
            prop_assert!(us.abs_diff(middle) * 64 <= us, "{} stands for {}", middle, us);
        }

        #[test]
        fn packing_round_trips(pairs in prop::collection::btree_map(0u16..BUCKETS as u16, 1u64..1<<40, 0..50)) {
            let (mut bytes, mut last, mut len) = (Vec::new(), 0, 0);
            for (&bucket, &count) in &pairs {
                pack(&mut bytes, bucket - last, count);
                len += packed_len(bucket - last, count);
                last = bucket;
            }
            prop_assert_eq!(bytes.len(), len);
            let packed = PackedHistogram::new(&bytes).unwrap();
            prop_assert!(packed.pairs().eq(pairs.into_iter()));
        }

        #[test]
        fn any_bytes_are_refused_or_well_formed(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(packed) = PackedHistogram::new(&bytes) {
                let pairs: Vec<_> = packed.pairs().collect();
                prop_assert!(pairs.windows(2).all(|two| two[0].0 < two[1].0));
                prop_assert!(pairs.iter().all(|&(b, n)| usize::from(b) < BUCKETS && n > 0));
            }
        }
    }
}
