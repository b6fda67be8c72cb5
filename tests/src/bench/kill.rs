//! Kill on loopback: from the operator's command to the agent's obedience, through a real collector
//! process with its disk, real emitters and the operators' client.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;
use heartline::Heartline;
use heartline_vocabulary::Action;

use super::Effort;
use super::table::Table;
use crate::clock;
use crate::world::{Operator, World, wait_until};

/// Agents that are killed in turn.
const AGENTS: usize = 50;
/// How often each beats, in ms: it must not be a beat that brings the news.
const INTERVAL_MS: u64 = 30_000;
/// Longest wait for one order to be obeyed.
const PATIENCE: Duration = Duration::from_secs(30);

/// An agent that tells when it obeys.
struct Victim {
    name: String,
    emitter: Heartline,
    obeyed: Receiver<Duration>,
}

pub(super) fn run(effort: Effort) -> Result<()> {
    let kills = if effort == Effort::Full { 1_000 } else { 50 };
    let world = World::new();
    let collector = world.start_collector();
    let operator = world.operator();
    let victims: Vec<Victim> = (0..AGENTS)
        .map(|n| Victim::start(&world, format!("victim-{n}"), collector.address()))
        .collect();
    wait_until("everybody is healthy", || {
        operator.try_fleet().is_ok_and(|(_, status)| status.summary.healthy as usize == AGENTS)
    });

    let (mut durable, mut obeyed) = (histogram()?, histogram()?);
    let mut resumed = histogram()?;
    for number in 0..kills {
        let victim = &victims[number % AGENTS];
        let id = 2 * number as u64 + 1;
        let (replied, heard) = order(&operator, victim, Action::Kill, id)?;
        ensure!(victim.emitter.killed(), "{} goes on", victim.name);
        durable.saturating_record(replied.as_micros() as u64);
        obeyed.saturating_record(heard.as_micros() as u64);
        let (_, heard) = order(&operator, victim, Action::Resume, id + 1)?;
        resumed.saturating_record(heard.as_micros() as u64);
    }

    println!("{kills} kills of {AGENTS} agents one by one, each durable before it is pushed\n");
    let mut table =
        Table::new(&["from the command to", "p50 ms", "p90 ms", "p99 ms", "max ms", "goal"]);
    for (what, histogram, goal) in [
        ("its confirmation: it is durable", &durable, ""),
        ("the agent's obedience", &obeyed, "p99 <= 50"),
        ("the agent's resumption", &resumed, ""),
    ] {
        let ms = |us: u64| format!("{:.2}", us as f64 / 1e3);
        let at = |quantile| ms(histogram.value_at_quantile(quantile));
        let max = ms(histogram.max());
        table.row(&[what.into(), at(0.5), at(0.9), at(0.99), max, goal.into()]);
    }
    table.print();
    Ok(())
}

/// Latencies from 1 µs to a minute.
fn histogram() -> Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 60_000_000, 3).context("bounds of a histogram")
}

impl Victim {
    fn start(world: &World, name: String, collector: std::net::SocketAddr) -> Self {
        let emitter = world.emitter(&name, collector, INTERVAL_MS).start();
        let (told, obeyed) = mpsc::channel();
        let on_resume = told.clone();
        emitter.on_kill(move || {
            let _ = told.send(clock::monotonic());
        });
        emitter.on_resume(move || {
            let _ = on_resume.send(clock::monotonic());
        });
        Self { name, emitter, obeyed }
    }
}

/// Gives an order; says after what time it was confirmed, and after what time it was obeyed.
fn order(
    operator: &Operator,
    victim: &Victim,
    action: Action,
    request_id: u64,
) -> Result<(Duration, Duration)> {
    let begin = clock::monotonic();
    operator.order(action, &[&victim.name], request_id);
    let replied = clock::monotonic().saturating_sub(begin);
    let heard = victim.obeyed.recv_timeout(PATIENCE);
    let heard = heard.with_context(|| format!("{} never obeyed {action:?}", victim.name))?;
    Ok((replied, heard.saturating_sub(begin)))
}
