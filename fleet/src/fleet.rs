//! The fleet: one owner of all agents.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::attended::Absences;
use crate::command::Pending;
use crate::deferred::Deferred;
use crate::forgotten::Forgotten;
use crate::gap::{HEARTBEAT, Watch};
use crate::identity::Identities;
use crate::input::Input;
use crate::judge::{Verdict, cause_of, judge, stalled_for};
use crate::output::{HistoryRow, Output, Ticket};
use crate::roster::{AgentId, AgentIndex, Roster};
use crate::rules::{LimitTable, Rules};
use crate::state::{Cause, Reason, Standing, State};
use crate::time::Mono;
use crate::view::AgentView;
use crate::work::Pipeline;

/// What a fleet is made with.
#[derive(Clone, Debug)]
pub struct FleetConfig {
    /// The limits by which agents are judged.
    pub rules: Rules,
    /// Seed of the name table's hash; random, so that nobody can choose names that collide.
    pub hash_seed: [u64; 4],
    /// Most agents; beats of further ones are counted and dropped.
    pub agents_max: usize,
}

impl Default for FleetConfig {
    fn default() -> Self {
        Self { rules: Rules::default(), hash_seed: [1, 2, 3, 4], agents_max: 4_000_000 }
    }
}

/// What became of the messages since the start: each is in exactly one of the first four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
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

/// How many agents are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary([u32; 5]);

impl Summary {
    /// The number of agents in a state.
    #[must_use]
    pub fn of(&self, state: State) -> u32 {
        self.0[state as usize]
    }

    /// The number of all agents.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    pub(crate) fn enter(&mut self, state: State) {
        self.0[state as usize] += 1;
    }

    pub(crate) fn leave(&mut self, state: State) {
        self.0[state as usize] -= 1;
    }
}

/// All agents, and every judgement about them. See the crate's documentation for its four verbs.
pub struct Fleet {
    pub(crate) roster: Roster,
    pub(crate) limits: LimitTable,
    pub(crate) identities: Identities,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) summary: Summary,
    pub(crate) counters: Counters,
    pub(crate) pipeline: Pipeline,
    pub(crate) deferred: Deferred,
    pub(crate) pushing: BTreeSet<(Mono, AgentIndex)>,
    pub(crate) commands: BTreeMap<Ticket, Pending>,
    pub(crate) forgotten: Forgotten,
    pub(crate) last_command: Ticket,
    pub(crate) next_id: i64,
    pub(crate) watch: Watch,
    pub(crate) absences: Absences,
    pub(crate) last_gap: Option<Mono>,
    changed: Vec<AgentIndex>,
    due: Vec<AgentIndex>,
    last_sweep: Mono,
    /// Up to here all that was sent to us was heard, or is accounted for.
    pub(crate) observed_to: Mono,
}

/// Sweeps are at least this far apart, so that deadlines that pass one by one share one.
const SWEEP_EVERY: Duration = Duration::from_millis(20);

impl Fleet {
    /// A fleet without agents. Restore those that are known, then [`Input::Begin`].
    #[must_use]
    pub fn new(config: FleetConfig, now: Mono) -> Self {
        Self {
            roster: Roster::new(config.hash_seed, config.agents_max),
            limits: LimitTable::new(config.rules),
            identities: Identities::default(),
            outputs: VecDeque::new(),
            summary: Summary::default(),
            counters: Counters::default(),
            pipeline: Pipeline::default(),
            deferred: Deferred::default(),
            pushing: BTreeSet::new(),
            commands: BTreeMap::new(),
            forgotten: Forgotten::default(),
            last_command: Ticket(0),
            next_id: 1,
            watch: Watch::idle(),
            absences: Absences::default(),
            last_gap: None,
            changed: Vec::new(),
            due: Vec::new(),
            last_sweep: now,
            observed_to: now,
        }
    }

