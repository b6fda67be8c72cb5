//! An agent's process in a demo: a real emitter around work that is only slept.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io::BufRead as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::Duration;

use heartline::{Builder, Heartline, Task};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::args::{DemoAgentArgs, Part};
use crate::failure::{Failure, Verdict};

const INTERVAL: Duration = Duration::from_secs(1);
/// What one of the expensive calls costs.
const BURNT_USD: f64 = 0.35;

/// What the director has asked for.
#[derive(Default)]
struct Mood {
    burning: AtomicBool,
    deadlock: AtomicBool,
}

/// Runs the agent until standard input ends or says `stop`.
pub(crate) fn run(args: &DemoAgentArgs) -> Result<Verdict, Failure> {
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
    let mood = Arc::new(Mood::default());
    let worker = {
        let (hb, mood) = (hb.clone(), Arc::clone(&mood));
        let (name, part) = (args.name.clone(), args.part);
        move || work(&hb, &mood, part, Dice::new(&name))
    };
    thread::Builder::new()
        .name("worker".to_owned())
        .spawn(worker)
        .map_err(|source| Failure::System { what: "start a thread", source })?;

    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        match line.as_str() {
            "burn" => mood.burning.store(true, Ordering::Relaxed),
            "calm" => mood.burning.store(false, Ordering::Relaxed),
            "deadlock" => mood.deadlock.store(true, Ordering::Relaxed),
            "stop" => {
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
fn die_with_parent(parent: u32) -> Result<(), Failure> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|errno| Failure::System {
        what: "ask to end with the demo",
        source: errno.into(),
    })?;
    // It may have ended before it was asked for.
    let is_there = getppid().map(Pid::as_raw_nonzero).map(|pid| pid.get().cast_unsigned());
    if is_there == Some(parent) {
        return Ok(());
    }
    Err(Failure::NotDone("the demo that started this agent has ended".to_owned()))
}

fn work(hb: &Heartline, mood: &Mood, part: Part, mut dice: Dice) {
    let pace_ms = dice.between(120, 700);
    let mut tasks = 0_u64;
    loop {
        // Not task(): the pause between two looks is what a real agent would do with its queue.
        let Ok(task) = hb.try_task() else {
            sleep(Duration::from_millis(50));
            continue;
        };
        tasks += 1;
        hb.queue(u32::try_from(dice.between(0, 12)).unwrap_or(0));
        if mood.deadlock.load(Ordering::Relaxed) {
            hb.step("lock stock and ledger");
            deadlock();
        }
        if mood.burning.load(Ordering::Relaxed) {
            burn(hb, task, &mut dice);
            continue;
        }
        if part == Part::Waiting && tasks % 12 == 4 {
            let _waiting = hb.waiting("approval by a person");
            sleep(Duration::from_secs(20));
        }
        let failure_share = if part == Part::Flaky { 25 } else { 1 };
        one_task(hb, task, pace_ms, dice.between(0, 100) < failure_share, &mut dice);
        sleep(Duration::from_millis(dice.between(50, 2 * pace_ms)));
    }
}

/// Plan, ask a model, write it down.
fn one_task(hb: &Heartline, mut task: Task<'_>, pace_ms: u64, fails: bool, dice: &mut Dice) {
    hb.step("plan");
    sleep(Duration::from_millis(dice.between(10, 60)));
    hb.step("ask the model");
    // Now and then the model takes its time.
    let slow = if dice.between(0, 20) == 0 { 6 } else { 1 };
    sleep(Duration::from_millis(dice.between(pace_ms / 2, pace_ms) * slow));
    let read = dice.between(400, 4_000);
    task.tokens(read, read / 10);
    task.cost_nano_usd(read * 1_500);
    hb.step("write the result");
    sleep(Duration::from_millis(dice.between(5, 30)));
    match fails {
        true => task.fail(),
        false => task.ok(),
    }
}

/// The same long prompt again and again.
fn burn(hb: &Heartline, mut task: Task<'_>, dice: &mut Dice) {
    hb.step("retry the whole conversation");
    sleep(Duration::from_millis(dice.between(80, 160)));
    task.tokens(110_000, 900);
    task.cost_usd(BURNT_USD);
    task.fail();
}

/// Two threads, two locks, each in the other's order: neither ever goes on.
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

/// Numbers that look random and are the same for the same name.
struct Dice(u64);

impl Dice {
    fn new(name: &str) -> Self {
        Self(BuildHasherDefault::<DefaultHasher>::default().hash_one(name) | 1)
    }

    /// At least `low`, less than `high`.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        // Marsaglia's xorshift64.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        low + self.0 % high.saturating_sub(low).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_stay_in_their_bounds_and_vary() {
        let mut dice = Dice::new("mail");
        let thrown: Vec<_> = (0..200).map(|_| dice.between(3, 9)).collect();
        assert!((3..9).all(|face| thrown.contains(&face)));
        assert!(thrown.iter().all(|face| (3..9).contains(face)));
        assert_eq!(dice.between(5, 5), 5);
    }

    #[test]
    fn an_agent_whose_parent_is_gone_does_not_start() {
        let nobody = u32::MAX;
        assert!(die_with_parent(nobody).unwrap_err().to_string().contains("has ended"));
    }
}
