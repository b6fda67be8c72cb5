//! The segment that waits to become durable.

use heartline_protocol::SegmentView;

use super::workload::{Work, Workload};

/// At most one segment is under way: frozen under its number, unchanged until the collector says
/// that it is on disk. So an answer that is lost, late or doubled changes no sum.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    last_number: u64,
    pending: Option<Work>,
    /// The memory of the segment before.
    spare: Work,
}

impl Outbox {
    /// Freezes open work under the next number, if there is any and no segment is pending. Says
    /// whether a segment is pending now.
    pub(super) fn fill(&mut self, workload: &mut dyn Workload) -> bool {
        if self.pending.is_none() {
            let mut work = std::mem::take(&mut self.spare);
            work.clear();
            if workload.take(&mut work) {
                self.last_number += 1;
                self.pending = Some(work);
            } else {
                self.spare = work;
            }
        }
        self.pending.is_some()
    }

    /// The collector has everything up to segment `number` on disk. Gives back the number of the
    /// pending segment if it was among them.
    pub(super) fn durable(&mut self, number: u64) -> Option<u64> {
        if number < self.last_number {
            return None;
        }
        self.spare = self.pending.take()?;
        Some(self.last_number)
    }

    /// The number of the pending segment.
    pub(super) fn pending(&self) -> Option<u64> {
        self.pending.as_ref().map(|_| self.last_number)
    }

    /// The pending segment as a message carries it.
    pub(super) fn view(&self) -> Option<SegmentView<'_>> {
        self.pending.as_ref().map(|work| SegmentView {
            number: self.last_number,
            ok: work.ok,
            failed: work.failed,
            cost_nano_usd: work.cost_nano_usd,
            tokens_in: work.tokens_in,
            tokens_out: work.tokens_out,
            latency: work.packed(),
        })
    }
}
