//! Kills of many agents by one command, at a collector with a live fleet: how soon the command is
//! durable, how soon the agents hear of it, and for how long nobody is answered meanwhile.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use hdrhistogram::Histogram;
use heartline_operator::message::{
    AgentCommand, AgentSelector, CollectorStatus, CommandOutcome, Reply, Request,
};
use heartline_vocabulary::Action;

use super::answer_probe::{self, AnswerProbe};
use super::{histogram, ms};
use crate::bench::BenchMode;
use crate::bench::live_agents::{LiveAgents, LiveAgentsConfig, REGISTRATION_CONFIG, WorkPattern};
use crate::bench::synthetic_fleet::pattern_of_first;
use crate::clock;
use crate::harness::{TestEnvironment, TestOperator};
use crate::result_table::ResultTable;

/// Interval of the agents that are killed, in ms.
const INTERVAL_MS: u32 = 30_000;
/// Number of sockets that they share.
const SOCKETS: usize = 8;
/// Rate of first beats: each makes rows in both databases.
const FIRST_BEATS_PER_SECOND: u32 = 10_000;
/// Time for which they beat before it is looked whether something is done.
const BEATING_FOR: Duration = Duration::from_millis(10);
/// Longest wait for all of them to be live, or to hear of a command.
const TIMEOUT: Duration = Duration::from_secs(120);
pub(super) fn run(mode: BenchMode) -> Result<()> {
    let (sizes, watched_for): (&[u32], _) = match mode {
        BenchMode::Full => (&[10, 1_000, 100_000], Duration::from_secs(3)),
        BenchMode::Smoke => (&[10, 100, 1_000], Duration::from_millis(200)),
    };
    let agents = sizes.iter().copied().max().unwrap_or_default();
    let env = TestEnvironment::new();
    env.configure(REGISTRATION_CONFIG);
    let collector = env.start_collector();
    let config = LiveAgentsConfig {
        agents,
        interval_ms: INTERVAL_MS,
        work: WorkPattern::Idle,
        sockets: SOCKETS,
    };
    let mut fleet = CommandedFleet {
        agents: LiveAgents::new(config, &env.token(), collector.address())?,
        rate: u64::from(agents * 1_000 / INTERVAL_MS).max(1),
        operator: env.operator(),
        probe: AnswerProbe::start(collector.address(), &env.token())?,
        watched_for,
        requests: 0,
    };
    fleet.register(agents)?;
    let quiet_us = fleet.watch()?;

    println!(
        "commands for many of {agents} agents, which beat every {} s; {} others beat every 100 ms, and \
         waited for an ack for {} ms at most before the first command\n",
        INTERVAL_MS / 1_000,
        answer_probe::AGENTS,
        ms(quiet_us),
    );
    let mut table = ResultTable::new(&[
        "all in ms",
        "preview",
        "durable",
        "push p50",
        "p99",
        "max",
        "longest ack",
        "gaps",
        "dropped",
    ]);
    for &targets in sizes {
        for action in [Action::Kill, Action::Resume] {
            fleet.measure(action, targets)?.add_to(&mut table);
        }
    }
    table.print();
    Ok(())
}

/// Live agents, an operator, and what watches the collector.
struct CommandedFleet {
    agents: LiveAgents,
    /// Beats of all agents a second.
    rate: u64,
    operator: TestOperator,
    probe: AnswerProbe,
    /// For how long the collector is watched before the first command, and after each.
    watched_for: Duration,
    requests: u64,
}

struct CommandMeasurement {
    action: Action,
    targets: u32,
    preview: Duration,
    /// From the command to its answer, which means that it is on disk.
    durable: Duration,
    /// From the command to the pushes that brought it, in µs.
    pushes: Histogram<u64>,
    longest_wait_us: u64,
    before: CollectorStatus,
    after: CollectorStatus,
}

impl CommandedFleet {
    /// Lets all agents beat until they are live, and stored.
    fn register(&mut self, agents: u32) -> Result<()> {
        let rate = u64::from(FIRST_BEATS_PER_SECOND.min(agents));
        let end = clock::monotonic() + TIMEOUT;
        let all = agents + answer_probe::AGENTS;
        while self.operator.collector().summary.healthy < all {
            ensure!(clock::monotonic() < end, "not all of {all} agents became live");
            self.agents.beat(rate, Duration::from_secs(1))?;
        }
        // Answered when everything that was judged before is on disk.
        self.while_beating(|operator| operator.events_of("probe-0"))?;
        Ok(())
    }

