//! An agent's process: a real emitter around work that only sleeps.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io::BufRead as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::Duration;

use fastrand::Rng;
use heartline::{Builder, Heartline, Task};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::{AgentBehaviour, DemoError};

const INTERVAL: Duration = Duration::from_secs(1);
/// Cost of one of the expensive calls.
const EXPENSIVE_CALL_USD: f64 = 0.35;

/// Arguments of the hidden subcommand `demo-agent`.
#[derive(Clone, Debug, clap::Args)]
pub struct AgentProcessArgs {
    /// Its id.
    name: String,
    /// The machine that it pretends to run on.
    #[arg(long)]
    host: String,
    /// Its group.
    #[arg(long)]
    group: String,
    /// How it works.
    #[arg(long, value_enum)]
    behaviour: AgentBehaviour,
    /// Address of the collector.
    #[arg(long)]
    collector: SocketAddr,
    /// Directory of the demo.
    #[arg(long)]
    dir: PathBuf,
    /// Process id of the demo.
    #[arg(long)]
    parent: u32,
}

/// Faults that the script has switched on.
#[derive(Default)]
struct ActiveFaults {
    overspending: AtomicBool,
    deadlock: AtomicBool,
}

/// Runs the agent until standard input ends or says `shutdown`, and exits the process.
///
/// # Errors
/// [`DemoError`] when it can't be started.
pub fn run_agent(args: &AgentProcessArgs) -> Result<(), DemoError> {
    die_with_parent(args.parent)?;
    let hb = Builder::new(&args.name)
        .collector(args.collector.to_string())
        .token_file(args.dir.join("local.token"))
        .state_dir(args.dir.join("agents"))
        .interval(INTERVAL)
        .host(&args.host)
        .group(&args.group)
        .framework("demo 1.0")
        .label("env", "demo")
        .start();
    let faults = Arc::new(ActiveFaults::default());
    let worker = {
        let (hb, faults, behaviour) = (hb.clone(), Arc::clone(&faults), args.behaviour);
        // Agents differ, and each is the same in every run.
        let seed = BuildHasherDefault::<DefaultHasher>::default().hash_one(&args.name);
        move || work(&hb, &faults, behaviour, Rng::with_seed(seed))
    };
    thread::Builder::new()
        .name("worker".to_owned())
        .spawn(worker)
        .map_err(DemoError::system("start a thread"))?;

    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match line.as_str() {
            "overspend" => faults.overspending.store(true, Ordering::Relaxed),
            "stop-overspending" => faults.overspending.store(false, Ordering::Relaxed),
            "deadlock" => faults.deadlock.store(true, Ordering::Relaxed),
            "shutdown" => {
                hb.stop();
                break;
            }
            _ => {}
        }
    }
    // The worker is not waited for: it may be deadlocked.
    std::process::exit(0)
}

/// Asks the kernel to kill this process when its parent ends, however that ends.
fn die_with_parent(parent: u32) -> Result<(), DemoError> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|errno| DemoError::system("ask to end with the demo")(errno.into()))?;
    // It may have ended before that.
    let current = getppid().map(Pid::as_raw_nonzero).map(|pid| pid.get().cast_unsigned());
    if current == Some(parent) { Ok(()) } else { Err(DemoError::ParentEnded) }
}

fn work(hb: &Heartline, faults: &ActiveFaults, behaviour: AgentBehaviour, mut rng: Rng) {
    let pace_ms = rng.u64(120..700);
    let mut tasks = 0_u64;
    loop {
        // Not task(): a real agent would poll its queue in this pause.
        let Ok(task) = hb.try_task() else {
            sleep(Duration::from_millis(50));
            continue;
        };
        tasks += 1;
        hb.queue(rng.u32(0..12));
        if faults.deadlock.load(Ordering::Relaxed) {
            hb.step("lock stock and ledger");
            deadlock();
        }
        if faults.overspending.load(Ordering::Relaxed) {
            overspend(hb, task, &mut rng);
            continue;
        }
        if behaviour == AgentBehaviour::Waiting && tasks % 12 == 4 {
            let _waiting = hb.waiting("approval by a person");
            sleep(Duration::from_secs(20));
        }
        let failure_percent = if behaviour == AgentBehaviour::Flaky { 25 } else { 1 };
        let fails = rng.u32(0..100) < failure_percent;
        run_task(hb, task, pace_ms, fails, &mut rng);
        sleep_ms(&mut rng, 50, 2 * pace_ms);
    }
}

fn run_task(hb: &Heartline, mut task: Task<'_>, pace_ms: u64, fails: bool, rng: &mut Rng) {
    hb.step("plan");
    sleep_ms(rng, 10, 60);
    hb.step("ask the model");
    // Now and then the model takes its time.
    let slowdown = if rng.u32(0..20) == 0 { 6 } else { 1 };
    sleep_ms(rng, slowdown * pace_ms / 2, slowdown * pace_ms);
    let read = rng.u64(400..4_000);
    task.tokens(read, read / 10);
    task.cost_nano_usd(read * 1_500);
    hb.step("write the result");
    sleep_ms(rng, 5, 30);
    match fails {
        true => task.fail(),
        false => task.ok(),
    }
}

/// Repeats the same long prompt.
fn overspend(hb: &Heartline, mut task: Task<'_>, rng: &mut Rng) {
    hb.step("retry the whole conversation");
    sleep_ms(rng, 80, 160);
    task.tokens(110_000, 900);
    task.cost_usd(EXPENSIVE_CALL_USD);
    task.fail();
}

/// Sleeps for at least `low` and less than `high`.
fn sleep_ms(rng: &mut Rng, low: u64, high: u64) {
    sleep(Duration::from_millis(rng.u64(low..high)));
}

/// Locks two mutexes in two threads, each in the other's order, and never returns.
fn deadlock() {
    let (stock, ledger) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(())));
    let both_hold_one = Arc::new(Barrier::new(2));
    let other = {
        let (stock, ledger) = (Arc::clone(&stock), Arc::clone(&ledger));
        let both_hold_one = Arc::clone(&both_hold_one);
        move || {
            let _first = stock.lock().unwrap_or_else(PoisonError::into_inner);
            both_hold_one.wait();
            let _second = ledger.lock().unwrap_or_else(PoisonError::into_inner);
        }
    };
    let _other = thread::spawn(other);
    let _first = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    both_hold_one.wait();
    let _second = stock.lock().unwrap_or_else(PoisonError::into_inner);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_whose_parent_is_gone_does_not_start() {
        let no_process = u32::MAX;
        assert!(die_with_parent(no_process).unwrap_err().to_string().contains("has ended"));
    }
}
