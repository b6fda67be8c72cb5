//! A realistic agent: several threads, steps, cost, tokens, failures, a backlog, waiting for a
//! person, and an orderly end of the work when killed.
//!
//! ```text
//! cargo run --example worker [NAME] [THREADS]
//! ```
//!
//! Ctrl-C and SIGTERM end it in order: it finishes the tasks in flight, then says goodbye. (An agent
//! that handles neither says goodbye, too, and ends at once: `minimal_agent` is one.)

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use heartline::{AgentKilled, Builder, Heartline};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Orders left to process, and whether to go on.
struct OrderQueue {
    orders: AtomicU32,
    is_open: AtomicBool,
}

fn main() {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_else(|| "worker".to_owned());
    let threads = args.next().and_then(|count| count.parse().ok()).unwrap_or(3).clamp(1, 32);
    let mut signals = Signals::new([SIGINT, SIGTERM]).expect("both can be handled");

    let hb = Builder::new(&name)
        .group("orders")
        .version(env!("CARGO_PKG_VERSION"))
        .label("team", "fulfilment")
        .on_kill(|| println!("killed: finishing tasks in flight, starting no new one"))
        .on_resume(|| println!("resumed"))
        .start();
    println!("started {name} with {threads} threads; {}", hb.status());

    let queue = OrderQueue { orders: AtomicU32::new(100_000), is_open: AtomicBool::new(true) };
    thread::scope(|scope| {
        for worker in 0..threads {
            let (hb, queue) = (&hb, &queue);
            scope.spawn(move || work(hb, queue, worker));
        }
        signals.forever().next();
        queue.is_open.store(false, Ordering::Release);
    });
    hb.stop();
    println!("stopped {name}");
}

/// Processes orders on one thread, while the queue is open.
fn work(hb: &Heartline, queue: &OrderQueue, worker: u32) {
    while queue.is_open.load(Ordering::Acquire) {
        // Not task(), which would block: this loop also has to see the end of the program.
        if let Err(AgentKilled) = hb.try_task().map(|task| process(hb, queue, worker, task)) {
            sleep(Duration::from_millis(100));
        }
    }
}

/// Processes one order: plan, ask a model, now and then a person, and ship it.
fn process(hb: &Heartline, queue: &OrderQueue, worker: u32, mut task: heartline::Task<'_>) {
    let order = queue.orders.fetch_sub(1, Ordering::Relaxed);
    hb.queue(order);
    hb.step("plan");
    sleep(Duration::from_millis(u64::from(30 + 10 * worker)));

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
