//! Kills of single agents, each with a real emitter: from the operator's command to the agent's
//! obedience.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use heartline::Heartline;
use heartline_vocabulary::Action;

use super::{histogram, ms};
use crate::bench::BenchMode;
use crate::clock;
use crate::harness::{TestEnvironment, TestOperator, wait_until};
use crate::result_table::ResultTable;

/// Number of agents, killed in turn.
const AGENTS: usize = 50;
/// Interval of each agent, in ms: too long for an ack to bring the command.
const INTERVAL_MS: u64 = 30_000;
/// Longest wait for one command to be obeyed.
const OBEY_TIMEOUT: Duration = Duration::from_secs(30);

/// An agent that reports when it obeys.
struct MeasuredAgent {
    name: String,
    emitter: Heartline,
    obeyed_at: Receiver<Duration>,
}

pub(super) fn run(mode: BenchMode) -> Result<()> {
    let kills = if mode == BenchMode::Full { 1_000 } else { 50 };
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let agents: Vec<MeasuredAgent> = (0..AGENTS)
        .map(|n| MeasuredAgent::start(&env, format!("agent-{n}"), collector.address()))
        .collect();
    wait_until("all agents are healthy", || {
        operator.try_fleet().is_ok_and(|(_, status)| status.summary.healthy as usize == AGENTS)
    });

    let (mut durable, mut obeyed) = (histogram()?, histogram()?);
    let mut resumed = histogram()?;
    for number in 0..kills {
        let agent = &agents[number % AGENTS];
        let id = 2 * number as u64 + 1;
        let (confirmed, obeyed_after) = measure_command(&operator, agent, Action::Kill, id)?;
        ensure!(agent.emitter.killed(), "{} still runs", agent.name);
        durable.saturating_record(confirmed.as_micros() as u64);
        obeyed.saturating_record(obeyed_after.as_micros() as u64);
        let (_, obeyed_after) = measure_command(&operator, agent, Action::Resume, id + 1)?;
        resumed.saturating_record(obeyed_after.as_micros() as u64);
    }

    println!("{kills} kills of {AGENTS} agents one by one, each durable before it is pushed\n");
    let mut table =
        ResultTable::new(&["from the command to", "p50 ms", "p90 ms", "p99 ms", "max ms", "goal"]);
    for (what, histogram, goal) in [
        ("its confirmation: it is durable", &durable, ""),
        ("the agent's obedience", &obeyed, "p99 <= 50"),
        ("the agent's resumption", &resumed, ""),
    ] {
        let at = |quantile| ms(histogram.value_at_quantile(quantile));
        let max = ms(histogram.max());
        table.row(&[what.into(), at(0.5), at(0.9), at(0.99), max, goal.into()]);
    }
    table.print();
    Ok(())
}

impl MeasuredAgent {
    fn start(env: &TestEnvironment, name: String, collector: std::net::SocketAddr) -> Self {
        let emitter = env.emitter(&name, collector, INTERVAL_MS).start();
        let (on_kill, obeyed_at) = mpsc::channel();
        let on_resume = on_kill.clone();
        emitter.on_kill(move || {
            let _ = on_kill.send(clock::monotonic());
        });
        emitter.on_resume(move || {
            let _ = on_resume.send(clock::monotonic());
        });
        Self { name, emitter, obeyed_at }
    }
}

/// Sends a command; returns the time until it was confirmed, and until it was obeyed.
fn measure_command(
    operator: &TestOperator,
    agent: &MeasuredAgent,
    action: Action,
    request_id: u64,
) -> Result<(Duration, Duration)> {
    let begin = clock::monotonic();
    operator.command(action, &[&agent.name], request_id);
    let confirmed = clock::monotonic().saturating_sub(begin);
    let obeyed = agent.obeyed_at.recv_timeout(OBEY_TIMEOUT);
    let obeyed = obeyed.with_context(|| format!("{} never obeyed {action:?}", agent.name))?;
    Ok((confirmed, obeyed.saturating_sub(begin)))
}
