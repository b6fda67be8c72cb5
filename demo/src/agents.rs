//! The agents of the demo.

use clap::ValueEnum;

/// An agent, as it reports itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DemoAgent {
    pub(crate) name: String,
    pub(crate) host: &'static str,
    pub(crate) group: &'static str,
    pub(crate) behaviour: AgentBehaviour,
}

/// How an agent works while no fault of the script affects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AgentBehaviour {
    /// One task in a hundred fails.
    Steady,
    /// One task in four fails.
    Flaky,
    /// Waits for a person now and then.
    Waiting,
}

use AgentBehaviour::{Flaky, Steady, Waiting};

const GPU: &str = "m3-gpu-01";
const CPU: &str = "m3-cpu-04";
const EDGE: &str = "edge-17";
const FAR: &str = "edge-18";

/// The named agents; those that the script needs come first.
const NAMED: [(&str, &str, &str, AgentBehaviour); 20] = [
    ("report-generator", GPU, "reports", Steady),
    ("inventory-sync", GPU, "orders", Steady),
    ("research-agent", EDGE, "research", Steady),
    ("scraper-eu", CPU, "scrapers", Steady),
    ("cron-digest", CPU, "reports", Steady),
    ("email-responder", CPU, "support", Flaky),
    ("contract-reviewer", EDGE, "legal", Waiting),
    ("order-processor", GPU, "orders", Steady),
    ("scraper-us", CPU, "scrapers", Steady),
    ("ticket-triage", FAR, "support", Steady),
    ("refund-checker", FAR, "support", Steady),
    ("invoice-matcher", GPU, "orders", Steady),
    ("price-watcher", EDGE, "research", Steady),
    ("catalog-writer", GPU, "orders", Steady),
    ("translator.1", FAR, "translation", Steady),
    ("translator.2", EDGE, "translation", Steady),
    ("summarizer", CPU, "reports", Steady),
    ("code-reviewer", GPU, "engineering", Steady),
    ("meeting-notes", FAR, "reports", Steady),
    ("lead-scorer", EDGE, "research", Steady),
];

/// Returns a fleet of this size: the named agents first, then crawlers.
pub(crate) fn demo_fleet(size: u16) -> Vec<DemoAgent> {
    let named = NAMED.iter().map(|&(name, host, group, behaviour)| DemoAgent {
        name: name.to_owned(),
        host,
        group,
        behaviour,
    });
    let hosts = [GPU, CPU, EDGE, FAR];
    let crawlers = hosts.iter().cycle().zip(1..).map(|(host, number)| DemoAgent {
        name: format!("crawler.{number}"),
        host,
        group: "crawlers",
        behaviour: Steady,
    });
    named.chain(crawlers).take(usize::from(size)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use heartline_protocol::AgentName;

    use super::*;

    #[test]
    fn a_fleet_has_its_size_valid_unique_names_and_four_hosts() {
        let agents = demo_fleet(40);
        let names: BTreeSet<_> = agents.iter().map(|agent| agent.name.as_str()).collect();
        assert_eq!((agents.len(), names.len()), (40, 40));
        assert!(names.iter().all(|name| AgentName::new(name).is_ok()));
        let hosts: BTreeSet<_> = demo_fleet(20).iter().map(|agent| agent.host).collect();
        assert_eq!(hosts.len(), 4);
    }
}
