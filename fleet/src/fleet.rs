//! The fleet: one owner of all agents.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::attended::ObservationClock;
use crate::command::PendingCommand;
use crate::deferred::DelayedAcks;
use crate::forgotten::Forgotten;
use crate::gap::{GapDetector, HEARTBEAT};
use crate::identity::IdentityInterner;
use crate::input::Input;
use crate::judge::{Verdict, cause_of, judge, stalled_for};
use crate::output::{HistoryDbRow, Output, WriteTicket};
use crate::roster::{AgentIndex, AgentTable};
use crate::rules::{HealthRules, ThresholdTable};
use crate::state::TransitionCause;
use crate::time::MonoTime;
use crate::view::AgentView;
use crate::work::UnconfirmedWorkQueue;
use heartline_vocabulary::{AgentRowId, StateCounts};
use heartline_vocabulary::{AgentStatus, Reason};

/// What a fleet is made with.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// The limits by which agents are judged.
    pub rules: HealthRules,
    /// Seed of the name table's hash; random, so that nobody can choose names that collide.
    pub hash_seed: [u64; 4],
    /// Most agents; beats of further ones are counted and dropped.
    pub agents_max: usize,
}

impl Default for FleetConfig {
    fn default() -> Self {
        Self { rules: HealthRules::default(), hash_seed: [1, 2, 3, 4], agents_max: 4_000_000 }
    }
}

/// What became of the messages since the start: each is in exactly one of the first four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounters {
    /// Proven fresh.
    pub live: u64,
    /// Right tag, not proven fresh.
    pub unconfirmed: u64,
    /// Seen before.
    pub replayed: u64,
    /// From new agents, or more starts of one agent than can be told apart, while there is no room.
    pub over_limit: u64,
    /// Answers not given because one agent asked too often.
    pub answers_withheld: u64,
    /// Segments not taken, to be sent again, because the store lags.
    pub work_shed: u64,
    /// Stretches of time that were not observed.
    pub gaps: u32,
}

/// All agents, and every judgement about them. See the crate's documentation for its four verbs.
pub struct Fleet {
    pub(crate) roster: AgentTable,
    pub(crate) limits: ThresholdTable,
    pub(crate) identities: IdentityInterner,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) summary: StateCounts,
    pub(crate) counters: MessageCounters,
    pub(crate) pipeline: UnconfirmedWorkQueue,
    pub(crate) deferred: DelayedAcks,
    pub(crate) pushing: BTreeSet<(MonoTime, AgentIndex)>,
    pub(crate) commands: BTreeMap<WriteTicket, PendingCommand>,
    pub(crate) forgotten: Forgotten,
    pub(crate) last_command: WriteTicket,
    pub(crate) next_id: i64,
    pub(crate) watch: GapDetector,
    pub(crate) absences: ObservationClock,
    pub(crate) last_gap: Option<MonoTime>,
    changed: Vec<AgentIndex>,
    due: Vec<AgentIndex>,
    last_sweep: MonoTime,
    /// Up to here all that was sent to us was heard, or is accounted for.
    pub(crate) observed_to: MonoTime,
}

/// Sweeps are at least this far apart, so that deadlines that pass one by one share one.
const SWEEP_EVERY: Duration = Duration::from_millis(20);

impl Fleet {
    /// A fleet without agents. Restore those that are known, then [`Input::Begin`].
    #[must_use]
    pub fn new(config: FleetConfig, now: MonoTime) -> Self {
        Self {
            roster: AgentTable::new(config.hash_seed, config.agents_max),
            limits: ThresholdTable::new(config.rules),
            identities: IdentityInterner::default(),
            outputs: VecDeque::new(),
            summary: StateCounts::default(),
            counters: MessageCounters::default(),
            pipeline: UnconfirmedWorkQueue::default(),
            deferred: DelayedAcks::default(),
            pushing: BTreeSet::new(),
            commands: BTreeMap::new(),
            forgotten: Forgotten::default(),
            last_command: WriteTicket(0),
            next_id: 1,
            watch: GapDetector::idle(),
            absences: ObservationClock::default(),
            last_gap: None,
            changed: Vec::new(),
            due: Vec::new(),
            last_sweep: now,
            observed_to: now,
        }
    }

