//! Context of the handlers: one agent, looked up once for each input, its deadline, and the state
//! that all agents share.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use heartline_protocol::ControlId;
use heartline_vocabulary::{AgentStatus, DatagramCounters, Reason, StateCounts};

use crate::ack::DelayedAcks;
use crate::agent::Agent;
use crate::agent_table::{AgentIndex, Deadline};
use crate::alert::{AlertEvent, Population};
use crate::cause::TransitionCause;
use crate::gap::ObservationClock;
use crate::identity::IdentityInterner;
use crate::judge::{Verdict, cause_of, judge, long_pause, stalled_for};
use crate::output::{CommandRow, ControlDbRow, HistoryDbRow, Output, Transition};
use crate::spending::SpendingTable;
use crate::thresholds::{AgentThresholds, ThresholdTable};
use crate::time::MonoTime;
use crate::work::UncommittedWorkQueue;

/// The part of a fleet that the handlers of every agent share.
pub(crate) struct HandlerContext {
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) counters: DatagramCounters,
    /// Segments that were not taken because the store lags.
    pub(crate) work_shed: u64,
    /// Reports of generations too far above the durable one to be believed.
    pub(crate) implausible_reports: u64,
    pub(crate) state_counts: StateCounts,
    /// The series of this collector's commands.
    pub(crate) control: ControlId,
    pub(crate) thresholds: ThresholdTable,
    pub(crate) interner: IdentityInterner,
    pub(crate) clock: ObservationClock,
    pub(crate) uncommitted_work: UncommittedWorkQueue,
    pub(crate) spending: SpendingTable,
    pub(crate) delayed_acks: DelayedAcks,
    /// The time at which the next push to each agent is due.
    pub(crate) pushes_due: BTreeSet<(MonoTime, AgentIndex)>,
    /// Commands that follow from what agents reported, to be issued.
    pub(crate) adopted: Vec<CommandRow>,
    /// Agents that changed since somebody asked.
    pub(crate) changed: Vec<AgentIndex>,
    /// Agents that were flagged as flooding; it may have ended since.
    pub(crate) flooding: BTreeSet<AgentIndex>,
    /// Time until which no agent is flagged.
    pub(crate) flooding_excused_until: MonoTime,
    pub(crate) population: Population,
    /// What happened to agents in this input, for alerts.
    pub(crate) alert_events: Vec<AlertEvent>,
}

impl HandlerContext {
    pub(crate) fn new(control: ControlId, thresholds: ThresholdTable) -> Self {
        Self {
            outputs: VecDeque::new(),
            counters: DatagramCounters::default(),
            work_shed: 0,
            implausible_reports: 0,
            state_counts: StateCounts::default(),
            control,
            thresholds,
            interner: IdentityInterner::default(),
            clock: ObservationClock::default(),
            uncommitted_work: UncommittedWorkQueue::default(),
            spending: SpendingTable::default(),
            delayed_acks: DelayedAcks::default(),
            pushes_due: BTreeSet::new(),
            adopted: Vec::new(),
            changed: Vec::new(),
            flooding: BTreeSet::new(),
            flooding_excused_until: MonoTime::NEVER_YET,
            population: Population::default(),
            alert_events: Vec::new(),
        }
    }

    /// Emits a row for `history.db`.
    pub(crate) fn record(&mut self, row: HistoryDbRow) {
        self.outputs.push_back(Output::WriteHistory(row));
    }

    /// Emits a row for `control.db`.
    pub(crate) fn persist(&mut self, row: ControlDbRow) {
        self.outputs.push_back(Output::WriteControl(row));
    }
}

/// One agent with its deadline and the shared context.
pub(crate) struct AgentMut<'a> {
    pub(crate) index: AgentIndex,
    pub(crate) agent: &'a mut Agent,
    pub(crate) deadline: Deadline<'a>,
    pub(crate) context: &'a mut HandlerContext,
}

