//! A trial: many equal agents, each with its own random work.

use std::time::Duration;

use fastrand::Rng;
use heartline_fleet::{
    AgentMessage, Fleet, FleetConfig, HealthRules, Input, MonoTime, Output, ReturnAddress,
    WriteTicket,
};
use heartline_protocol::body::SegmentView;
use heartline_protocol::{Beat, Body};
use heartline_vocabulary::{AgentRowId, Reason};

use super::agent::Workload;

/// Agents of a trial: with 30 s between beats there is always one within 250 ms, so that the core is
/// never frozen.
const AGENTS: u64 = 120;
const INTERVAL: Duration = Duration::from_secs(30);
const STEP_MS: u64 = 30_000 / AGENTS;
/// Beats between two commits of their work.
const COMMIT_EVERY: u64 = 1_000;
const YEAR_S: f64 = 365.25 * 86_400.0;

/// Many equal agents.
pub struct Trial {
    fleet: Fleet,
    rng: Rng,
    /// Steps so far, each of which is a beat of one agent.
    step: u64,
    agents: Vec<TrialAgent>,
    last_ticket: WriteTicket,
    alarms: Vec<(AgentRowId, Reason, MonoTime)>,
}

#[derive(Clone, Debug, Default)]
struct TrialAgent {
    name: String,
    segment: u64,
    last_task_s: u64,
}

/// How long it took to find what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Of so many agents of 120.
    pub agents: usize,
    pub median: Duration,
    pub p95: Duration,
}

impl Trial {
    /// Begins a trial.
    pub fn new(rules: HealthRules, seed: u64) -> Self {
        let config = FleetConfig { rules, ..FleetConfig::default() };
        let mut fleet = Fleet::new(config, at(0));
        fleet.handle(Input::Begin { last_alive: None, next_id: AgentRowId(1) }, at(0));
        let agents = (0..AGENTS)
            .map(|number| TrialAgent { name: format!("agent-{number}"), ..TrialAgent::default() });
        Self {
            fleet,
            rng: Rng::with_seed(seed),
            step: 0,
            agents: agents.collect(),
            last_ticket: WriteTicket(0),
            alarms: Vec::new(),
        }
    }

    /// Lets all agents work for so long.
    pub fn run(&mut self, workload: &Workload, time: Duration) {
        let steps = u64::try_from(time.as_millis()).expect("a few years") / STEP_MS;
        for _ in 0..steps {
            self.beat(workload);
        }
    }

    /// Returns how many alarms of that reason there were so far, for each year of one agent.
    pub fn alarms_a_year(&self, reason: Reason) -> f64 {
        let alarms = self.alarms.iter().filter(|(_, why, _)| *why == reason).count();
        let years = self.step as f64 * INTERVAL.as_secs_f64() / YEAR_S;
        alarms as f64 / years
    }

    /// Lets all agents work in another way, and returns when that was found.
    pub fn find(&mut self, workload: &Workload, reason: Reason, within: Duration) -> Found {
        self.alarms.clear();
        let began = at(self.step);
        self.run(workload, within);
        let mut first: Vec<Option<Duration>> = vec![None; AGENTS as usize];
        for (id, why, at) in &self.alarms {
            let place = &mut first[(id.0 - 1) as usize];
            if *why == reason && place.is_none() {
                *place = Some(at.since(began));
            }
        }
        let mut times: Vec<Duration> = first.into_iter().flatten().collect();
        times.sort_unstable();
        let quantile = |share: f64| {
            let rank = (share * AGENTS as f64) as usize;
            times.get(rank).copied().unwrap_or(Duration::MAX)
        };
        Found { agents: times.len(), median: quantile(0.5), p95: quantile(0.95) }
    }

    /// Lets the next agent beat.
    fn beat(&mut self, workload: &Workload) {
        let (round, number) = (self.step / AGENTS, (self.step % AGENTS) as usize);
        let now = at(self.step);
        let now_s = self.step * STEP_MS / 1_000;
        let agent = &mut self.agents[number];
        let (ok, failed) = workload.draw(now_s, INTERVAL, &mut self.rng);
        let mut segment = None;
        if ok + failed > 0 {
            agent.segment += 1;
            segment = Some(SegmentView { number: agent.segment, ok, failed, ..Default::default() });
            agent.last_task_s = now_s - self.rng.u64(0..INTERVAL.as_secs()).min(now_s);
        }
        let beat = Beat {
            interval_ms: INTERVAL.as_millis() as u32,
            uptime_ms: now_s * 1_000,
            progress_age_ms: (agent.segment > 0).then(|| (now_s - agent.last_task_s) * 1_000),
            segment,
            ..Beat::default()
        };
        let message = AgentMessage {
            index: self.fleet.find(&agent.name),
            agent: &agent.name,
            scope: "",
            session: 1,
            sequence: round + 1,
            tag_prefix: round as u32,
            fresh: true,
            from: ReturnAddress { peer: ([10, 0, 0, 1], 1).into(), via: 0 },
            len: 190,
            body: Body::Beat(beat),
        };
        self.fleet.handle(Input::Message(&message), now);
        self.step += 1;
        self.drain();
        if self.step.is_multiple_of(COMMIT_EVERY) {
            let ticket = self.last_ticket;
            self.fleet.handle(Input::HistoryCommitted { ticket, known: Vec::new() }, now);
            self.fleet.handle(Input::Tick, now);
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.fleet.poll_output() {
            match output {
                Output::Transition(row) => {
                    self.alarms.extend(row.to.reason.map(|reason| (row.id, reason, row.at)));
                }
                Output::WriteHistory(heartline_fleet::HistoryDbRow::Work(row)) => {
                    self.last_ticket = row.ticket;
                }
                _ => {}
            }
        }
    }
}

/// Returns the time of a step. Days begin at multiples of 24 hours of it.
fn at(step: u64) -> MonoTime {
    MonoTime::from_millis((step * STEP_MS) as i64)
}
