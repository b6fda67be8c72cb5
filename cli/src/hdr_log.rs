//! HdrHistogram's log format (V2, compressed), which its tools open: an interval for each step.

use std::io;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError};
use heartline_operator::message::FleetHistory;
use heartline_operator::text::timestamp;
use heartline_protocol::bucket;

/// Digits that a histogram keeps: more than the buckets have.
const DIGITS: u8 = 3;
/// The log has the maximum of an interval in ms, its values are µs.
const US_IN_MS: f64 = 1_000.0;

/// Returns a log with the latencies of a history, in µs.
///
/// # Errors
/// That of the encoder.
pub(crate) fn encode(history: &FleetHistory, subject: &str) -> io::Result<Vec<u8>> {
    let (mut log, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let from = SystemTime::UNIX_EPOCH + duration(history.from_ms);
    let step = Duration::from_millis(history.step_ms.cast_unsigned());
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment(&format!("Heartline: latencies in microseconds, {subject}"))
        .add_comment(&format!("{} to {}", timestamp(history.from_ms), timestamp(history.to_ms)))
        .with_start_time(from)
        .with_base_time(from)
        .with_max_value_divisor(US_IN_MS)
        .begin_log_with(&mut log, &mut serializer)?;
    for (step_row, latencies) in history.steps.iter().zip(&history.latencies) {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, bucket::MAX_US, DIGITS)
            .map_err(io::Error::other)?;
        let known = latencies.iter().filter(|(bucket, _)| usize::from(*bucket) < bucket::BUCKETS);
        for &(bucket, count) in known {
            histogram.saturating_record_n(bucket::midpoint(bucket), count);
        }
        let begin = duration(step_row.at_ms - history.from_ms);
        writer.write_histogram(&histogram, begin, step, None).map_err(|error| match error {
            IntervalLogWriterError::IoError(error) => error,
            IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
        })?;
    }
    Ok(log)
}

fn duration(ms: i64) -> Duration {
    Duration::from_millis(ms.max(0).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    use heartline_operator::sample;

    use super::*;

    /// The log is read by the reader of its own crate, and says of each step what was in it.
    #[test]
    fn a_log_is_read_back_with_all_its_intervals() {
        let history = sample::fleet_history();
        let log = encode(&history, "the whole fleet").unwrap();
        let text = String::from_utf8(log.clone()).expect("a log is text");
        assert!(
            text.starts_with("#Heartline: latencies in microseconds, the whole fleet\n"),
            "{text}"
        );
        let (mut base, mut found) = (None, Vec::new());
        for entry in IntervalLogIterator::new(&log) {
            match entry.expect("an entry is well-formed") {
                LogEntry::BaseTime(at) => base = Some(at),
                LogEntry::StartTime(_) => {}
                LogEntry::Interval(interval) => {
                    let bytes = data_encoding(interval.encoded_histogram());
                    let histogram: Histogram<u64> =
                        Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
                    found.push((interval.start_timestamp(), interval.duration(), histogram));
                }
            }
        }
        assert_eq!(base, Some(duration(history.from_ms)), "the begin of the range");
        assert_eq!(found.len(), history.steps.len());
        for (at, (start, length, histogram)) in found.iter().enumerate() {
            assert_eq!(start.as_millis(), at as u128 * u128::from(history.step_ms.cast_unsigned()));
            assert_eq!(length.as_millis(), u128::from(history.step_ms.cast_unsigned()));
            let counts = history.latencies[at].iter();
            assert_eq!(histogram.len(), counts.map(|(_, count)| count).sum::<u64>());
            for (bucket, count) in &history.latencies[at] {
                assert_eq!(histogram.count_at(bucket::midpoint(*bucket)), *count);
            }
        }
    }

    /// Decodes base64, which is how a log holds its histograms.
    fn data_encoding(text: &str) -> Vec<u8> {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(text).expect("it is base64")
    }
}
