//! What the agent's threads count and the sender takes.
//!
//! Each thread adds to a shard of its own, without locks and without atomic read-modify-write. A
//! thread that ends leaves its shard, sums and all, to the next one. Threads beyond the first 64
//! share one shard, where adding costs more.
//!
//! Why nothing is lost or counted twice, whenever the sender looks:
//! 1. A counter has one writer at a time, or is only added to atomically. A shard passes to another
//!    thread by release and acquire of its number, so the next writer starts from the last sum.
//! 2. The sender never writes a counter. It takes differences to what it took before, so what is
//!    added while it looks is in this difference or in the next.
//! 3. The parts of one report may go out in two segments; each part goes out once.

mod ledger;
mod shard;
mod thread_slot;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use heartline_protocol::bucket::BUCKETS;

pub(crate) use self::ledger::Ledger;
pub(crate) use self::shard::Sum;
use self::shard::{Shard, Writers};
use self::thread_slot::{SHARED, SLOTS};
use crate::engine::Moment;
use crate::report::Report;

/// All counters of one emitter.
pub(crate) struct Counters {
    own: [OnceLock<Box<Shard>>; SLOTS],
    shared: OnceLock<Box<Shard>>,
}

/// Where a task in flight is dated, if it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket<'a>(Option<&'a AtomicU64>);

impl Counters {
    pub(crate) fn new() -> Self {
        Self { own: [const { OnceLock::new() }; SLOTS], shared: OnceLock::new() }
    }

    /// Counts one piece of work.
    #[inline]
    pub(crate) fn report(&self, report: Report) {
        match self.own() {
            Some(shard) => shard.record(report, Writers::One),
            None => self.report_elsewhere(&{ report }),
        }
    }

    /// A task has begun.
    #[inline]
    pub(crate) fn begin(&self, now: Moment) -> Ticket<'_> {
        match self.own() {
            Some(shard) => begin(shard, now, Writers::One),
            None => self.begin_elsewhere(now),
        }
    }

    /// A task has ended, on whatever thread.
    #[inline]
    pub(crate) fn end(&self, ticket: Ticket<'_>, now: Moment, report: Report) {
        match self.own() {
            Some(shard) => end(shard, ticket, now, report, Writers::One),
            None => self.end_elsewhere(ticket, now, &{ report }),
        }
    }

    /// A task that has begun is taken back: it did not start after all.
    pub(crate) fn take_back(&self, ticket: Ticket<'_>) {
        let (shard, writers) = self.find();
        ticket.give_back();
        shard.add(Sum::Ended, 1, writers);
    }

    /// A step was taken.
    pub(crate) fn progressed(&self, now: Moment) {
        self.find().0.progressed(now);
    }

    /// The total of one sum.
    pub(crate) fn total(&self, sum: Sum) -> u64 {
        self.shards().fold(0, |total, shard| total.wrapping_add(shard.sum(sum)))
    }

    /// Tasks begun and not ended.
    pub(crate) fn in_flight(&self) -> u32 {
        // Ends first: every end that is read has its beginning, which is read later, counted too.
        // What begins and ends between the two, though, seems to be in flight, and this thread may
        // have been away: hence the least of some looks.
        let look = |_| {
            let ended = self.total(Sum::Ended);
            self.total(Sum::Begun).wrapping_sub(ended)
        };
        let least = (0..4).map(look).min().unwrap_or(0);
        u32::try_from(least).unwrap_or(u32::MAX)
    }

    /// When the oldest task in flight began.
    pub(crate) fn oldest(&self) -> Option<Moment> {
        self.shards().filter_map(Shard::oldest).min().map(Moment::from_nanos)
    }

    /// When a task last began or ended, or a step was taken.
    pub(crate) fn last_progress(&self) -> Option<Moment> {
        self.shards().map(Shard::progress).max().filter(|&nanos| nanos != 0).map(Moment::from_nanos)
    }

    fn add_latencies_to(&self, into: &mut [u64; BUCKETS]) {
        for shard in self.shards() {
            shard.add_latencies_to(into);
        }
    }

    /// This thread's own shard, if it has one already. That is nearly always so, and the path to be
    /// fast: the rest is kept out of line, and gets *copies* of reports, so that the compiler may
    /// hold those in registers on this path.
    #[inline]
    fn own(&self) -> Option<&Shard> {
        self.own.get(thread_slot::get())?.get().map(|shard| &**shard)
    }

    /// Where this thread counts, and who else does.
    fn find(&self) -> (&Shard, Writers) {
        let (cell, writers) = match self.own.get(thread_slot::get_or_assign()) {
            Some(cell) => (cell, Writers::One),
            None => (&self.shared, Writers::Many),
        };
        (cell.get_or_init(|| Box::new(Shard::new())), writers)
    }

    #[cold]
    fn report_elsewhere(&self, report: &Report) {
        let (shard, writers) = self.find();
        shard.record(*report, writers);
    }

    #[cold]
    fn begin_elsewhere(&self, now: Moment) -> Ticket<'_> {
        let (shard, writers) = self.find();
        begin(shard, now, writers)
    }

    #[cold]
    fn end_elsewhere(&self, ticket: Ticket<'_>, now: Moment, report: &Report) {
        let (shard, writers) = self.find();
        end(shard, ticket, now, *report, writers);
    }

    fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.own.iter().chain([&self.shared]).filter_map(|cell| cell.get().map(|shard| &**shard))
    }
}

