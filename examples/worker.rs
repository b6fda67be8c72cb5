//! An agent as they are in earnest: several threads, steps, cost, tokens, failures, a backlog, a
//! wait for a person, and a kill that ends the work in an orderly way.
//!
//! ```text
//! cargo run --example worker [NAME] [THREADS]
//! ```
//!
//! Type `stop` to end it with a goodbye.

use std::io::BufRead as _;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use heartline::{Builder, Heartline, Killed};

/// What there is to do, and whether to go on.
struct Desk {
    orders: AtomicU32,
    open: AtomicBool,
}

fn main() {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_else(|| "worker".to_owned());
    let threads = args.next().and_then(|count| count.parse().ok()).unwrap_or(3).clamp(1, 32);

    let hb = Builder::new(&name)
        .group("orders")
        .version(env!("CARGO_PKG_VERSION"))
        .label("team", "fulfilment")
        .on_kill(|| println!("killed: what is begun is finished, nothing new is started"))
        .on_resume(|| println!("resumed"))
        .start();
    println!("started {name} with {threads} threads; {}", hb.status());

    let desk = Desk { orders: AtomicU32::new(100_000), open: AtomicBool::new(true) };
    thread::scope(|scope| {
        for seat in 0..threads {
            let (hb, desk) = (&hb, &desk);
            scope.spawn(move || work(hb, desk, seat));
        }
        wait_for_stop();
        desk.open.store(false, Ordering::Release);
    });
    hb.stop();
    println!("stopped {name}");
}

/// One thread's work: an order at a time, as long as the desk is open.
fn work(hb: &Heartline, desk: &Desk, seat: u32) {
    while desk.open.load(Ordering::Acquire) {
        // Not task(), which would wait: this loop has the end of the program to look for as well.
        if let Err(Killed) = hb.try_task().map(|task| process(hb, desk, seat, task)) {
            sleep(Duration::from_millis(100));
        }
    }
}

/// One order: plan, ask a model, now and then a person, and ship it.
fn process(hb: &Heartline, desk: &Desk, seat: u32, mut task: heartline::Task<'_>) {
    let order = desk.orders.fetch_sub(1, Ordering::Relaxed);
    hb.queue(order);
    hb.step("plan");
    sleep(Duration::from_millis(u64::from(30 + 10 * seat)));

    hb.step("ask the model");
    sleep(Duration::from_millis(u64::from(60 + order % 90)));
    task.tokens(1_200 + u64::from(order % 300), 80);
    task.cost_usd(0.004);

    if order.is_multiple_of(200) {
        let _approval = hb.waiting("approval of a large order");
        sleep(Duration::from_secs(2));
    }
    hb.step("ship");
    sleep(Duration::from_millis(20));
    if order.is_multiple_of(25) {
        task.fail();
    }
}

/// Returns when somebody types `stop`. Without a terminal the work just goes on.
fn wait_for_stop() {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        if line.trim() == "stop" {
            return;
        }
    }
    loop {
        thread::park();
    }
}
