//! What people would be told, by three ways of telling, and what it speaks of.

use std::collections::{BTreeMap, BTreeSet};

use heartline_fleet::{IncidentFacts, OutgoingNotice, StateSet, Transition};
use heartline_vocabulary::{AgentStatus, IncidentId, NoticeKind, Reason, State};

use super::alertmanager::AlertmanagerModel;
use super::collector::ms_of;
use super::site::{AGENTS, DAY_MS, HOUR_MS, MINUTE_MS, agent_name, agent_number};
use super::truth::{Attention, FaultId, Truth};

pub(super) const CHAT: &str = "chat";
pub(super) const PAGER: &str = "pager";

/// A way of telling people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Teller {
    Heartline,
    /// Alertmanager with its defaults, told of the same judgements.
    Alertmanager,
    /// A message for each transition into trouble and out of it.
    EachTransition,
}

pub(super) const TELLERS: [Teller; 3] =
    [Teller::Heartline, Teller::Alertmanager, Teller::EachTransition];

/// A message that a person got.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) at_ms: u64,
    /// What it speaks of; nothing: it is false.
    faults: BTreeSet<FaultId>,
    pub(super) reason: Option<Reason>,
    pub(super) is_reminder: bool,
}

/// What one teller sent to the two sinks.
#[derive(Default)]
pub(super) struct Told {
    pub(super) chat: Vec<Message>,
    pub(super) pager: Vec<Message>,
    /// When the chat first heard of each fault.
    pub(super) first_word_ms: BTreeMap<FaultId, u64>,
}

/// How often agents were judged to be in one status, and why they really were.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AlarmCount {
    pub(super) of_faults: u64,
    pub(super) of_disturbances: u64,
    pub(super) of_nothing: u64,
}

/// Watches transitions and notices.
pub(super) struct Watch {
    pub(super) truth: Truth,
    pub(super) told: [Told; 3],
    pub(super) alarms: BTreeMap<Reason, AlarmCount>,
    pub(super) transitions: u64,
    pub(super) commands_refused: u64,
    /// Prints notices, and judgements, other than late, that no fault explains.
    traces: bool,
    incidents: BTreeMap<IncidentId, BTreeSet<FaultId>>,
    sinks: [JudgedSink; 2],
}

/// One sink of the tellers that go by judgements alone.
struct JudgedSink {
    states: StateSet,
    /// By agent.
    in_trouble: Vec<Option<ShownTrouble>>,
    alertmanager: AlertmanagerModel,
}

#[derive(Clone, Copy, PartialEq)]
struct ShownTrouble {
    reason: Option<Reason>,
    fault: Option<FaultId>,
}

/// Returns what is told to the pager.
pub(super) fn needs_page() -> StateSet {
    let reasons = vec![Reason::Stalled, Reason::Failing];
    StateSet { states: vec![State::Unreachable], reasons, budgets: false }
}

/// Returns what is told to the chat, by all of its routes.
fn needs_chat() -> StateSet {
    let mut states = StateSet::default();
    states.reasons.extend([Reason::Slow, Reason::Fast]);
    states
}

impl Message {
    /// Returns whether it speaks of nothing that somebody may want to be told.
    pub(super) fn is_false(&self, truth: &Truth) -> bool {
        !self.faults.iter().any(|&it| truth.faults[it].attention() >= Attention::Optional)
    }
}

impl Watch {
    pub(super) fn new(traces: bool) -> Self {
        let sink = |states| JudgedSink {
            states,
            in_trouble: vec![None; AGENTS],
            alertmanager: AlertmanagerModel::default(),
        };
        Self {
            truth: Truth::new(),
            told: Default::default(),
            alarms: BTreeMap::new(),
            transitions: 0,
            commands_refused: 0,
            traces,
            incidents: BTreeMap::new(),
            sinks: [sink(needs_chat()), sink(needs_page())],
        }
    }

