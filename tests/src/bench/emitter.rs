//! CPU cost of `report()` on one thread and on two, and of `task()` beside two bare clock reads.

use std::hint::black_box;
use std::net::UdpSocket;
use std::sync::Barrier;
use std::time::Duration;

use anyhow::{Context as _, Result};
use heartline::{Builder, Heartline, Report};
use heartline_protocol::{KeyEpoch, MasterKey, Token, TokenScope};

use super::{BenchMode, machine};
use crate::clock;
use crate::result_table::ResultTable;

const REPETITIONS: usize = 5;

pub(super) fn run(mode: BenchMode) -> Result<()> {
    let calls = if mode == BenchMode::Full { 20_000_000 } else { 200_000 };
    let state = tempfile::tempdir().context("can't make a state directory")?;
    // It receives every beat and answers none: the emitter counts all the same.
    let silent = UdpSocket::bind("127.0.0.1:0").context("can't bind a collector that is silent")?;
    let address = silent.local_addr().context("a bound socket has an address")?;
    let hb = Builder::new("bench")
        .collector(address.to_string())
        .token(token()?)
        .interval(Duration::from_secs(1))
        .state_dir(state.path())
        .start();
    let latency = Duration::from_millis(230);
    // What varies from call to call is hidden from the compiler: the numbers, not the whole report,
    // which no caller keeps in memory either.
    let report = |hb: &Heartline| {
        hb.report(Report::ok().latency(black_box(latency)).cost_usd(black_box(0.03)));
    };
    let small = |hb: &Heartline| hb.report(Report::ok().latency(black_box(latency)));
    let task = |hb: &Heartline| drop(black_box(hb.task()));
    let two_reads = |_: &Heartline| {
        black_box(clock::monotonic());
        black_box(clock::monotonic());
    };

    println!("CPU of the calling thread, {calls} calls, a beat each second beside them\n");
    let mut table = ResultTable::new(&["call", "threads", "ns/call", "goal"]);
    let mut row = |call: &str, threads: usize, ns: f64, goal: &str| {
        table.row(&[call.into(), threads.to_string(), format!("{ns:.1}"), goal.into()]);
    };
    row("report(latency)", 1, measure(&hb, 1, calls, small)?, "<= 10");
    row("report(latency)", 2, measure(&hb, 2, calls, small)?, "<= 15");
    row("report(latency, cost)", 1, measure(&hb, 1, calls, report)?, "<= 10");
    row("report(latency, cost)", 2, measure(&hb, 2, calls, report)?, "<= 15");
    row("two clock reads", 1, measure(&hb, 1, calls, two_reads)?, "");
    row("task(), begun and ended", 1, measure(&hb, 1, calls, task)?, "two reads and its guard");
    row("task(), begun and ended", 2, measure(&hb, 2, calls, task)?, "");
    table.print();
    Ok(())
}

fn token() -> Result<String> {
    let key = MasterKey::new([7; 32]).scope_key(KeyEpoch(1), "");
    let scope = TokenScope::new("").context("the empty scope")?;
    Ok(Token { epoch: KeyEpoch(1), scope, key }.encode())
}

/// Returns the CPU time of the slowest thread, each on a core of its own, in ns per call: the median
/// of some repetitions.
fn measure(
    hb: &Heartline,
    threads: usize,
    calls: u32,
    call: impl Fn(&Heartline) + Sync,
) -> Result<f64> {
    let calls = calls / REPETITIONS as u32;
    let mut times = Vec::new();
    for _ in 0..REPETITIONS {
        times.push(measure_once(hb, threads, calls, &call)?);
    }
    times.sort();
    Ok(times[REPETITIONS / 2].as_nanos() as f64 / f64::from(calls))
}

fn measure_once(
    hb: &Heartline,
    threads: usize,
    calls: u32,
    call: &(impl Fn(&Heartline) + Sync),
) -> Result<Duration> {
    let together = &Barrier::new(threads);
    let on_core = |core: usize| {
        machine::pin(core)?;
        (0..calls / 10).for_each(|_| call(hb));
        together.wait();
        let begin = clock::thread_cpu();
        (0..calls).for_each(|_| call(hb));
        anyhow::Ok(clock::thread_cpu().saturating_sub(begin))
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|core| scope.spawn(move || on_core(core))).collect();
        let mut times = all.into_iter().map(|it| it.join().expect("a measurement does not panic"));
        times.try_fold(Duration::ZERO, |slowest, time| anyhow::Ok(slowest.max(time?)))
    })
}
