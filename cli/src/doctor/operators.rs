//! Checks of the operators' socket, whose counters show what became of a probe.

use heartline_operator::client::Client;
use heartline_operator::message::{AgentSelector, CollectorStatus, ForgetCommand, Reply, Request};
use heartline_vocabulary::{DATAGRAM_COUNTERS, DatagramCounter, DatagramCounters, DatagramLoss};

use super::Diagnostic;
use super::probe::ATTEMPTS;
use crate::settings::{Settings, environment};

/// A connection to the collector as an operator.
pub(super) struct OperatorConnection {
    client: Client,
}

impl OperatorConnection {
    pub(super) async fn connect(
        settings: &Settings,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let endpoint = match settings.endpoint(&environment) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                diagnostics.push(Diagnostic::problem(error.to_string(), "Pass --data-dir."));
                return None;
            }
        };
        let options = settings.client_options(&environment);
        let client = match Client::connect(&endpoint, &options).await {
            Ok(client) => client,
            Err(error) => {
                // An agent needs no operators' socket: on another machine there is none.
                diagnostics.push(Diagnostic::Note(format!("operators: {error}")));
                return None;
            }
        };
        let greeting = client.greeting();
        let access = if greeting.may_control { "control" } else { "a read-only connection" };
        diagnostics.push(Diagnostic::Ok(format!(
            "{} has {access} on the collector at {}",
            greeting.operator, greeting.collector.host
        )));
        report(&greeting.collector, diagnostics);
        Some(Self { client })
    }

    pub(super) async fn counters(&self) -> Option<DatagramCounters> {
        match self.client.request(Request::Collector).await {
            Ok(Reply::Collector(status)) => Some(status.datagrams),
            _ => None,
        }
    }

    /// Returns true when an agent is known, or when that can't be found out.
    pub(super) async fn knows(&self, agent: &str) -> bool {
        match self.client.snapshot(one(agent)).await {
            Ok((entries, _)) => entries.iter().any(|entry| entry.agent == agent),
            Err(_) => true,
        }
    }

    pub(super) async fn forget(&self, agent: &str) -> bool {
        let command = ForgetCommand { agents: one(agent), expect: None, fingerprint: None };
        let request = Request::Forget(command);
        matches!(self.client.request(request).await, Ok(Reply::Forgotten { agents }) if agents.len() == 1)
    }

    /// Returns the counter of refused datagrams that has grown by as many as the probe was sent.
    pub(super) async fn refusal_since(&self, before: DatagramCounters) -> Option<&'static str> {
        let now = self.counters().await?;
        let grown = |counter: &&DatagramCounter| {
            matches!(counter.loss, Some(DatagramLoss::Dropped | DatagramLoss::BadSignature))
                // Other agents are counted too; the probe was sent this many times.
                && counter.read(&now).saturating_sub(counter.read(&before)) >= u64::from(ATTEMPTS)
        };
        DATAGRAM_COUNTERS.iter().find(grown).map(|counter| counter.label)
    }
}

fn one(agent: &str) -> AgentSelector {
    AgentSelector::Names(vec![agent.to_owned()])
}

fn report(collector: &CollectorStatus, diagnostics: &mut Vec<Diagnostic>) {
    let ours = env!("CARGO_PKG_VERSION");
    diagnostics.push(match collector.version.as_str() {
        theirs if theirs == ours => Diagnostic::Ok(format!("collector and client are {ours}")),
        theirs => Diagnostic::Note(format!("the collector is version {theirs}, this is {ours}")),
    });
    diagnostics.push(Diagnostic::Ok(format!("it receives beats on {}", collector.udp.join(", "))));
    if collector.datagrams.kernel_dropped > 0 {
        diagnostics.push(Diagnostic::Note(format!(
            "the kernel has dropped {} datagrams since it started",
            collector.datagrams.kernel_dropped
        )));
    }
    for banner in &collector.banners {
        diagnostics.push(Diagnostic::Note(banner.clone()));
    }
}
