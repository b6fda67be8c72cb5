//! An agent that handles signals in one of the ways in which programs do, and logs to standard error,
//! for the system's tests: `signal_agent NAME HANDLING`.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use heartline::Heartline;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

/// Tasks after a signal that the program handles, before it ends.
const TASKS_AFTER: u32 = 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut args = std::env::args().skip(1);
    let name = args.next().context("the agent's name is missing")?;
    match args.next().as_deref() {
        Some("not") => work(&heartline::start(name)).await,
        Some("two-agents") => {
            let _second = heartline::start(format!("{name}.second"));
            work(&heartline::start(name)).await;
        }
        Some("before") => {
            let signals = both()?;
            end_in_order(heartline::start(name), signals).await;
        }
        Some("after") => {
            let hb = heartline::start(name);
            end_in_order(hb, both()?).await;
        }
        Some("ctrl-c") => {
            let hb = heartline::start(name);
            let interrupts = signal(SignalKind::interrupt())?;
            end_in_order(hb, vec![interrupts]).await;
        }
        Some("children") => {
            let hb = heartline::start(name);
            let _exits = signal(SignalKind::child())?;
            work(&hb).await;
        }
        Some("left") => work(&heartline::Builder::new(name).leave_signals().start()).await,
        other => bail!("no such handling of signals: {other:?}"),
    }
    Ok(())
}

fn both() -> Result<Vec<Signal>> {
    Ok(vec![signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?])
}

async fn work(hb: &Heartline) {
    println!("started");
    loop {
        do_task(hb).await;
    }
}

async fn do_task(hb: &Heartline) {
    let task = hb.task_async().await;
    sleep(Duration::from_millis(5)).await;
    task.ok();
}

/// Works until one of the signals, and then some more.
async fn end_in_order(hb: Heartline, mut signals: Vec<Signal>) {
    let mut any = signals.pop().expect("one is handled");
    match signals.pop() {
        Some(mut other) => tokio::select! {
            () = work(&hb) => {}
            _ = any.recv() => {}
            _ = other.recv() => {}
        },
        None => tokio::select! {
            () = work(&hb) => {}
            _ = any.recv() => {}
        },
    }
    for _ in 0..TASKS_AFTER {
        do_task(&hb).await;
    }
    drop(hb);
    println!("ended in order");
}
