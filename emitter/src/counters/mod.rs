//! Counters that the agent's threads write and the sender reads.
//!
//! Each thread adds to a shard of its own, without locks and without atomic read-modify-write. A
//! thread that ends leaves its shard, counts and all, to the next one. Threads beyond the first 64
//! share one shard, where adding costs more.
//!
//! Nothing is lost or counted twice, whenever the sender reads:
//! 1. A counter has one writer at a time, or is only added to atomically. A shard passes to another
//!    thread by release and acquire of its number, so the next writer starts from the last count.
//! 2. The sender never writes a counter. It takes differences to what it took before, so what is
//!    added while it reads is in this difference or in the next.
//! 3. The parts of one report may go out in two segments; each part goes out once.

mod shard;
mod slots;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use heartline_engine::MonoNanos;
use heartline_protocol::bucket::BUCKETS;

pub(crate) use self::shard::CounterId;
use self::shard::{CounterShard, ShardAccess};
use self::slots::{SHARED, SLOTS};
use crate::report::Report;

pub(crate) struct Counters {
    own: [OnceLock<Box<CounterShard>>; SLOTS],
    shared: OnceLock<Box<CounterShard>>,
}

/// Slot that holds when a task in flight began or took its last step, if there was a free one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskProgressSlot<'a>(Option<&'a AtomicU64>);

impl Counters {
    pub(crate) fn new() -> Self {
        Self { own: [const { OnceLock::new() }; SLOTS], shared: OnceLock::new() }
    }

    #[inline]
    pub(crate) fn report(&self, report: Report) {
        match self.own() {
            Some(shard) => shard.record(report, ShardAccess::Exclusive),
            None => self.report_slow(&{ report }),
        }
    }

    #[inline]
    pub(crate) fn begin_task(&self, now: MonoNanos) -> TaskProgressSlot<'_> {
        match self.own() {
            Some(shard) => begin(shard, now, ShardAccess::Exclusive),
            None => self.begin_task_slow(now),
        }
    }

    /// Counts the end of a task, on any thread.
    #[inline]
    pub(crate) fn end_task(&self, slot: TaskProgressSlot<'_>, now: MonoNanos, report: Report) {
        match self.own() {
            Some(shard) => end(shard, slot, now, report, ShardAccess::Exclusive),
            None => self.end_task_slow(slot, now, &{ report }),
        }
    }

    /// Takes back the begin of a task that did not start after all.
    pub(crate) fn cancel_task(&self, slot: TaskProgressSlot<'_>) {
        let (shard, access) = self.find();
        slot.release();
        shard.add(CounterId::Ended, 1, access);
    }

    /// Records a step: progress of the agent, and of those of its tasks that began on this thread, or
    /// of all where none did.
    pub(crate) fn record_step(&self, now: MonoNanos) {
        let (own, _) = self.find();
        own.record_progress(now);
        if !own.record_step(now) {
            self.shards().for_each(|shard| {
                shard.record_step(now);
            });
        }
    }

    /// Records a step of one task.
    pub(crate) fn record_task_step(&self, task: TaskProgressSlot<'_>, now: MonoNanos) {
        self.find().0.record_progress(now);
        if let Some(slot) = task.0 {
            slot.store(now.get(), Ordering::Relaxed);
        }
    }

    pub(crate) fn total(&self, counter: CounterId) -> u64 {
        self.shards().fold(0, |total, shard| total.wrapping_add(shard.load(counter)))
    }

    /// Returns the tasks begun and not ended.
    pub(crate) fn in_flight(&self) -> u32 {
        // Ends first: every end that is read has its beginning, which is read later, counted too.
        // What begins and ends between the two reads, though, seems to be in flight, and this
        // thread may have been preempted: hence the least of several readings.
        let reading = |_| {
            let ended = self.total(CounterId::Ended);
            self.total(CounterId::Begun).wrapping_sub(ended)
        };
        let least = (0..4).map(reading).min().unwrap_or(0);
        u32::try_from(least).unwrap_or(u32::MAX)
    }

    /// Returns when the task in flight that has been quiet for longest began or took its last step.
    pub(crate) fn quietest_task(&self) -> Option<MonoNanos> {
        self.shards().filter_map(CounterShard::quietest_task).min().map(MonoNanos::new)
    }

    /// Returns when a task last began or ended, or a step was taken.
    pub(crate) fn last_progress(&self) -> Option<MonoNanos> {
        self.shards()
            .map(CounterShard::last_progress)
            .max()
            .filter(|&nanos| nanos != 0)
            .map(MonoNanos::new)
    }

    pub(crate) fn add_latencies_to(&self, into: &mut [u64; BUCKETS]) {
        for shard in self.shards() {
            shard.add_latencies_to(into);
        }
    }

    /// Returns this thread's own shard, if it has one already: nearly always, and the path to be
    /// fast. The rest is kept out of line, and gets *copies* of reports, so that the compiler may
    /// hold those in registers on this path.
    #[inline]
    fn own(&self) -> Option<&CounterShard> {
        self.own.get(slots::get())?.get().map(|shard| &**shard)
    }

    /// Returns the shard that this thread writes, and creates it first if needed.
    fn find(&self) -> (&CounterShard, ShardAccess) {
        let (cell, access) = match self.own.get(slots::get_or_claim()) {
            Some(cell) => (cell, ShardAccess::Exclusive),
            None => (&self.shared, ShardAccess::Shared),
        };
        (cell.get_or_init(|| Box::new(CounterShard::new())), access)
    }

    #[cold]
    fn report_slow(&self, report: &Report) {
        let (shard, access) = self.find();
        shard.record(*report, access);
    }

    #[cold]
    fn begin_task_slow(&self, now: MonoNanos) -> TaskProgressSlot<'_> {
        let (shard, access) = self.find();
        begin(shard, now, access)
    }

    #[cold]
    fn end_task_slow(&self, slot: TaskProgressSlot<'_>, now: MonoNanos, report: &Report) {
        let (shard, access) = self.find();
        end(shard, slot, now, *report, access);
    }

    fn shards(&self) -> impl Iterator<Item = &CounterShard> {
        self.own.iter().chain([&self.shared]).filter_map(|cell| cell.get().map(|shard| &**shard))
    }
}