    /// Takes one input. `now` never goes back.
    pub fn handle(&mut self, input: Input<'_>, now: Mono) {
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
    pub fn poll_timeout(&self) -> Mono {
        let due = self.absences.mono(self.roster.earliest());
        let sweep = due.max(self.last_sweep + SWEEP_EVERY);
        let push = self.pushing.first().map_or(Mono::NEVER, |&(at, _)| at);
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
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// What became of the messages.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Rows of work that are not on disk yet.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.pipeline.len()
    }

    /// When the newest stretch of time that was not observed ended.
    #[must_use]
    pub fn last_gap(&self) -> Option<Mono> {
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
    pub(crate) fn take_id(&mut self) -> AgentId {
        let id = AgentId(self.next_id);
        self.next_id += 1;
        id
    }

    /// Judges one agent as of `at` and acts on the verdict. `told` is what just happened to it.
    pub(crate) fn rejudge(&mut self, index: AgentIndex, at: Mono, told: Option<Cause>) {
        let Some(agent) = self.roster.get(index) else { return };
        let Verdict { standing, next } =
            judge(agent, self.limits.get(agent.limits), self.absences.attended(at));
        if standing != agent.standing {
            self.enter(index, standing, at, told);
        }
        self.roster.set_deadline(index, next);
    }

    fn enter(&mut self, index: AgentIndex, to: Standing, at: Mono, told: Option<Cause>) {
        let Some(agent) = self.roster.get_mut(index) else { return };
        let limits = self.limits.get(agent.limits);
        let from = std::mem::replace(&mut agent.standing, to);
        self.summary.leave(from.state);
        self.summary.enter(to.state);
        let restored = agent.restored.take().map(|restored| *restored);
        if let Some((before, since)) = restored
            && before == to
        {
            // As it was when the last collector ended: nothing has happened to the agent.
            agent.since = since;
        } else {
            // Nothing hid the stall from the moment at which its limit passed.
            let was_plain = from == Standing::HEALTHY || from.reason == Some(Reason::Conflict);
            let at = if to.reason == Some(Reason::Stalled) && was_plain {
                agent.last_live - stalled_for(agent, limits).unwrap_or_default()
            } else {
                at
            };
            let at = at.max(agent.since);
            let lasted = at.since(std::mem::replace(&mut agent.since, at));
            // A new start explains why all is well, and nothing else.
            let told = told.filter(|told| *told != Cause::NewSession || to == Standing::HEALTHY);
            let cause =
                told.unwrap_or_else(|| cause_of(agent, limits, to, self.absences.attended(at)));
            let lasted = (restored.is_none() && agent.first_seen != at).then_some(lasted);
            let id = agent.id;
            self.outputs.push_back(Output::Record(HistoryRow::Transition {
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

    fn on_tick(&mut self, now: Mono) {
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
    pub(crate) fn sweep(&mut self, now: Mono) {
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
    pub(crate) fn catch_up(&mut self, index: AgentIndex, now: Mono) {
        let until = self.absences.attended(now);
        while self.roster.deadline(index) <= until {
            self.rejudge(index, self.absences.mono(self.roster.deadline(index)), None);
        }
    }

    fn on_rules(&mut self, rules: Rules, now: Mono) {
        self.sweep(now);
        self.limits = LimitTable::new(rules);
        let all: Vec<AgentIndex> = self.roster.indices().collect();
        for index in all {
            if let Some(agent) = self.roster.get_mut(index) {
                agent.limits = self.limits.number_of(&agent.name);
            }
            self.rejudge(index, now, Some(Cause::Rules));
        }
    }

    fn on_end(&mut self, now: Mono) {
        if let Some(gap) = self.watch.close(now, true) {
            self.record_gap(gap);
        }
        let last_beats = self.roster.indices().filter_map(|index| {
            let agent = self.roster.get(index)?;
            let at = agent.last_live.known()?;
            let (id, session) = (agent.id, agent.session.id);
            Some(Output::Record(HistoryRow::LastBeat { id, session, at }))
        });
        self.outputs.extend(last_beats);
    }
}
