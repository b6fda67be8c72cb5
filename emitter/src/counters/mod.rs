//! What the agent's threads count and the sender takes.
//!
//! Each thread adds to a shard of its own, without locks and without atomic read-modify-write. A
//! thread that ends leaves its shard, sums and all, to the next one. Threads beyond the first 64
//! share one shard, where adding costs more.

mod ledger;
mod shard;
mod thread_slot;

use std::sync::OnceLock;

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

/// Where a task in flight is dated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    shard: u8,
    place: Option<u8>,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self { own: [const { OnceLock::new() }; SLOTS], shared: OnceLock::new() }
    }

    /// Counts one piece of work.
    #[inline]
    pub(crate) fn report(&self, report: &Report) {
        let (shard, writers) = self.mine(thread_slot::current());
        record(shard, report, writers);
    }

    /// A task has begun.
    #[inline]
    pub(crate) fn begin(&self, now: Moment) -> Ticket {
        let slot = thread_slot::current();
        let (shard, writers) = self.mine(slot);
        let place = shard.date(now, writers);
        if place.is_none() {
            shard.add(Sum::Lost, 1, writers);
        }
        shard.add(Sum::Begun, 1, writers);
        shard.progressed(now);
        Ticket { shard: slot as u8, place }
    }

    /// A task has ended, on whatever thread.
    #[inline]
    pub(crate) fn end(&self, ticket: Ticket, now: Moment, report: &Report) {
        let (shard, writers) = self.mine(thread_slot::current());
        record(shard, report, writers);
        self.leave(ticket, shard, writers);
        shard.progressed(now);
    }

    /// A task that has begun is taken back: it did not start after all.
    pub(crate) fn take_back(&self, ticket: Ticket) {
        let (shard, writers) = self.mine(thread_slot::current());
        self.leave(ticket, shard, writers);
    }

    /// A step was taken.
    #[inline]
    pub(crate) fn progressed(&self, now: Moment) {
        self.mine(thread_slot::current()).0.progressed(now);
    }

    /// The total of one sum.
    pub(crate) fn total(&self, sum: Sum) -> u64 {
        self.shards().fold(0, |total, shard| total.wrapping_add(shard.sum(sum)))
    }

    /// Tasks begun and not ended.
    pub(crate) fn in_flight(&self) -> u32 {
        // Ends first: every end that is read has its beginning, which is read later, counted too.
        let ended = self.total(Sum::Ended);
        let begun = self.total(Sum::Begun);
        u32::try_from(begun.wrapping_sub(ended)).unwrap_or(u32::MAX)
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

    #[inline]
    fn leave(&self, ticket: Ticket, mine: &Shard, writers: Writers) {
        if let Some(place) = ticket.place {
            self.mine(usize::from(ticket.shard)).0.undate(place);
        }
        mine.add(Sum::Ended, 1, writers);
    }

    #[inline]
    fn mine(&self, slot: usize) -> (&Shard, Writers) {
        let (cell, writers) = match self.own.get(slot) {
            Some(cell) => (cell, Writers::One),
            None => (&self.shared, Writers::Many),
        };
        (cell.get_or_init(|| Box::new(Shard::new())), writers)
    }

    fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.own.iter().chain([&self.shared]).filter_map(|cell| cell.get().map(|shard| &**shard))
    }
}

const _: () = assert!(SHARED == SLOTS, "the shared number is the first beyond the own ones");

#[inline]
fn record(shard: &Shard, report: &Report, writers: Writers) {
    shard.add(report.outcome(), 1, writers);
    if let Some(latency_us) = report.latency_us() {
        shard.observe(latency_us, writers);
    }
    for (sum, count) in report.sums() {
        if count > 0 {
            shard.add(sum, count, writers);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::shard::DATED;
    use super::*;
    use crate::engine::Work;

    const EACH: u64 = 30_000;

    /// Threads, more than have shards, hammer the counters while the sender takes what is there.
    #[test]
    fn sums_are_exact_while_they_are_taken() {
        let counters = Counters::new();
        let (done, threads) = (AtomicBool::new(false), 80);
        let mut sum = Sums::default();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|n| {
                    scope.spawn({
                        let counters = &counters;
                        move || work(counters, n)
                    })
                })
                .collect();
            scope.spawn(|| {
                workers.into_iter().for_each(|worker| worker.join().unwrap());
                done.store(true, Ordering::Release);
            });
            let mut ledger = Ledger::new();
            loop {
                let last = done.load(Ordering::Acquire);
                assert!(counters.in_flight() <= threads as u32);
                let any = sum.take(&mut ledger, &counters);
                if last && !any {
                    break;
                }
            }
        });
        let all = EACH * threads;
        assert_eq!((sum.ok + sum.failed, sum.cost, sum.latencies), (all, 3 * all, all));
        assert_eq!(sum.failed, all / 10);
        assert_eq!((counters.in_flight(), counters.oldest()), (0, None));
        assert_eq!(counters.total(Sum::Lost), 0);
    }

    fn work(counters: &Counters, seed: u64) {
        for n in 0..EACH {
            let report = if n % 10 == 0 { Report::failed() } else { Report::ok() };
            let report = report.latency(Duration::from_micros(n * seed)).cost_nano_usd(3);
            if n % 2 == 0 {
                counters.report(&report);
            } else {
                let now = Moment::from_nanos(n + 1);
                let ticket = counters.begin(now);
                counters.end(ticket, now, &report);
            }
        }
    }

    #[derive(Default)]
    struct Sums {
        ok: u64,
        failed: u64,
        cost: u64,
        latencies: u64,
    }

    impl Sums {
        fn take(&mut self, ledger: &mut Ledger, counters: &Counters) -> bool {
            let mut work = Work::default();
            let any = ledger.take(counters, &mut work);
            self.ok += work.ok;
            self.failed += work.failed;
            self.cost += work.cost_nano_usd;
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
            scope.spawn(move || counters.end(first, at(30), &Report::ok())).join().unwrap();
            assert_eq!((counters.in_flight(), counters.oldest()), (1, Some(at(20))));
            counters.end(second, at(40), &Report::ok());
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
            counters.end(ticket, Moment::from_nanos(99), &Report::ok());
        }
        assert_eq!((counters.in_flight(), counters.total(Sum::Ok)), (0, all));
    }
}
