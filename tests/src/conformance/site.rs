//! A collector that crashes and comes back, and the network in front of it.

use heartline_operator::message::{AgentVitals, TokenReply, TokenRequest};
use heartline_vocabulary::{Action, WorkTotals};
use serde_json::Value;

use super::work::StoredWork;
use crate::harness::{
    CollectorProcess, ProxyCounters, TestEnvironment, TestOperator, UdpProxy, rollup_latencies,
    rollup_totals,
};

/// A collector with a directory and a network of its own.
pub(super) struct Site {
    env: TestEnvironment,
    /// `None` while it is down.
    collector: Option<CollectorProcess>,
    pub(super) proxy: UdpProxy,
    operator: TestOperator,
    pub(super) restarts: u64,
}

impl Site {
    /// Starts the collector of a fleet.
    pub(super) fn start(seed: u64) -> Self {
        Self::start_in(TestEnvironment::new(), seed)
    }

    /// Starts another collector of the same fleet: with the same master key.
    pub(super) fn start_sibling(&self, seed: u64) -> Result<Self, String> {
        let env = TestEnvironment::new();
        let copy = |key| std::fs::copy(self.env.data_dir().join(key), env.data_dir().join(key));
        std::fs::create_dir_all(env.data_dir())
            .and_then(|()| copy("master.key"))
            .and_then(|_| copy("local.token"))
            .map_err(|error| format!("can't copy the keys of a collector: {error}"))?;
        Ok(Self::start_in(env, seed))
    }

    fn start_in(env: TestEnvironment, seed: u64) -> Self {
        let collector = env.start_collector();
        let proxy = UdpProxy::start(collector.address(), seed);
        let operator = env.operator();
        Self { env, collector: Some(collector), proxy, operator, restarts: 0 }
    }

    /// Returns the environment of the collector, which the agent shares.
    pub(super) fn env(&self) -> &TestEnvironment {
        &self.env
    }

    /// Makes a token with this scope; an empty one is the whole fleet's.
    pub(super) fn make_token(&self, scope: &str) -> Result<String, String> {
        match self.operator.token(TokenRequest::Make { scope: scope.to_owned() }) {
            TokenReply::Made { token } => Ok(token),
            other => Err(format!("the collector makes no token: {other:?}")),
        }
    }

    /// Ends the collector by SIGKILL.
    pub(super) fn crash(&mut self) {
        if let Some(mut collector) = self.collector.take() {
            collector.kill_9();
        }
    }

    /// Starts it again, if it is down.
    pub(super) fn restart(&mut self) {
        if self.collector.is_none() {
            let collector = self.env.start_collector();
            self.proxy.set_collector(collector.address());
            self.collector = Some(collector);
            self.restarts += 1;
        }
    }

    /// Returns what is stored of an agent.
    pub(super) fn stored(&self, agent: &str) -> StoredWork {
        let data_dir = self.env.data_dir();
        StoredWork {
            totals: rollup_totals(&data_dir, agent),
            latencies: rollup_latencies(&data_dir, agent),
        }
    }

    /// Returns the totals that `heartline agent` shows.
    pub(super) fn shown_totals(&self, agent: &str) -> Result<WorkTotals, String> {
        let output = self.env.heartline(&format!("agent {agent} --json"));
        let text = String::from_utf8_lossy(&output.stdout);
        let document: Value = serde_json::from_str(&text).map_err(|error| {
            let stderr = String::from_utf8_lossy(&output.stderr);
            format!("`heartline agent {agent} --json` prints no JSON ({error}): {text}{stderr}")
        })?;
        serde_json::from_value(document["total"].clone())
            .map_err(|error| format!("`heartline agent {agent} --json` has no totals: {error}"))
    }

    /// Returns the agent's vitals; `None` if it is not known.
    pub(super) fn vitals(&self, agent: &str) -> Option<AgentVitals> {
        self.operator.agent(agent).map(|entry| entry.vitals)
    }

    /// Kills or resumes the agent.
    pub(super) fn command(&self, action: Action, agent: &str, request_id: u64) {
        self.operator.command(action, &[agent], request_id);
    }

    pub(super) fn counters(&self) -> ProxyCounters {
        self.proxy.counters()
    }
}
