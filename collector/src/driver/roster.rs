//! Who is expected, as operators see it.

use heartline_fleet::{ExpectedAgent, Fleet, ReplicaGroup};
use heartline_operator::message::{GroupReport, MISSING_MAX, MissingAgent, RosterReport};
use heartline_operator::text::timestamp_s;

use crate::clock::WallClockAnchor;

/// Returns everything that is expected of the fleet.
pub(super) fn report(fleet: &Fleet, anchor: WallClockAnchor) -> RosterReport {
    let group = |it: ReplicaGroup<'_>| GroupReport {
        group: it.name.to_owned(),
        running: it.running,
        expect: it.rule.expect,
        alert_below: it.rule.alert_below,
        incident: it.incident,
    };
    let missing = |it: ExpectedAgent<'_>| MissingAgent {
        agent: it.agent.to_owned(),
        since_ms: anchor.wall_ms(it.since),
        incident: it.incident,
    };
    RosterReport {
        groups: fleet.replica_groups().map(group).collect(),
        expected: u32::try_from(fleet.alert_rules().expected.len()).unwrap_or(u32::MAX),
        missing: fleet.expected_agents().take(MISSING_MAX).map(missing).collect(),
        has_more: fleet.expected_agents().nth(MISSING_MAX).is_some(),
    }
}

/// Names the agents that were expected and did not come in time, if there are any.
pub(super) fn missing_banner(fleet: &Fleet, anchor: WallClockAnchor) -> Option<String> {
    let mut missing = fleet.expected_agents().filter(|it| it.incident.is_some());
    let first = missing.next()?;
    let (name, since) = (first.agent, timestamp_s(anchor.wall_ms(first.since)));
    let who = match missing.count() {
        0 => format!("{name} was expected and has"),
        more => format!("{name} and {more} more agents were expected and have"),
    };
    Some(format!(
        "{who} never sent a beat; the collector has been waiting since {since}: `heartline roster` lists \
         who is expected"
    ))
}