    /// Watches the collector for a while; returns the longest wait for an answer, in µs.
    fn watch(&mut self) -> Result<u64> {
        self.probe.take_longest_us();
        self.agents.beat(self.rate, self.watched_for)?;
        Ok(self.probe.take_longest_us())
    }

    fn measure(&mut self, action: Action, targets: u32) -> Result<CommandMeasurement> {
        self.requests += 1;
        let agents = AgentSelector::Names(vec![pattern_of_first(targets)]);
        let before = self.operator.collector();
        self.agents.take_pushes();
        self.probe.take_longest_us();
        let (preview, fingerprint) = self.while_beating(|operator| {
            let begin = clock::monotonic();
            let request = Request::Preview { agents: agents.clone(), list: 100 };
            match operator.request(&request) {
                Ok(Reply::Preview(preview)) if preview.hits == targets => {
                    Ok((clock::monotonic().saturating_sub(begin), preview.fingerprint))
                }
                other => Err(anyhow!("{agents:?} does not find {targets} agents: {other:?}")),
            }
        })??;
        let command = AgentCommand {
            request_id: self.requests,
            action,
            agents,
            reason: "for a benchmark".to_owned(),
            expect: Some(targets),
            fingerprint: Some(fingerprint),
        };
        let (sent_at, answered_at) = self.while_beating(|operator| {
            let sent_at = clock::monotonic();
            let outcome = command_outcome(operator, command)?;
            ensure!(outcome.targets.len() == targets as usize, "some agents are left out");
            Ok((sent_at, clock::monotonic()))
        })??;
        while self.agents.pushed() < targets as usize {
            ensure!(clock::monotonic() < answered_at + TIMEOUT, "not all agents heard of it");
            self.agents.beat(self.rate, BEATING_FOR)?;
        }
        // It still has their reports to handle.
        self.agents.beat(self.rate, self.watched_for)?;
        let mut pushes = histogram()?;
        for at in self.agents.take_pushes() {
            pushes.saturating_record(at.saturating_sub(sent_at).as_micros() as u64);
        }
        Ok(CommandMeasurement {
            action,
            targets,
            preview,
            durable: answered_at.saturating_sub(sent_at),
            pushes,
            longest_wait_us: self.probe.take_longest_us(),
            before,
            after: self.operator.collector(),
        })
    }

    /// Does something as an operator while the agents go on beating.
    fn while_beating<T: Send>(
        &mut self,
        work: impl FnOnce(&TestOperator) -> T + Send,
    ) -> Result<T> {
        let Self { agents, rate, operator, .. } = self;
        thread::scope(|scope| {
            let work = thread::Builder::new()
                .name("operator".into())
                .spawn_scoped(scope, || work(operator))
                .context("can't start an operator")?;
            while !work.is_finished() {
                agents.beat(*rate, BEATING_FOR)?;
            }
            work.join().map_err(|_| anyhow!("the operator failed"))
        })
    }
}

fn command_outcome(operator: &TestOperator, command: AgentCommand) -> Result<CommandOutcome> {
    match operator.request(&Request::Command(command)) {
        Ok(Reply::Command(outcome)) if outcome.refused.is_none() => Ok(outcome),
        Ok(Reply::Command(outcome)) => Err(anyhow!("refused: {:?}", outcome.refused)),
        other => Err(anyhow!("not answered: {other:?}")),
    }
}

impl CommandMeasurement {
    fn add_to(&self, table: &mut ResultTable) {
        let after = |quantile| ms(self.pushes.value_at_quantile(quantile));
        let dropped = self.after.datagrams.kernel_dropped - self.before.datagrams.kernel_dropped;
        let verb = if self.action.kills() { "kill" } else { "resume" };
        table.row(&[
            format!("{verb} {}", self.targets),
            ms(self.preview.as_micros() as u64),
            ms(self.durable.as_micros() as u64),
            after(0.5),
            after(0.99),
            ms(self.pushes.max()),
            ms(self.longest_wait_us),
            (self.after.gaps - self.before.gaps).to_string(),
            dropped.to_string(),
        ]);
    }
}