    /// Takes in a transition of an agent.
    pub(super) fn on_transition(&mut self, agent: usize, row: &Transition, now_ms: u64) {
        self.transitions += 1;
        let fault = self.truth.explain(agent, row.to, ms_of(row.at));
        if let Some(reason) = row.to.reason.filter(|_| is_trouble(row.to)) {
            let count = self.alarms.entry(reason).or_default();
            let attention = fault.map(|it| self.truth.faults[it].attention());
            match attention {
                Some(Attention::Needed | Attention::Optional) => count.of_faults += 1,
                Some(Attention::Unwanted) => count.of_disturbances += 1,
                None => count.of_nothing += 1,
            }
            let is_real = attention.is_some_and(|it| it >= Attention::Optional);
            if self.traces && !is_real && reason != Reason::Late {
                let kind = fault.map(|it| self.truth.faults[it].kind);
                println!(
                    "{} {}: {reason:?}, {:?}, really {kind:?}",
                    days(now_ms),
                    agent_name(agent),
                    row.cause
                );
            }
        }
        for sink in 0..self.sinks.len() {
            self.advance_alertmanager(sink, now_ms);
            let judged = &mut self.sinks[sink];
            let is_told = judged.states.contains(row.to);
            let is = is_told.then_some(ShownTrouble { reason: row.to.reason, fault });
            let was = std::mem::replace(&mut judged.in_trouble[agent], is);
            if was.map(|it| it.reason) == is.map(|it| it.reason) {
                continue;
            }
            if let Some(ShownTrouble { reason, .. }) = was {
                judged.alertmanager.resolve(agent, reason);
            }
            if let Some(ShownTrouble { reason, fault }) = is {
                judged.alertmanager.fire(agent, reason, fault, now_ms);
            }
            if let Some(ShownTrouble { reason, fault }) = is.or(was) {
                let faults = fault.into_iter().collect();
                let message = Message { at_ms: now_ms, faults, reason, is_reminder: false };
                self.tell(Teller::EachTransition, sink, message);
            }
        }
    }

    /// Takes in a notice of the core.
    pub(super) fn on_notice(&mut self, notice: &OutgoingNotice, now_ms: u64) {
        let mut faults = BTreeSet::new();
        for facts in std::iter::once(&notice.incident).chain(&notice.listed) {
            faults.extend(self.link(facts));
        }
        let first = notice.incident.members.first();
        let reason = first.and_then(|member| member.status.reason);
        let is_reminder = notice.kind == NoticeKind::Reminder;
        if self.traces {
            let incident = &notice.incident.incident;
            println!(
                "{} {} {:?} {:?} {}: {} in trouble, {reason:?}, to {:?}, really {faults:?}",
                days(now_ms),
                notice.id,
                notice.kind,
                incident.scope.kind,
                incident.scope.name,
                incident.in_trouble,
                notice.sinks
            );
        }
        for sink in &notice.sinks {
            let faults = faults.clone();
            let message = Message { at_ms: now_ms, faults, reason, is_reminder };
            self.tell(Teller::Heartline, usize::from(**sink == *PAGER), message);
        }
    }

    /// Returns what an incident speaks of, by its members now and before.
    fn link(&mut self, facts: &IncidentFacts) -> BTreeSet<FaultId> {
        let known = self.incidents.entry(facts.incident.id).or_default();
        for member in &facts.members {
            let agent = agent_number(&member.agent);
            known.extend(self.truth.explain(agent, member.status, ms_of(member.since)));
        }
        known.clone()
    }

    /// Has Alertmanager send what is due.
    pub(super) fn advance(&mut self, now_ms: u64) {
        (0..self.sinks.len()).for_each(|sink| self.advance_alertmanager(sink, now_ms));
    }

    fn advance_alertmanager(&mut self, sink: usize, now_ms: u64) {
        for sent in self.sinks[sink].alertmanager.take_sent(now_ms) {
            let super::alertmanager::GroupMessage { at_ms, reason, faults, is_reminder } = sent;
            let message = Message { at_ms, faults, reason, is_reminder };
            self.tell(Teller::Alertmanager, sink, message);
        }
    }

    fn tell(&mut self, teller: Teller, sink: usize, message: Message) {
        let told = &mut self.told[teller as usize];
        if sink > 0 {
            told.pager.push(message);
            return;
        }
        for &fault in &message.faults {
            told.first_word_ms.entry(fault).or_insert(message.at_ms);
        }
        told.chat.push(message);
    }
}

fn is_trouble(status: AgentStatus) -> bool {
    status.state.is_trouble()
}

/// Returns a time in the year, to be read.
fn days(at_ms: u64) -> String {
    let (day, hour, minute) = (at_ms / DAY_MS, at_ms / HOUR_MS % 24, at_ms / MINUTE_MS % 60);
    format!("day {day} {hour:02}:{minute:02}")
}
