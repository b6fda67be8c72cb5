//! How many tests ran, read from what the test programs print.

/// Tests that passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tested {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tested {
    /// One check that passed.
    pub(crate) const ONE: Self = Self { passed: 1, failed: 0 };

    pub(crate) fn add(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
    }

    /// Takes in a line such as `test result: ok. 12 passed; 0 failed; …` (libtest), `Summary [ 3.0s]
    /// 12 tests run: 12 passed, 0 skipped` (nextest) or `12 passed, 0 failed`.
    pub(crate) fn read(&mut self, line: &str) {
        let is_summary = ["test result:", "Summary ["].iter().any(|it| line.contains(it));
        if is_summary || line.ends_with(" failed") {
            self.passed += before(line, " passed").unwrap_or(0);
            self.failed += before(line, " failed").unwrap_or(0);
        }
    }
}

/// The number right before `word`.
fn before(line: &str, word: &str) -> Option<u64> {
    let (head, _) = line.split_once(word)?;
    head.rsplit(|byte: char| !byte.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_counted_and_nothing_else() {
        let mut tested = Tested::default();
        for line in [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            "     Summary [   3.210s] 40 tests run: 39 passed, 1 failed, 0 skipped",
            "728 passed, 0 failed",
            "test a_lock_is_passed_on ... ok",
            "nothing has failed yet",
        ] {
            tested.read(line);
        }
        assert_eq!(tested, Tested { passed: 12 + 3 + 39 + 728, failed: 2 + 1 });
    }
}
