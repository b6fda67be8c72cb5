//! Packed histograms. The buckets of an accepted one ascend, exist, and pack to the same bytes.
#![no_main]

use heartline_protocol::bucket::{BUCKETS, PackedHistogram, pack};
use heartline_protocol::limits::COUNT_MAX;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(packed) = PackedHistogram::new(bytes) else { return };
    let (mut again, mut last, mut total) = (Vec::new(), 0, 0);
    for (bucket, count) in packed.pairs() {
        assert!(usize::from(bucket) < BUCKETS && count > 0);
        pack(&mut again, bucket - last, count);
        last = bucket;
        total += count;
    }
    assert_eq!(again, bytes);
    assert!(total <= COUNT_MAX);
});
