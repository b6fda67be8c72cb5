//! Numbers of tests, as the test programs of three languages print them.

/// Tests that passed, failed and were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TestCounts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Only of Python and Node, where a test decides it while it runs.
    pub(crate) skipped: u64,
}

impl TestCounts {
    /// Adds a line such as `test result: ok. 12 passed; 0 failed; …` (libtest), `Summary [ 3.0s]
    /// 12 tests run: 12 passed, 0 skipped` (nextest), `12 passed, 1 skipped in 3.0s` (pytest),
    /// `# pass 12` (Node) or `12 passed, 0 failed`.
    pub(crate) fn add_summary(&mut self, line: &str) {
        if let Some((word, number)) = node_count(line) {
            match word {
                "pass" => self.passed += number,
                "fail" | "cancelled" => self.failed += number,
                "skipped" | "todo" => self.skipped += number,
                _ => {}
            }
            return;
        }
        let is_pytest = is_pytest_summary(line);
        let is_summary = ["test result:", "Summary ["].iter().any(|it| line.contains(it));
        if is_summary || is_pytest || line.ends_with(" failed") {
            self.passed += number_before(line, " passed").unwrap_or(0);
            self.failed += number_before(line, " failed").unwrap_or(0);
        }
        if is_pytest {
            self.failed += number_before(line, " error").unwrap_or(0);
            for word in [" skipped", " xfailed", " deselected"] {
                self.skipped += number_before(line, word).unwrap_or(0);
            }
        }
    }
}

/// Reads `# pass 12` or `ℹ pass 12`.
fn node_count(line: &str) -> Option<(&str, u64)> {
    let rest = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ "))?;
    let (word, number) = rest.split_once(' ')?;
    Some((word, number.parse().ok()?))
}

/// Returns whether a line is like `==== 1 failed, 12 passed in 3.21s ====`.
fn is_pytest_summary(line: &str) -> bool {
    let line = line.trim_matches('=').trim();
    let counts = line.split_once(" in ").filter(|(_, time)| {
        let number = time.split('s').next().unwrap_or_default();
        number.parse::<f64>().is_ok()
    });
    counts.is_some_and(|(counts, _)| {
        counts
            .split(", ")
            .all(|it| it.split_once(' ').is_some_and(|it| it.0.parse::<u64>().is_ok()))
    })
}

fn number_before(line: &str, word: &str) -> Option<u64> {
    let (head, _) = line.split_once(word)?;
    head.rsplit(|byte: char| !byte.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_counted_and_nothing_else() {
        let mut counts = TestCounts::default();
        for line in [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            "     Summary [   3.210s] 40 tests run: 39 passed, 1 failed, 0 skipped",
            "728 passed, 0 failed",
            "test a_lock_is_passed_on ... ok",
            "nothing has failed yet",
        ] {
            counts.add_summary(line);
        }
        let expected = TestCounts { passed: 12 + 3 + 39 + 728, failed: 2 + 1, skipped: 0 };
        assert_eq!(counts, expected);
    }

    #[test]
    fn summaries_of_pytest_and_node_are_counted() {
        let mut counts = TestCounts::default();
        for line in [
            "======== 1 failed, 12 passed, 2 skipped, 1 warning in 75.32s (0:01:15) ========",
            "7 passed in 0.41s",
            "no tests ran in 0.01s",
            "=== 1 error in 2.00s ===",
            "tests/test_end.py::test_that_3 passed in a hurry",
            "# tests 9",
            "# pass 5",
            "# fail 1",
            "# skipped 3",
            "# duration_ms 1234.5",
            "ℹ pass 4",
            "# Subtest: pass 4",
        ] {
            counts.add_summary(line);
        }
        assert_eq!(
            counts,
            TestCounts { passed: 12 + 7 + 5 + 4, failed: 1 + 1 + 1, skipped: 2 + 3 }
        );
    }
}