const _: () = assert!(SHARED == SLOTS, "the shared number is the first beyond the own ones");

#[inline]
fn begin(shard: &Shard, now: Moment, writers: Writers) -> Ticket<'_> {
    let place = shard.date(now, writers);
    if place.is_none() {
        shard.add(Sum::Lost, 1, writers);
    }
    shard.add(Sum::Begun, 1, writers);
    shard.progressed(now);
    Ticket(place)
}

#[inline]
fn end(shard: &Shard, ticket: Ticket<'_>, now: Moment, report: Report, writers: Writers) {
    shard.record(report, writers);
    ticket.give_back();
    shard.add(Sum::Ended, 1, writers);
    shard.progressed(now);
}

impl Ticket<'_> {
    #[inline]
    fn give_back(self) {
        if let Some(place) = self.0 {
            place.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Barrier;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::shard::DATED;
    use super::*;
    use crate::engine::Work;

    /// More than have shards.
    const THREADS: u64 = 80;
    const WAVES: u64 = 2;
    const EACH: u64 = 60_000;

    /// Threads hammer the counters, in shards of their own, in shards inherited from threads that
    /// have ended, and in the shared one, while the sender takes what is there: whatever it takes
    /// at whatever moment, in the end each report has been taken once.
    #[test]
    fn sums_are_exact_while_they_are_taken() {
        let (counters, done) = (&Counters::new(), &AtomicBool::new(false));
        let mut sum = Sums::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..WAVES {
                    wave(counters);
                }
                done.store(true, Ordering::Release);
            });
            let mut ledger = Ledger::new();
            loop {
                let last = done.load(Ordering::Acquire);
                assert!(u64::from(counters.in_flight()) <= EACH * THREADS * WAVES, "ends first");
                let any = sum.take(&mut ledger, counters);
                if last && !any {
                    break;
                }
            }
        });
        assert!(counters.shared.get().is_some(), "some threads had no shard of their own");
        let all = EACH * THREADS * WAVES;
        let exact = Sums {
            ok: all / 10 * 9,
            failed: all / 10,
            cost: 3 * all,
            tokens: (5 * all, 7 * all),
            latencies: all,
        };
        assert_eq!(sum, exact);
        assert_eq!((counters.in_flight(), counters.oldest()), (0, None));
        assert_eq!(counters.total(Sum::Lost), 0);
    }

    /// Threads that are all alive at once.
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
                let now = Moment::from_nanos(n + 1);
                let ticket = counters.begin(now);
                counters.end(ticket, now, report);
            }
        }
    }

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Sums {
        ok: u64,
        failed: u64,
        cost: u64,
        tokens: (u64, u64),
        latencies: u64,
    }

    impl Sums {
        fn take(&mut self, ledger: &mut Ledger, counters: &Counters) -> bool {
            let mut work = Work::default();
            let any = ledger.take(counters, &mut work);
            self.ok += work.ok;
            self.failed += work.failed;
            self.cost += work.cost_nano_usd;
            self.tokens.0 += work.tokens_in;
            self.tokens.1 += work.tokens_out;
            self.latencies += work.latencies().iter().map(|(_, count)| count).sum::<u64>();
            any
        }
    }

    #[test]
    fn the_oldest_task_is_found_on_whatever_thread_it_began_and_ended() {
        let counters = Counters::new();
        let at = Moment::from_nanos;
        let first = counters.begin(at(10));
        std::thread::scope(|scope| {
            let second = scope.spawn(|| counters.begin(at(20))).join().unwrap();
            assert_eq!((counters.in_flight(), counters.oldest()), (2, Some(at(10))));
            let counters = &counters;
            scope.spawn(move || counters.end(first, at(30), Report::ok())).join().unwrap();
            assert_eq!((counters.in_flight(), counters.oldest()), (1, Some(at(20))));
            counters.end(second, at(40), Report::ok());
        });
        assert_eq!((counters.in_flight(), counters.oldest()), (0, None));
        assert_eq!(counters.last_progress(), Some(at(40)));
    }

    #[test]
    fn tasks_that_find_no_place_are_counted_and_said_to_be_undated() {
        let counters = Counters::new();
        let all = DATED as u64 + 6;
        let tickets: Vec<_> = (0..all).map(|n| counters.begin(Moment::from_nanos(n + 1))).collect();
        assert_eq!((u64::from(counters.in_flight()), counters.total(Sum::Lost)), (all, 6));
        for ticket in tickets {
            counters.end(ticket, Moment::from_nanos(99), Report::ok());
        }
        assert_eq!((counters.in_flight(), counters.total(Sum::Ok)), (0, all));
    }
}
