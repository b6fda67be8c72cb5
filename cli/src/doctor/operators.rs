//! Checks of the operators' socket, whose counters show what became of a probe.

use std::net::SocketAddr;

use heartline_operator::client::Client;
use heartline_operator::message::{AgentSelector, CollectorStatus, ForgetCommand, Reply, Request};
use heartline_vocabulary::{DATAGRAM_COUNTERS, DatagramCounter, DatagramCounters, DatagramLoss};

use super::Diagnostic;
use super::probe::ATTEMPTS;
use crate::settings::{Settings, environment};

/// A connection to the collector as an operator.
pub(super) struct OperatorConnection {
    client: Client,
    host: String,
    /// Where its collector receives beats.
    udp: Vec<String>,
}

/// What a collector saw of a probe.
#[derive(Clone, Copy, Debug)]
pub(super) enum ProbeEvidence {
    /// It refused the probe, and counted it here.
    Refused(&'static DatagramCounter),
    /// It took the probe, and answered.
    Answered,
    Nothing,
}

/// The state of a collector before a probe.
pub(super) struct BeforeProbe {
    counters: Option<DatagramCounters>,
    /// The probe's id is in its fleet, or that can't be found out.
    pub(super) is_listed: bool,
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
        let (host, udp) = (greeting.collector.host.clone(), greeting.collector.udp.clone());
        Some(Self { client, host, udp })
    }

    /// Says where its collector receives beats.
    pub(super) fn listens_on(&self) -> String {
        format!("the collector at {} receives on {}", self.host, self.udp.join(", "))
    }

    /// Returns whether its collector receives on this port.
    pub(super) fn listens_on_port(&self, port: u16) -> bool {
        let mut addresses = self.udp.iter().filter_map(|it| it.parse::<SocketAddr>().ok());
        addresses.any(|address| address.port() == port)
    }

    async fn counters(&self) -> Option<DatagramCounters> {
        match self.client.request(Request::Collector).await {
            Ok(Reply::Collector(status)) => Some(status.datagrams),
            _ => None,
        }
    }

    pub(super) async fn before_probe(&self, agent: &str) -> BeforeProbe {
        BeforeProbe { counters: self.counters().await, is_listed: self.knows(agent).await }
    }

    /// Returns true when an agent is known, or when that can't be found out.
    async fn knows(&self, agent: &str) -> bool {
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

    /// Returns what has become of an unanswered probe since `before`; `None` when that can't be found
    /// out.
    pub(super) async fn evidence_of(
        &self,
        agent: &str,
        before: &BeforeProbe,
    ) -> Option<ProbeEvidence> {
        let (then, now) = (before.counters?, self.counters().await?);
        // Other agents are counted, too; the probe was sent this many times.
        let has_grown = |counter: &DatagramCounter| {
            counter.read(&now).saturating_sub(counter.read(&then)) >= u64::from(ATTEMPTS)
        };
        let is_refusal = |counter: &&DatagramCounter| {
            matches!(counter.loss, Some(DatagramLoss::Dropped | DatagramLoss::BadSignature))
                && has_grown(counter)
        };
        // Its id proves more than a count that others may have caused.
        if !before.is_listed && self.knows(agent).await {
            return Some(ProbeEvidence::Answered);
        }
        if let Some(counter) = DATAGRAM_COUNTERS.iter().find(is_refusal) {
            return Some(ProbeEvidence::Refused(counter));
        }
        let unconfirmed = DATAGRAM_COUNTERS.iter().find(|counter| counter.name == "unconfirmed");
        let is_received = before.is_listed && unconfirmed.is_some_and(has_grown);
        Some(if is_received { ProbeEvidence::Answered } else { ProbeEvidence::Nothing })
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
