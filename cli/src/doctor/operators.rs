//! The operators' side of the collector, which knows what became of a probe.

use heartline_operator::client::Client;
use heartline_operator::message::{
    CollectorStatus, DATAGRAM_COUNTERS, DatagramCounter, DatagramCounters, DatagramLoss, Reply,
    Request,
};

use super::Diagnostic;
use super::probe::ATTEMPTS;
use crate::settings::{Settings, environment};

/// A collector that answers operators.
pub(super) struct OperatorConnection {
    client: Client,
}

impl OperatorConnection {
    /// Connects, and says how that went.
    pub(super) async fn reach(settings: &Settings, findings: &mut Vec<Diagnostic>) -> Option<Self> {
        let endpoint = match settings.endpoint(&environment) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                findings.push(Diagnostic::wrong(error.to_string(), "Pass --data-dir."));
                return None;
            }
        };
        let options = settings.client_options(&environment);
        let client = match Client::connect(&endpoint, &options).await {
            Ok(client) => client,
            Err(error) => {
                // An agent needs no operators' socket: on another machine there is none.
                findings.push(Diagnostic::Note(format!("operators: {error}")));
                return None;
            }
        };
        let greeting = client.greeting();
        let may = if greeting.may_control { "look and act" } else { "look, but not act" };
        findings.push(Diagnostic::Right(format!(
            "{} may {may} on the collector at {}",
            greeting.operator, greeting.collector.host
        )));
        report(&greeting.collector, findings);
        Some(Self { client })
    }

    /// What the collector has counted so far.
    pub(super) async fn counters(&self) -> Option<DatagramCounters> {
        match self.client.request(Request::Collector).await {
            Ok(Reply::Collector(status)) => Some(status.datagrams),
            _ => None,
        }
    }

    /// Whether an agent is known. If that can't be found out, it is taken to be.
    pub(super) async fn knows(&self, agent: &str) -> bool {
        match self.client.snapshot(vec![agent.to_owned()]).await {
            Ok((entries, _)) => entries.iter().any(|entry| entry.agent == agent),
            Err(_) => true,
        }
    }

    /// Removes an agent again.
    pub(super) async fn forget(&self, agent: &str) -> bool {
        let request = Request::Forget { agents: vec![agent.to_owned()] };
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

fn report(collector: &CollectorStatus, findings: &mut Vec<Diagnostic>) {
    let ours = env!("CARGO_PKG_VERSION");
    findings.push(match collector.version.as_str() {
        theirs if theirs == ours => Diagnostic::Right(format!("collector and client are {ours}")),
        theirs => Diagnostic::Note(format!("the collector is version {theirs}, this is {ours}")),
    });
    findings.push(Diagnostic::Right(format!("it receives beats on {}", collector.udp.join(", "))));
    if collector.datagrams.kernel_dropped > 0 {
        findings.push(Diagnostic::Note(format!(
            "the kernel has dropped {} datagrams since it started",
            collector.datagrams.kernel_dropped
        )));
    }
    for banner in &collector.banners {
        findings.push(Diagnostic::Note(banner.clone()));
    }
}
