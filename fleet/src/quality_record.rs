//! What is stored of the quality of an agent's work, so that the next start of the collector goes on with
//! it: it changes with segments alone, and is written with each.

use crate::agent::Agent;
use crate::cusum::Cusum;
use crate::quality::{QualityTest, TaskTally, WorkQuality};
use crate::time::MonoTime;

/// The quality of an agent's work after a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QualityRecord {
    pub failing: TestRecord,
    pub slow: TestRecord,
    pub fast: TestRecord,
    /// Failed tasks since the last success.
    pub failed_in_a_row: u8,
    /// The longest pause of each day with work, the newest first, as codes; 0: there is none.
    pub pauses: [u8; 7],
}

/// One test; the default is one at its begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestRecord {
    /// The sum, in thousandths; 0 at the begin.
    pub sum: u16,
    pub is_alarmed: bool,
    /// Bad tasks since the sum was last 0.
    pub bad: u32,
    /// All tasks since then.
    pub tasks: u32,
    /// Time since then, in s.
    pub age_s: u32,
}

/// The bytes of a [`TestRecord`].
const TEST_LEN: usize = 15;

impl QualityRecord {
    /// The bytes that it is stored in.
    pub const LEN: usize = 3 * TEST_LEN + 8;

    pub(crate) fn of(agent: &Agent, now: MonoTime) -> Self {
        let pauses = agent.pauses.codes();
        let Some(quality) = &agent.quality else { return Self { pauses, ..Self::default() } };
        let record = |test: &Option<QualityTest>| {
            test.as_ref().map_or_else(TestRecord::default, |test| TestRecord::of(test, now))
        };
        Self {
            failing: record(&quality.failing),
            slow: record(&quality.slow),
            fast: record(&quality.fast),
            failed_in_a_row: quality.failed_in_a_row,
            pauses,
        }
    }

    /// Returns the tests that were recorded at `at`.
    pub(crate) fn tests(&self, at: MonoTime) -> WorkQuality {
        WorkQuality {
            failing: self.failing.restore(at),
            slow: self.slow.restore(at),
            fast: self.fast.restore(at),
            failed_in_a_row: self.failed_in_a_row,
        }
    }

    /// Returns the bytes to store; none for a record that says nothing.
    pub fn to_bytes(&self) -> Vec<u8> {
        if *self == Self::default() {
            return Vec::new();
        }
        let mut bytes = Vec::with_capacity(Self::LEN);
        for test in [&self.failing, &self.slow, &self.fast] {
            bytes.extend(test.sum.to_be_bytes());
            bytes.push(test.is_alarmed.into());
            bytes.extend([test.bad, test.tasks, test.age_s].map(u32::to_be_bytes).as_flattened());
        }
        bytes.push(self.failed_in_a_row);
        bytes.extend(self.pauses);
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote; anything else says nothing.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let Some((bytes, _)) = bytes.split_first_chunk::<{ Self::LEN }>() else {
            return Self::default();
        };
        let mut tests = bytes.chunks_exact(TEST_LEN).map(TestRecord::from_bytes);
        let mut next = || tests.next().unwrap_or_default();
        let [failing, slow, fast] = [next(), next(), next()];
        let [failed_in_a_row, pauses @ ..] = *bytes.last_chunk::<8>().expect("it is longer");
        Self { failing, slow, fast, failed_in_a_row, pauses }
    }
}

impl TestRecord {
    fn of(QualityTest { cusum, tally }: &QualityTest, now: MonoTime) -> Self {
        Self {
            sum: cusum.sum(),
            is_alarmed: cusum.is_alarmed(),
            bad: tally.bad,
            tasks: tally.tasks,
            age_s: u32::try_from(now.since(tally.since).as_secs()).unwrap_or(u32::MAX),
        }
    }

    fn restore(&self, at: MonoTime) -> Option<QualityTest> {
        let Self { sum, is_alarmed, bad, tasks, age_s } = *self;
        let cusum = if is_alarmed { Cusum::alarmed(sum) } else { Cusum::restored(sum) };
        let since = at.minus_millis(u64::from(age_s) * 1_000);
        let tally = TaskTally { since, bad, tasks };
        (!cusum.is_idle()).then_some(QualityTest { cusum, tally })
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let number = |at: usize| {
            bytes[at..at + 4].iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
        };
        let sum = u16::from_be_bytes([bytes[0], bytes[1]]);
        let [bad, tasks, age_s] = [number(3), number(7), number(11)];
        Self { sum, is_alarmed: bytes[2] != 0, bad, tasks, age_s }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_leads_back_to_itself() {
        let test = TestRecord { sum: 7_999, is_alarmed: true, bad: 17, tasks: 1 << 31, age_s: 4 };
        let slow = TestRecord { sum: 1, ..TestRecord::default() };
        let pauses = [1, 2, 3, 4, 5, 6, 7];
        let record = QualityRecord {
            failing: test,
            slow,
            failed_in_a_row: 9,
            pauses,
            ..QualityRecord::default()
        };
        assert_eq!(record.to_bytes().len(), QualityRecord::LEN);
        assert_eq!(QualityRecord::from_bytes(&record.to_bytes()), record);
        for bytes in [&[][..], &[7; 3], &QualityRecord::default().to_bytes()] {
            assert_eq!(QualityRecord::from_bytes(bytes), QualityRecord::default());
        }
    }
}