impl AgentMut<'_> {
    pub(crate) fn thresholds(&self) -> &AgentThresholds {
        self.context.thresholds.get(self.agent.thresholds)
    }

    /// Lists the agent among those that changed.
    pub(crate) fn mark_changed(&mut self) {
        if !std::mem::replace(&mut self.agent.changed, true) {
            self.context.changed.push(self.index);
        }
    }

    /// Judges the agent as of `at` and acts on the verdict. `trigger` is what just happened to it.
    pub(crate) fn rejudge(&mut self, at: MonoTime, trigger: Option<TransitionCause>) {
        let observed = self.context.clock.observed(at);
        let verdict = judge(self.agent, self.thresholds(), observed);
        let (Verdict { status, next }, calm) = self.damp(verdict, at);
        if status != self.agent.status {
            // Many causes made it flap, and the one that comes last is none of its own.
            let trigger = trigger.filter(|_| status.reason != Some(Reason::Flapping));
            let trigger = calm.or(trigger);
            self.enter(status, at, trigger);
        }
        self.deadline.set(next);
    }

    /// Judges the agent as of each of its deadlines that has passed: late and unreachable may both
    /// have, and each becomes a transition of its own.
    pub(crate) fn catch_up(&mut self, now: MonoTime) {
        let until = self.context.clock.observed(now);
        while self.deadline.get() <= until {
            self.rejudge(self.context.clock.mono(self.deadline.get()), None);
        }
    }

    fn enter(&mut self, to: AgentStatus, at: MonoTime, trigger: Option<TransitionCause>) {
        let from = std::mem::replace(&mut self.agent.status, to);
        self.context.state_counts.remove(from);
        self.context.state_counts.add(to);
        self.context.population.take_status(self.agent.identity.as_ref(), from, to);
        let restored = self.agent.restored.take().map(|restored| *restored);
        match restored {
            // As it was when the last collector ended: nothing has happened to the agent.
            Some((before, since)) if before == to => self.agent.since = since,
            _ => self.record_transition(from, at, trigger, restored),
        }
        self.mark_changed();
    }

    /// Records that the agent left `from`; `restored`: for the first time since the collector started.
    pub(crate) fn record_transition(
        &mut self,
        from: AgentStatus,
        at: MonoTime,
        trigger: Option<TransitionCause>,
        restored: Option<(AgentStatus, MonoTime)>,
    ) {
        let (observed, to) = (self.context.clock.observed(at), self.agent.status);
        let thresholds = self.context.thresholds.get(self.agent.thresholds);
        let agent = &mut *self.agent;
        // No other state hid the stall from the moment at which its limit passed.
        let was_plain = from == AgentStatus::HEALTHY
            || matches!(
                from.reason,
                Some(
                    Reason::Conflict
                        | Reason::Flooding
                        | Reason::Failing
                        | Reason::Idle
                        | Reason::Slow
                        | Reason::Fast
                )
            );
        let at = match to.reason {
            Some(Reason::Stalled) if was_plain => {
                agent.last_live - stalled_for(agent, thresholds).unwrap_or_default()
            }
            Some(Reason::Idle) if from == AgentStatus::HEALTHY => {
                let pause = long_pause(agent, thresholds);
                agent.last_live - pause.map_or(Duration::ZERO, |it| it.lasted - it.limit)
            }
            _ => at,
        };
        let at = at.max(agent.since);
        let lasted: Duration = at.since(std::mem::replace(&mut agent.since, at));
        // A new start explains why all is well, and nothing else.
        let trigger =
            trigger.filter(|it| *it != TransitionCause::NewSession || to == AgentStatus::HEALTHY);
        let cause = trigger.unwrap_or_else(|| cause_of(agent, thresholds, to, observed));
        // Unknown since the collector started, or since the agent was first seen, is no duration.
        let lasted = (restored.is_none() && agent.first_seen != at).then_some(lasted);
        let id = agent.id;
        if !agent.is_stored {
            // History does not know it, and made-up ids must not fill it.
            return;
        }
        let in_trouble = to.state.is_trouble();
        let step = agent.step.as_ref().filter(|_| in_trouble).cloned();
        let transition = Transition { id, at, from, to, lasted, cause, step };
        let index = self.index;
        self.context.alert_events.push(AlertEvent::Transition { index, from, to, at });
        self.context.outputs.push_back(Output::Transition(transition));
    }
}
