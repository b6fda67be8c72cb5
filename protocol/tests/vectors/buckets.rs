//! `buckets.json`: latency buckets and packed histograms.

use heartline_protocol::bucket::{self, HistogramError, PackedHistogram};
use serde_json::{Value, json};

use crate::fixture::{hex, list, number, str, to_u64, unhex};

pub(crate) fn generate() -> Value {
    json!({
        "about": "SPEC.md section 10. Latencies in microseconds; histograms in hexadecimal; \
                  numbers above 2^53 are decimal text.",
        "latencies": latencies(),
        "packed": packed(),
        "refused": refused(),
    })
}

fn latencies() -> Value {
    let edges = (0..37).flat_map(|power| {
        let two = 1u64 << power;
        [two - 1, two, two + 1, two + two / 2]
    });
    let odd = [100, 1_000, 230_000, 1_800_000, 12_400_000, 3_600_000_000];
    let ends = [bucket::MAX_US - 1, bucket::MAX_US, bucket::MAX_US + 1, 1 << 53, u64::MAX];
    edges.chain(odd).chain(ends).map(latency).collect()
}

fn latency(us: u64) -> Value {
    let index = bucket::index(us);
    json!({
        "us": number(us),
        "index": index,
        "lowest": bucket::lowest(index),
        "midpoint": bucket::midpoint(index),
    })
}

fn packed() -> Value {
    let every: Vec<_> =
        (0..bucket::BUCKETS as u16).step_by(64).map(|n| (n, 1 + u64::from(n))).collect();
    let cases: [(&str, &[(u16, u64)]); 7] = [
        ("empty", &[]),
        ("one in the first bucket: only there may a step be 0", &[(0, 1)]),
        ("one in the last bucket", &[(1_032, 1)]),
        ("three neighbours", &[(401, 3), (402, 5), (403, 1)]),
        ("counts of two and three bytes", &[(5, 127), (6, 128), (7, 16_383), (300, 16_384)]),
        ("the largest count", &[(64, 1 << 53)]),
        ("many buckets", &every),
    ];
    let pack = |(name, pairs): (&str, &[(u16, u64)])| {
        let (mut bytes, mut last) = (Vec::new(), 0);
        for &(index, count) in pairs {
            bucket::pack(&mut bytes, index - last, count);
            last = index;
        }
        let pairs: Vec<_> = pairs.iter().map(|&(index, count)| json!([index, count])).collect();
        json!({"name": name, "pairs": pairs, "packed": hex(&bytes)})
    };
    cases.map(pack).into()
}

fn refused() -> Value {
    let cases = [
        ("05", "BadNumber", "a step without its count"),
        ("0581", "BadNumber", "a count that is cut off"),
        ("85", "BadNumber", "a step that is cut off"),
        ("058100", "BadNumber", "a count longer than its value needs"),
        ("850001", "BadNumber", "a step longer than its value needs"),
        ("0580808080808080808001", "BadNumber", "a count of ten bytes"),
        ("05ffffffffffffffffff01", "BadNumber", "a count of 64 bits and more"),
        ("0500", "BadPair", "a count of 0"),
        ("05010001", "BadPair", "the same bucket twice"),
        ("890801", "BadPair", "bucket 1,033, the first that does not exist"),
        ("8808010101", "BadPair", "one bucket beyond the last"),
        ("ffffffffffffffff7f01", "BadPair", "a step that would overflow"),
        ("058180808080808010", "BadPair", "a count of 2^53 + 1"),
        ("0580808080808080100101", "BadPair", "counts that add up to 2^53 + 1"),
    ];
    cases
        .map(|(packed, reason, why)| json!({"packed": packed, "reason": reason, "why": why}))
        .into()
}

pub(crate) fn check(file: &Value) -> usize {
    for case in list(&file["latencies"]) {
        assert_eq!(*case, latency(to_u64(&case["us"])));
    }
    for case in list(&file["packed"]) {
        let bytes = unhex(str(&case["packed"]));
        let pairs: Vec<_> = PackedHistogram::new(&bytes)
            .unwrap()
            .pairs()
            .map(|(index, count)| json!([index, count]))
            .collect();
        assert_eq!(case["pairs"], Value::from(pairs));
    }
    for case in list(&file["refused"]) {
        let reason = match PackedHistogram::new(&unhex(str(&case["packed"]))).unwrap_err() {
            HistogramError::BadNumber => "BadNumber",
            HistogramError::BadPair => "BadPair",
        };
        assert_eq!(case["reason"], reason, "{case}");
    }
    ["latencies", "packed", "refused"].map(|part| list(&file[part]).len()).iter().sum()
}
