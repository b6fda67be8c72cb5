//! Differences between sums that must be equal.

use heartline_protocol::bucket;
use heartline_vocabulary::WorkTotals;

use super::work::{ScriptedWork, StoredWork};

/// Buckets that are told of one histogram.
const TOLD_BUCKETS: usize = 3;

/// Describes how totals differ from those of the script; empty if they do not.
pub(super) fn totals_differences(
    whose: &str,
    scripted: &WorkTotals,
    totals: &WorkTotals,
) -> Vec<String> {
    let pairs = [
        ("ok", scripted.ok, totals.ok),
        ("failed", scripted.failed, totals.failed),
        ("cost_nano_usd", scripted.cost_nano_usd, totals.cost_nano_usd),
        ("tokens_in", scripted.tokens_in, totals.tokens_in),
        ("tokens_out", scripted.tokens_out, totals.tokens_out),
    ];
    let unequal = pairs.into_iter().filter(|(_, expected, actual)| expected != actual);
    unequal
        .map(|(name, expected, actual)| {
            let difference = i128::from(actual) - i128::from(expected);
            format!("{whose}: {name} is {actual}, the script has {expected} ({difference:+})")
        })
        .collect()
}

/// Describes how stored work differs from the script: in its totals, in a report that is not in its
/// bucket, or in the number of latencies, of which each task has one.
pub(super) fn stored_differences(
    whose: &str,
    scripted: &ScriptedWork,
    stored: &StoredWork,
) -> Vec<String> {
    let mut found = totals_differences(whose, &scripted.totals, &stored.totals);
    let missing = scripted.reports.iter().filter_map(|(index, reported)| {
        let counted = stored.latencies.get(index).copied().unwrap_or(0);
        (counted < *reported).then(|| {
            let (first, after) = (bucket::lowest(*index), bucket::lowest(*index + 1));
            format!(
                "{whose}: latency bucket {index} ({first} to {} µs) has {counted} of the {reported} \
                 that were reported",
                after - 1
            )
        })
    });
    let missing: Vec<String> = missing.collect();
    found.extend(missing.iter().take(TOLD_BUCKETS).cloned());
    if missing.len() > TOLD_BUCKETS {
        found.push(format!("{whose}: and so in {} buckets in all", missing.len()));
    }
    let (counted, expected) = (stored.latency_count(), scripted.count());
    if counted != expected {
        found.push(format!("{whose}: {counted} latencies, the script has {expected} tasks"));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Two reports of 10 µs, one of 20 µs that failed, and a task.
    fn scripted() -> ScriptedWork {
        let totals = WorkTotals { ok: 3, failed: 1, cost_nano_usd: 7, ..WorkTotals::default() };
        ScriptedWork { totals, reports: BTreeMap::from([(10, 2), (20, 1)]), tasks: 1 }
    }

    fn stored() -> StoredWork {
        let latencies = BTreeMap::from([(10, 2), (20, 1), (3, 1)]);
        StoredWork { totals: scripted().totals, latencies }
    }

    #[test]
    fn equal_work_has_no_differences_whatever_a_task_took() {
        assert_eq!(stored_differences("c", &scripted(), &stored()), [""; 0]);
        let mut slow = stored();
        slow.latencies = BTreeMap::from([(10, 2), (20, 2)]);
        assert_eq!(stored_differences("c", &scripted(), &slow), [""; 0]);
    }

    #[test]
    fn one_nano_dollar_and_one_bucket_are_differences() {
        let mut off = stored();
        off.totals.cost_nano_usd = 6;
        off.latencies = BTreeMap::from([(10, 2), (19, 1), (3, 1)]);
        let expected = [
            "c: cost_nano_usd is 6, the script has 7 (-1)",
            "c: latency bucket 20 (20 to 20 µs) has 0 of the 1 that were reported",
        ];
        assert_eq!(stored_differences("c", &scripted(), &off), expected);
    }

    #[test]
    fn a_task_without_a_latency_is_a_difference() {
        let mut off = stored();
        off.latencies.remove(&3);
        let expected = ["c: 3 latencies, the script has 4 tasks"];
        assert_eq!(stored_differences("c", &scripted(), &off), expected);
    }
}
