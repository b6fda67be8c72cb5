//! What the terminal app sends to a terminal of 80×24 that looks at a calm fleet of 50: through a
//! real pseudo-terminal, with a real collector and real emitters.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use heartline::Report;
use portable_pty::{CommandBuilder, NativePtySystem, PtySize, PtySystem as _};

use super::table::Table;
use super::{Effort, machine};
use crate::clock;
use crate::world::{Program, World, wait_until};

const AGENTS: usize = 50;
const SIZE: PtySize = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
/// How often each agent beats, in ms: the default.
const INTERVAL_MS: u64 = 30_000;
/// The goal, in bytes a second.
const GOAL: f64 = 500.0;

pub(super) fn run(effort: Effort) -> Result<()> {
    let (settle, watch) = match effort {
        Effort::Full => (Duration::from_secs(10), Duration::from_secs(60)),
        Effort::Smoke => (Duration::from_secs(1), Duration::from_secs(3)),
    };
    let world = World::new();
    let collector = world.start_collector();
    let fleet: Vec<_> = (0..AGENTS)
        .map(|n| world.emitter(&format!("agent-{n:02}"), collector.address(), INTERVAL_MS).start())
        .collect();
    let operator = world.operator();
    wait_until("everybody is healthy", || {
        operator.try_fleet().is_ok_and(|(_, status)| status.summary.healthy as usize == AGENTS)
    });

    let pty = NativePtySystem::default().openpty(SIZE).context("can't open a pseudo-terminal")?;
    let mut child = pty.slave.spawn_command(heartline(&world)).context("can't start heartline")?;
    let pid = child.process_id().context("a running process has an id")?;
    drop(pty.slave);
    let sent = Arc::new(AtomicU64::new(0));
    let mut reader = pty.master.try_clone_reader().context("can't read the terminal")?;
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
            // A calm fleet: everybody does a little, and nothing goes wrong.
            for emitter in &fleet {
                emitter.report(Report::ok().latency(Duration::from_millis(230)).cost_usd(0.001));
            }
            thread::sleep(Duration::from_millis(500));
        }
    };
    let looks = || (sent.load(Ordering::Relaxed), machine::process_cpu_of(pid), clock::monotonic());
    work_until(clock::monotonic() + settle);
    let first_screen = sent.load(Ordering::Relaxed);
    ensure!(first_screen > 0, "heartline drew nothing");
    let (bytes_before, cpu_before, begin) = looks();
    work_until(begin + watch);
    let (bytes, cpu, end) = looks();
    let ended = child.try_wait().context("can't ask how heartline is")?;
    ensure!(ended.is_none(), "heartline ended: {ended:?}");
    child.kill().context("can't end heartline")?;

    let seconds = end.saturating_sub(begin).as_secs_f64();
    let rate = (bytes - bytes_before) as f64 / seconds;
    let share = cpu.saturating_sub(cpu_before).as_secs_f64() / seconds;
    println!(
        "80×24, {AGENTS} agents that beat every 30 s and work, looked at for {seconds:.0} s\n"
    );
    let mut table = Table::new(&["", "measured", "goal"]);
    table.row(&["bytes a second".into(), format!("{rate:.0}"), format!("<= {GOAL:.0}")]);
    table.row(&["share of a core".into(), format!("{:.1} %", share * 1e2), String::new()]);
    table.row(&["bytes until settled".into(), first_screen.to_string(), String::new()]);
    table.print();
    Ok(())
}

/// The terminal app, in a terminal that can do all it asks for, in this world alone.
fn heartline(world: &World) -> CommandBuilder {
    let home = world.command(Program::Heartline.path());
    let mut command = CommandBuilder::new(home.get_program());
    command.env_clear();
    for (name, value) in home.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.env("TERM", "xterm-256color");
    command.cwd(world.path());
    command
}
