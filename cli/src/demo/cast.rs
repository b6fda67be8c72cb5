//! Who is in the demo.

use crate::args::Part;

/// One agent of the demo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) host: &'static str,
    pub(super) group: &'static str,
    pub(super) part: Part,
}

const GPU: &str = "m3-gpu-01";
const CPU: &str = "m3-cpu-04";
const EDGE: &str = "edge-17";
const FAR: &str = "edge-18";

/// The fleet of 20; those that the script needs come first.
const ROLES: [(&str, &str, &str, Part); 20] = [
    ("report-generator", GPU, "reports", Part::Steady),
    ("inventory-sync", GPU, "orders", Part::Steady),
    ("research-agent", EDGE, "research", Part::Steady),
    ("scraper-eu", CPU, "scrapers", Part::Steady),
    ("cron-digest", CPU, "reports", Part::Steady),
    ("email-responder", CPU, "support", Part::Flaky),
    ("contract-reviewer", EDGE, "legal", Part::Waiting),
    ("order-processor", GPU, "orders", Part::Steady),
    ("scraper-us", CPU, "scrapers", Part::Steady),
    ("ticket-triage", FAR, "support", Part::Steady),
    ("refund-checker", FAR, "support", Part::Steady),
    ("invoice-matcher", GPU, "orders", Part::Steady),
    ("price-watcher", EDGE, "research", Part::Steady),
    ("catalog-writer", GPU, "orders", Part::Steady),
    ("translator.1", FAR, "translation", Part::Steady),
    ("translator.2", EDGE, "translation", Part::Steady),
    ("summarizer", CPU, "reports", Part::Steady),
    ("code-reviewer", GPU, "engineering", Part::Steady),
    ("meeting-notes", FAR, "reports", Part::Steady),
    ("lead-scorer", EDGE, "research", Part::Steady),
];

/// A fleet of so many agents; beyond the named ones they are crawlers.
pub(super) fn fleet(size: u16) -> Vec<Role> {
    let named = ROLES.iter().map(|&(name, host, group, part)| Role {
        name: name.to_owned(),
        host,
        group,
        part,
    });
    let hosts = [GPU, CPU, EDGE, FAR];
    let crawlers = hosts.iter().cycle().zip(1..).map(|(host, number)| Role {
        name: format!("crawler.{number}"),
        host,
        group: "crawlers",
        part: Part::Steady,
    });
    named.chain(crawlers).take(usize::from(size)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use heartline_protocol::AgentName;

    use super::*;

    #[test]
    fn a_fleet_has_as_many_agents_as_wanted_under_valid_names_on_four_hosts() {
        let roles = fleet(40);
        let names: BTreeSet<_> = roles.iter().map(|role| role.name.as_str()).collect();
        assert_eq!((roles.len(), names.len()), (40, 40));
        assert!(names.iter().all(|name| AgentName::new(name).is_ok()));
        let hosts: BTreeSet<_> = fleet(20).iter().map(|role| role.host).collect();
        assert_eq!(hosts.len(), 4);
    }
}
