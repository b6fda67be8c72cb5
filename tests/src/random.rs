//! Random draws that `fastrand` has no method for.

use fastrand::Rng;

/// Extension of [`fastrand::Rng`].
pub(crate) trait RngExt {
    /// Returns true with a probability of `per_mille` in a thousand.
    fn chance(&mut self, per_mille: u64) -> bool;

    /// Returns one of `values`, which must not be empty.
    fn pick<T: Copy>(&mut self, values: &[T]) -> T;
}

impl RngExt for Rng {
    fn chance(&mut self, per_mille: u64) -> bool {
        self.u64(..1_000) < per_mille
    }

    fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.usize(..values.len())]
    }
}
