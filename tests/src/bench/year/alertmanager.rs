//! A model of Alertmanager with its defaults: what it would send for the same judgements.
//!
//! 1. Each agent in trouble is an alert, with the reason as `alertname`; it fires and resolves with the judgement, as
//!    by a rule of Prometheus without `for`, evaluated all the time.
//! 2. Alerts are grouped by `alertname` and the group of their agents. A group that was empty waits 30 s
//!    (`group_wait`), and is then looked at every 5 minutes (`group_interval`) until nothing of it fires.
//! 3. A look sends one message when an alert fires that the last message did not have, when one of the last message
//!    is resolved (`send_resolved`), or when something fires and the last message is 4 hours old (`repeat_interval`).
//! 4. What fires and is resolved between two looks is never told, and what is resolved and fires again isn't, either.

use std::collections::{BTreeMap, BTreeSet};

use heartline_vocabulary::Reason;

use super::site::{HOUR_MS, MINUTE_MS, SECOND_MS, group_of};
use super::truth::FaultId;

const GROUP_WAIT_MS: u64 = 30 * SECOND_MS;
const GROUP_INTERVAL_MS: u64 = 5 * MINUTE_MS;
const REPEAT_INTERVAL_MS: u64 = 4 * HOUR_MS;

/// Alertmanager with one receiver.
#[derive(Default)]
pub(super) struct AlertmanagerModel {
    groups: BTreeMap<(Option<Reason>, usize), AlertGroup>,
}

/// What Alertmanager sends.
pub(super) struct GroupMessage {
    pub(super) at_ms: u64,
    pub(super) reason: Option<Reason>,
    /// What its alerts speak of.
    pub(super) faults: BTreeSet<FaultId>,
    pub(super) is_reminder: bool,
}

#[derive(Default)]
struct AlertGroup {
    /// By agent.
    alerts: BTreeMap<usize, Alert>,
    next_look_ms: Option<u64>,
    /// Agents that the last message had as firing, and as resolved.
    told_firing: BTreeSet<usize>,
    told_resolved: BTreeSet<usize>,
    told_ms: u64,
}

struct Alert {
    is_firing: bool,
    fault: Option<FaultId>,
}

impl AlertmanagerModel {
    pub(super) fn fire(
        &mut self,
        agent: usize,
        reason: Option<Reason>,
        fault: Option<FaultId>,
        now_ms: u64,
    ) {
        let group = self.groups.entry((reason, group_of(agent))).or_default();
        group.alerts.insert(agent, Alert { is_firing: true, fault });
        group.next_look_ms.get_or_insert(now_ms + GROUP_WAIT_MS);
    }

    pub(super) fn resolve(&mut self, agent: usize, reason: Option<Reason>) {
        let group = self.groups.get_mut(&(reason, group_of(agent)));
        if let Some(alert) = group.and_then(|group| group.alerts.get_mut(&agent)) {
            alert.is_firing = false;
        }
    }

    /// Returns what was sent until now.
    pub(super) fn take_sent(&mut self, now_ms: u64) -> Vec<GroupMessage> {
        let mut sent = Vec::new();
        for (&(reason, _), group) in &mut self.groups {
            while let Some(at_ms) = group.next_look_ms.filter(|&at| at <= now_ms) {
                sent.extend(group.look(reason, at_ms));
            }
        }
        sent
    }
}

impl AlertGroup {
    fn look(&mut self, reason: Option<Reason>, at_ms: u64) -> Option<GroupMessage> {
        let of = |is_firing| {
            let alerts = self.alerts.iter().filter(move |(_, it)| it.is_firing == is_firing);
            alerts.map(|(&agent, _)| agent).collect::<BTreeSet<usize>>()
        };
        let (firing, resolved) = (of(true), of(false));
        let has_new = !firing.is_subset(&self.told_firing);
        let has_ended = match firing.is_empty() {
            true => !self.told_firing.is_empty(),
            false => !resolved.is_subset(&self.told_resolved),
        };
        let is_old = !firing.is_empty() && at_ms >= self.told_ms + REPEAT_INTERVAL_MS;
        let message = (has_new || has_ended || is_old).then(|| GroupMessage {
            at_ms,
            reason,
            faults: self.alerts.values().filter_map(|alert| alert.fault).collect(),
            is_reminder: !has_new && !has_ended,
        });
        self.alerts.retain(|_, alert| alert.is_firing);
        if message.is_some() {
            (self.told_firing, self.told_resolved, self.told_ms) = (firing, resolved, at_ms);
        }
        self.next_look_ms = (!self.alerts.is_empty()).then_some(at_ms + GROUP_INTERVAL_MS);
        message
    }
}