const _: () = assert!(SHARED == SLOTS, "the shared slot is the first beyond the own ones");

#[inline]
fn begin(shard: &CounterShard, now: MonoNanos, access: ShardAccess) -> TaskProgressSlot<'_> {
    let slot = shard.take_task_slot(now, access);
    if slot.is_none() {
        shard.add(CounterId::Lost, 1, access);
    }
    shard.add(CounterId::Begun, 1, access);
    shard.record_progress(now);
    TaskProgressSlot(slot)
}

#[inline]
fn end(
    shard: &CounterShard,
    slot: TaskProgressSlot<'_>,
    now: MonoNanos,
    report: Report,
    access: ShardAccess,
) {
    shard.record(report, access);
    slot.release();
    shard.add(CounterId::Ended, 1, access);
    shard.record_progress(now);
}

impl TaskProgressSlot<'_> {
    #[inline]
    fn release(self) {
        if let Some(slot) = self.0 {
            slot.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Barrier;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use heartline_engine::SegmentBuilder;

    use super::shard::TASK_SLOTS;
    use super::*;
    use crate::sender::CounterDeltaReader;

    /// More threads than have shards of their own.
    const THREADS: u64 = 80;
    const WAVES: u64 = 2;
    const EACH: u64 = 60_000;

    /// Threads write to shards of their own, to shards inherited from threads that have ended, and
    /// to the shared one, while deltas are read: in the end each report was read once.
    #[test]
    fn sums_are_exact_while_they_are_taken() {
        let (counters, done) = (&Counters::new(), &AtomicBool::new(false));
        let mut sum = DeltaSums::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..WAVES {
                    wave(counters);
                }
                done.store(true, Ordering::Release);
            });
            let mut reader = CounterDeltaReader::new();
            loop {
                let last = done.load(Ordering::Acquire);
                assert!(u64::from(counters.in_flight()) <= EACH * THREADS * WAVES, "ends first");
                let any = sum.take(&mut reader, counters);
                if last && !any {
                    break;
                }
            }
        });
        assert!(counters.shared.get().is_some(), "some threads had no shard of their own");
        let all = EACH * THREADS * WAVES;
        let exact = DeltaSums {
            ok: all / 10 * 9,
            failed: all / 10,
            cost: 3 * all,
            tokens: (5 * all, 7 * all),
            latencies: all,
        };
        assert_eq!(sum, exact);
        assert_eq!((counters.in_flight(), counters.quietest_task()), (0, None));
        assert_eq!(counters.total(CounterId::Lost), 0);
    }

    /// Runs threads that are all alive at once.
    fn wave(counters: &Counters) {
        let barrier = &Barrier::new(THREADS as usize);
        std::thread::scope(|scope| {
            for seed in 0..THREADS {
                scope.spawn(move || {
                    work(counters, seed, 0..EACH / 10);
                    barrier.wait();
                    work(counters, seed, EACH / 10..EACH);
                });
            }
        });
    }

    fn work(counters: &Counters, seed: u64, range: Range<u64>) {
        for n in range {
            let report = if n % 10 == 0 { Report::failed() } else { Report::ok() };
            let report = report.latency(Duration::from_micros(n * seed));
            let report = report.cost_nano_usd(3).tokens(5, 7);
            if n % 2 == 0 {
                counters.report(report);
            } else {
                let now = MonoNanos::new(n + 1);
                let start = counters.begin_task(now);
                counters.end_task(start, now, report);
            }
        }
    }

    #[derive(Debug, Default, PartialEq, Eq)]
    struct DeltaSums {
        ok: u64,
        failed: u64,
        cost: u64,
        tokens: (u64, u64),
        latencies: u64,
    }

    impl DeltaSums {
        fn take(&mut self, reader: &mut CounterDeltaReader, counters: &Counters) -> bool {
            let mut segment = SegmentBuilder::default();
            let any = reader.take(counters, &mut segment);
            self.ok += segment.ok;
            self.failed += segment.failed;
            self.cost += segment.cost_nano_usd;
            self.tokens.0 += segment.tokens_in;
            self.tokens.1 += segment.tokens_out;
            self.latencies += segment.latencies().iter().map(|(_, count)| count).sum::<u64>();
            any
        }
    }

    #[test]
    fn the_oldest_task_is_found_on_any_thread() {
        let counters = Counters::new();
        let at = MonoNanos::new;
        let first = counters.begin_task(at(10));
        std::thread::scope(|scope| {
            let second = scope.spawn(|| counters.begin_task(at(20))).join().unwrap();
            assert_eq!((counters.in_flight(), counters.quietest_task()), (2, Some(at(10))));
            let counters = &counters;
            scope.spawn(move || counters.end_task(first, at(30), Report::ok())).join().unwrap();
            assert_eq!((counters.in_flight(), counters.quietest_task()), (1, Some(at(20))));
            counters.end_task(second, at(40), Report::ok());
        });
        assert_eq!((counters.in_flight(), counters.quietest_task()), (0, None));
        assert_eq!(counters.last_progress(), Some(at(40)));
    }

    #[test]
    fn a_step_is_progress_of_the_tasks_that_began_on_its_thread() {
        let counters = &Counters::new();
        let at = MonoNanos::new;
        let here = counters.begin_task(at(10));
        std::thread::scope(|scope| {
            let there = scope.spawn(|| {
                let there = counters.begin_task(at(20));
                counters.record_step(at(30));
                there
            });
            let there = there.join().unwrap();
            assert_eq!(counters.quietest_task(), Some(at(10)), "a step elsewhere is not its own");
            counters.record_step(at(40));
            assert_eq!(counters.quietest_task(), Some(at(30)));
            counters.record_task_step(there, at(50));
            assert_eq!(counters.quietest_task(), Some(at(40)));
            counters.end_task(here, at(51), Report::ok());
            // A thread without tasks of its own may work for any of them.
            counters.record_step(at(60));
            assert_eq!(counters.quietest_task(), Some(at(60)));
            counters.end_task(there, at(61), Report::ok());
            counters.record_step(at(70));
            assert_eq!(counters.quietest_task(), None, "a free slot stays free");
        });
    }

    #[test]
    fn tasks_without_a_free_slot_are_counted_as_lost_observations() {
        let counters = Counters::new();
        let all = TASK_SLOTS as u64 + 6;
        let starts: Vec<_> = (0..all).map(|n| counters.begin_task(MonoNanos::new(n + 1))).collect();
        assert_eq!((u64::from(counters.in_flight()), counters.total(CounterId::Lost)), (all, 6));
        for start in starts {
            counters.end_task(start, MonoNanos::new(99), Report::ok());
        }
        assert_eq!((counters.in_flight(), counters.total(CounterId::Ok)), (0, all));
    }
}