    /// Takes one input. `now` never goes back.
    pub fn handle(&mut self, input: Input<'_>, now: MonoTime) {
        if let Some(gap) = self.watch.look(now) {
            self.not_observed(gap);
        }
        match input {
            Input::Message(message) => self.on_message(message, now),
            Input::Tick => self.on_tick(now),
            Input::Stored { ticket, known } => self.on_stored(ticket, &known, now),
            Input::Command(request) => self.on_command(request, now),
            Input::Persisted { ticket } => self.on_persisted(ticket, now),
            Input::Abandoned { ticket } => drop(self.commands.remove(&ticket)),
            Input::KernelDrops { count } => self.on_kernel_drops(count, now),
            Input::Forget { agents, by } => self.on_forget(&agents, &by, now),
            Input::Rules(rules) => self.on_rules(rules, now),
            Input::Restore(agent) => self.on_restore(*agent, now),
            Input::Begin { last_alive, next_id } => self.on_begin(last_alive, next_id, now),
            Input::End => self.on_end(now),
        }
    }

    /// The next thing to be done; `None`: nothing is left of the inputs so far.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle`] again at the latest, with [`Input::Tick`].
    #[must_use]
    pub fn poll_timeout(&self) -> MonoTime {
        let due = self.absences.mono(self.roster.earliest());
        let sweep = due.max(self.last_sweep + SWEEP_EVERY);
        let push = self.pushing.first().map_or(MonoTime::NEVER, |&(at, _)| at);
        sweep.min(push).min(self.deferred.next()).min(self.watch.last() + HEARTBEAT)
    }

    /// Where an agent stands.
    #[must_use]
    pub fn find(&self, agent: &str) -> Option<AgentIndex> {
        self.roster.find(agent)
    }

    /// Finds many agents, into `found` in the order of their names. Faster than to find one by one
    /// when there are many, and messages of all of them are handled next.
    pub fn find_all(&self, agents: &[&str], found: &mut Vec<Option<AgentIndex>>) {
        self.roster.find_all(agents, found);
    }

