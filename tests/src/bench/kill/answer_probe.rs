//! Agents that beat as often as agents may, and see how long the collector answers nobody.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};
use heartline_protocol::limits::INTERVAL_MS;
use heartline_protocol::{Beat, Token};

use crate::clock;
use crate::harness::ScriptedAgent;

/// Number of agents. They beat in turn, so that no stop begins and ends between two beats.
pub(super) const AGENTS: u32 = 10;
/// Time between two looks for answers.
const POLL_INTERVAL: Duration = Duration::from_micros(500);

/// A thread with agents that beat at the shortest interval. It ends with this handle.
pub(super) struct AnswerProbe {
    /// Longest time from a beat to its answer, or without one so far, in µs.
    longest_us: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl AnswerProbe {
    /// Starts agents that are live.
    pub(super) fn start(collector: SocketAddr, token: &Token) -> Result<Self> {
        let beat = Beat { interval_ms: *INTERVAL_MS.start(), ..ScriptedAgent::minimal_beat() };
        let agents = (0..AGENTS).map(|n| {
            let name = format!("probe-{n}");
            let mut agent = ScriptedAgent::new(collector, token.clone(), &name, u64::from(n));
            agent.beat_until_live(&beat);
            ProbingAgent { agent, unanswered: VecDeque::new() }
        });
        let agents: Vec<ProbingAgent> = agents.collect();
        let (longest_us, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let work = {
            let (longest_us, stop) = (Arc::clone(&longest_us), Arc::clone(&stop));
            move || run(agents, &beat, &longest_us, &stop)
        };
        let named = thread::Builder::new().name("probe".into());
        let thread = Some(named.spawn(work).context("can't start a probe")?);
        Ok(Self { longest_us, stop, thread })
    }

    /// Returns the longest time without an answer since the last call, in µs.
    pub(super) fn take_longest_us(&self) -> u64 {
        self.longest_us.swap(0, Ordering::AcqRel)
    }
}

impl Drop for AnswerProbe {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct ProbingAgent {
    agent: ScriptedAgent,
    /// Sequences of beats, and when they were sent.
    unanswered: VecDeque<(u64, Duration)>,
}

fn run(mut agents: Vec<ProbingAgent>, beat: &Beat<'_>, longest_us: &AtomicU64, stop: &AtomicBool) {
    let turn = Duration::from_millis(u64::from(*INTERVAL_MS.start())) / AGENTS;
    let (mut next, mut due) = (0, clock::monotonic());
    while !stop.load(Ordering::Acquire) {
        if clock::monotonic() >= due {
            // A beat that is late because this thread was is as good as one on time.
            due = clock::monotonic() + turn;
            let at = next % agents.len();
            agents[at].beat(beat);
            next += 1;
        }
        let longest = agents.iter_mut().filter_map(ProbingAgent::receive).max();
        let us = longest.map_or(0, |longest| longest.as_micros() as u64);
        longest_us.fetch_max(us, Ordering::AcqRel);
        thread::sleep(POLL_INTERVAL);
    }
}

impl ProbingAgent {
    fn beat(&mut self, beat: &Beat<'_>) {
        self.agent.beat(beat);
        self.unanswered.push_back((self.agent.sequence, clock::monotonic()));
    }

    /// Receives all answers; returns the longest time that a beat waited for its own, or has waited
    /// so far.
    fn receive(&mut self) -> Option<Duration> {
        while self.agent.receive().is_some() {}
        let now = clock::monotonic();
        let oldest = self.unanswered.front().map(|(_, sent)| now.saturating_sub(*sent));
        let acked = self.agent.acked;
        self.unanswered.retain(|(sequence, _)| *sequence > acked);
        oldest
    }
}
