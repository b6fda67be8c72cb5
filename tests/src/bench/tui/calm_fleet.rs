//! Bytes that the terminal app sends to an 80×24 terminal for a calm fleet of 50 real emitters.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use heartline::Report;

use super::{BenchMode, machine, start_app};
use crate::clock;
use crate::harness::{TestEnvironment, wait_until};
use crate::result_table::ResultTable;

const AGENTS: usize = 50;
const SIZE: (u16, u16) = (80, 24);
/// Interval of each agent, in ms: the default.
const INTERVAL_MS: u64 = 30_000;
/// The goal, in bytes a second.
const GOAL: f64 = 500.0;

pub(super) fn run(mode: BenchMode) -> Result<()> {
    let (settle, watch) = match mode {
        BenchMode::Full => (Duration::from_secs(10), Duration::from_secs(60)),
        BenchMode::Smoke => (Duration::from_secs(1), Duration::from_secs(3)),
    };
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let fleet: Vec<_> = (0..AGENTS)
        .map(|n| env.emitter(&format!("agent-{n:02}"), collector.address(), INTERVAL_MS).start())
        .collect();
    let operator = env.operator();
    wait_until("all agents are healthy", || {
        operator.try_fleet().is_ok_and(|(_, status)| status.summary.healthy as usize == AGENTS)
    });

    let (mut child, terminal) = start_app(&env, SIZE)?;
    let pid = child.process_id().context("a running process has an id")?;
    let sent = Arc::new(AtomicU64::new(0));
    let mut reader = terminal.try_clone_reader().context("can't read the terminal")?;
    thread::spawn({
        let sent = Arc::clone(&sent);
        move || {
            let mut buffer = [0; 4_096];
            while let Ok(bytes @ 1..) = reader.read(&mut buffer) {
                sent.fetch_add(bytes as u64, Ordering::Relaxed);
            }
        }
    });
    let work_until = |end: Duration| {
        while clock::monotonic() < end {
            // A calm fleet: every agent does a little, without failures.
            for emitter in &fleet {
                emitter.report(Report::ok().latency(Duration::from_millis(230)).cost_usd(0.001));
            }
            thread::sleep(Duration::from_millis(500));
        }
    };
    let measure =
        || (sent.load(Ordering::Relaxed), machine::process_cpu_of(pid), clock::monotonic());
    work_until(clock::monotonic() + settle);
    let first_screen = sent.load(Ordering::Relaxed);
    ensure!(first_screen > 0, "heartline drew nothing");
    let (bytes_before, cpu_before, begin) = measure();
    work_until(begin + watch);
    let (bytes, cpu, end) = measure();
    let ended = child.try_wait().context("can't ask whether heartline runs")?;
    ensure!(ended.is_none(), "heartline ended: {ended:?}");
    child.kill().context("can't end heartline")?;

    let seconds = end.saturating_sub(begin).as_secs_f64();
    let rate = (bytes - bytes_before) as f64 / seconds;
    let share = cpu.saturating_sub(cpu_before).as_secs_f64() / seconds;
    println!("80×24, {AGENTS} agents that beat every 30 s and work, measured for {seconds:.0} s\n");
    let mut table = ResultTable::new(&["", "measured", "goal"]);
    table.row(&["bytes a second".into(), format!("{rate:.0}"), format!("<= {GOAL:.0}")]);
    table.row(&["share of a core".into(), format!("{:.1} %", share * 1e2), String::new()]);
    table.row(&["bytes until settled".into(), first_screen.to_string(), String::new()]);
    table.print();
    Ok(())
}