    /// One agent, to look at.
    #[must_use]
    pub fn view(&self, index: AgentIndex) -> Option<AgentView<'_>> {
        self.roster.get(index).map(|agent| AgentView::new(index, agent))
    }

    /// How many places there are: every [`AgentIndex`] is below it.
    #[must_use]
    pub fn places(&self) -> u32 {
        self.roster.places()
    }

    /// All agents, to look at.
    pub fn views(&self) -> impl Iterator<Item = AgentView<'_>> {
        self.roster.indices().filter_map(|index| self.view(index))
    }

    /// How many agents are in each state.
    #[must_use]
    pub fn summary(&self) -> &StateCounts {
        &self.summary
    }

    /// What became of the messages.
    #[must_use]
    pub fn counters(&self) -> &MessageCounters {
        &self.counters
    }

    /// Rows of work that are not on disk yet.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.pipeline.len()
    }

    /// When the newest stretch of time that was not observed ended.
    #[must_use]
    pub fn last_gap(&self) -> Option<MonoTime> {
        self.last_gap
    }

    /// Moves out the agents that have changed since the last call, each once.
    pub fn drain_changed(&mut self, into: &mut Vec<AgentIndex>) {
        into.append(&mut self.changed);
        for &index in &*into {
            if let Some(agent) = self.roster.get_mut(index) {
                agent.changed = false;
            }
        }
    }

    pub(crate) fn note_changed(&mut self, index: AgentIndex) {
        if let Some(agent) = self.roster.get_mut(index)
            && !std::mem::replace(&mut agent.changed, true)
        {
            self.changed.push(index);
        }
    }

    /// Gives out a durable id.
    pub(crate) fn take_id(&mut self) -> AgentRowId {
        let id = AgentRowId(self.next_id);
        self.next_id += 1;
        id
    }

    /// Judges one agent as of `at` and acts on the verdict. `told` is what just happened to it.
    pub(crate) fn rejudge(
        &mut self,
        index: AgentIndex,
        at: MonoTime,
        told: Option<TransitionCause>,
    ) {
        let Some(agent) = self.roster.get(index) else { return };
        let Verdict { standing, next } =
            judge(agent, self.limits.get(agent.limits), self.absences.attended(at));
        if standing != agent.standing {
            self.enter(index, standing, at, told);
        }
        self.roster.set_deadline(index, next);
    }

    fn enter(
        &mut self,
        index: AgentIndex,
        to: AgentStatus,
        at: MonoTime,
        told: Option<TransitionCause>,
    ) {
        let Some(agent) = self.roster.get_mut(index) else { return };
        let limits = self.limits.get(agent.limits);
        let from = std::mem::replace(&mut agent.standing, to);
        self.summary.remove(from.state);
        self.summary.add(to.state);
        let restored = agent.restored.take().map(|restored| *restored);
        if let Some((before, since)) = restored
            && before == to
        {
            // As it was when the last collector ended: nothing has happened to the agent.
            agent.since = since;
        } else {
            // Nothing hid the stall from the moment at which its limit passed.
            let was_plain = from == AgentStatus::HEALTHY || from.reason == Some(Reason::Conflict);
            let at = if to.reason == Some(Reason::Stalled) && was_plain {
                agent.last_live - stalled_for(agent, limits).unwrap_or_default()
            } else {
                at
            };
            let at = at.max(agent.since);
            let lasted = at.since(std::mem::replace(&mut agent.since, at));
            // A new start explains why all is well, and nothing else.
            let told = told
                .filter(|told| *told != TransitionCause::NewSession || to == AgentStatus::HEALTHY);
            let cause =
                told.unwrap_or_else(|| cause_of(agent, limits, to, self.absences.attended(at)));
            let lasted = (restored.is_none() && agent.first_seen != at).then_some(lasted);
            let id = agent.id;
            self.outputs.push_back(Output::Record(HistoryDbRow::Transition {
                id,
                at,
                from,
                to,
                lasted,
                cause,
            }));
        }
        self.note_changed(index);
    }

    fn on_tick(&mut self, now: MonoTime) {
        self.observed_to = now;
        if let Some(gap) = self.watch.close(now, false) {
            self.record_gap(gap);
        }
        let is_due = self.absences.mono(self.roster.earliest()) <= now;
        if is_due && now >= self.last_sweep + SWEEP_EVERY {
            self.sweep(now);
        }
        self.push_due(now);
        self.answer_due(now);
    }

    /// Judges everybody whose deadline has passed, each as of that deadline.
    pub(crate) fn sweep(&mut self, now: MonoTime) {
        self.last_sweep = now;
        let mut due = std::mem::take(&mut self.due);
        self.roster.sweep(self.absences.attended(now), &mut due);
        due.sort_by_key(|&index| self.roster.deadline(index));
        for index in due.drain(..) {
            self.catch_up(index, now);
        }
        self.due = due;
    }

    /// Judges one agent as of each of its deadlines that has passed: late and unreachable may both
    /// have, and each becomes a transition of its own.
    pub(crate) fn catch_up(&mut self, index: AgentIndex, now: MonoTime) {
        let until = self.absences.attended(now);
        while self.roster.deadline(index) <= until {
            self.rejudge(index, self.absences.mono(self.roster.deadline(index)), None);
        }
    }

    fn on_rules(&mut self, rules: HealthRules, now: MonoTime) {
        self.sweep(now);
        self.limits = ThresholdTable::new(rules);
        let all: Vec<AgentIndex> = self.roster.indices().collect();
        for index in all {
            if let Some(agent) = self.roster.get_mut(index) {
                agent.limits = self.limits.number_of(&agent.name);
            }
            self.rejudge(index, now, Some(TransitionCause::Rules));
        }
    }

    fn on_end(&mut self, now: MonoTime) {
        if let Some(gap) = self.watch.close(now, true) {
            self.record_gap(gap);
        }
        let last_beats = self.roster.indices().filter_map(|index| {
            let agent = self.roster.get(index)?;
            let at = agent.last_live.known()?;
            let (id, session) = (agent.id, agent.session.id);
            Some(Output::Record(HistoryDbRow::LastBeat { id, session, at }))
        });
        self.outputs.extend(last_beats);
    }
}
