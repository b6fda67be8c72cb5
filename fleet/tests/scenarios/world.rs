//! A fleet, time as a number, and what came out, in words that a test can compare.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use heartline_fleet::{
    AgentView, CommandRequest, ControlDbRow, Fleet, FleetConfig, HealthRules, HistoryDbRow, Input,
    Message, MonoTime, OutgoingAck, OutgoingPush, Output, RestoredAgent, ReturnAddress, Transition,
    WorkRow, WriteTicket,
};

use heartline_vocabulary::{Action, AgentRowId, AgentStatus, Reason};

use crate::say::Say;

/// A fleet that is told things.
pub(crate) struct World {
    pub(crate) fleet: Fleet,
    pub(crate) now: MonoTime,
    began: MonoTime,
    outputs: Vec<Output>,
    sequences: BTreeMap<(&'static str, u64), u64>,
    requests: u64,
}

/// When every scenario begins.
pub(crate) const START: MonoTime = MonoTime::from_millis(1_000_000_000);

impl World {
    /// A collector that knows nobody and has just begun.
    pub(crate) fn new() -> Self {
        Self::restored(Vec::new())
    }

    /// A collector that knows these from before.
    pub(crate) fn restored(agents: Vec<RestoredAgent>) -> Self {
        let mut fleet = Fleet::new(FleetConfig::default(), START);
        for agent in agents {
            fleet.handle(Input::Restore(Box::new(agent)), START);
        }
        let mut world = Self {
            fleet,
            now: START,
            began: START,
            outputs: Vec::new(),
            sequences: BTreeMap::new(),
            requests: 0,
        };
        world.tell(Input::Begin { last_alive: None, next_id: AgentRowId(1) });
        world
    }

    /// With one agent, whose first beat was just now.
    pub(crate) fn with(agent: Say) -> Self {
        let mut world = Self::new();
        world.hear(agent);
        world.forget_outputs();
        world
    }

    pub(crate) fn tell(&mut self, input: Input<'_>) {
        self.fleet.handle(input, self.now);
        self.outputs.extend(std::iter::from_fn(|| self.fleet.poll_output()));
    }

    pub(crate) fn hear(&mut self, say: Say) {
        let next = self.sequences.entry((say.agent, say.session)).or_insert(0);
        let sequence = say.sequence.unwrap_or(*next + 1);
        *next = sequence.max(*next);
        let message = Message {
            index: self.fleet.find(say.agent),
            agent: say.agent,
            session: say.session,
            sequence,
            fresh: say.fresh,
            from: ReturnAddress { peer: peer(say.port), via: 0 },
            len: 190,
            body: say.body,
        };
        self.tell(Input::Message(&message));
    }

    /// Time passes, with a tick whenever the fleet wants one.
    pub(crate) fn pass_ms(&mut self, ms: u64) {
        let end = self.now.plus_millis(ms);
        while self.now < end {
            self.now = self.fleet.poll_timeout().max(self.now.plus_millis(1)).min(end);
            self.tell(Input::Tick);
        }
    }

    /// Time passes to so many milliseconds after the beginning.
    pub(crate) fn until_ms(&mut self, ms: u64) {
        self.pass_ms(self.began.plus_millis(ms).millis_since(self.now));
    }

    /// Time passes, and nobody looks.
    pub(crate) fn freeze_ms(&mut self, ms: u64) {
        self.now = self.now.plus_millis(ms);
    }

    /// From here on moments count from now.
    pub(crate) fn mark(&mut self) {
        self.began = self.now;
    }

    pub(crate) fn view(&self, agent: &str) -> AgentView<'_> {
        self.fleet.view(self.fleet.find(agent).expect("known")).expect("known")
    }

    /// `healthy`, `degraded late`, …
    pub(crate) fn status(&self, agent: &str) -> String {
        words(self.view(agent).status())
    }

    /// Commands one agent, as an operator.
    pub(crate) fn command(&mut self, action: Action, agent: &str) -> u64 {
        self.requests += 1;
        let request = request(self.requests, action, &[agent]);
        self.tell(Input::Command(request));
        self.requests
    }

    /// Everything that was handed to `control.db` is there.
    pub(crate) fn persist(&mut self) {
        let ticket = self.outputs.iter().rev().find_map(|output| match output {
            Output::Persist(ControlDbRow::Command(row)) => Some(row.ticket),
            _ => None,
        });
        self.tell(Input::Persisted { ticket: ticket.expect("a command is under way") });
    }

    /// Commands, and the command is durable at once.
    pub(crate) fn order(&mut self, action: Action, agent: &str) {
        self.command(action, agent);
        self.persist();
    }

    /// `history.db` has the work up to this ticket.
    pub(crate) fn store(&mut self, ticket: u64) {
        self.tell(Input::Stored { ticket: WriteTicket(ticket), known: Vec::new() });
    }

    pub(crate) fn forget_outputs(&mut self) {
        self.outputs.clear();
    }

    pub(crate) fn outputs_so_far(&self) -> &[Output] {
        &self.outputs
    }

    /// What came out since the last look.
    pub(crate) fn outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// The rows of history since the last look: `90000 healthy → degraded late`.
    pub(crate) fn transitions(&mut self) -> Vec<String> {
        let began = self.began;
        let word = |row| match row {
            HistoryDbRow::Transition(Transition { at, from, to, .. }) => {
                Some(format!("{} {} → {}", ms(at, began), words(from), words(to)))
            }
            _ => None,
        };
        self.history().into_iter().filter_map(word).collect()
    }

    /// Why each transition since the last look came about.
    pub(crate) fn causes(&mut self) -> Vec<String> {
        let word = |row| match row {
            HistoryDbRow::Transition(row) => Some(row.cause.to_string()),
            _ => None,
        };
        self.history().into_iter().filter_map(word).collect()
    }

    /// The rows for `history.db` since the last look.
    pub(crate) fn history(&mut self) -> Vec<HistoryDbRow> {
        let row = |output| match output {
            Output::Record(row) => Some(row),
            Output::Transition(row) => Some(HistoryDbRow::Transition(row)),
            _ => None,
        };
        self.outputs().into_iter().filter_map(row).collect()
    }

    /// The rows of work since the last look.
    pub(crate) fn work(&mut self) -> Vec<WorkRow> {
        let row = |row| match row {
            HistoryDbRow::Work(row) => Some(*row),
            _ => None,
        };
        self.history().into_iter().filter_map(row).collect()
    }

    /// The answers since the last look.
    pub(crate) fn acks(&mut self) -> Vec<OutgoingAck> {
        let answer = |output| match output {
            Output::Ack(ack) => Some(ack),
            _ => None,
        };
        self.outputs().into_iter().filter_map(answer).collect()
    }

    /// The pushes since the last look.
    pub(crate) fn pushes(&mut self) -> Vec<OutgoingPush> {
        let push = |output| match output {
            Output::Push(push) => Some(push),
            _ => None,
        };
        self.outputs().into_iter().filter_map(push).collect()
    }
}

/// An operator's command.
pub(crate) fn request(request_id: u64, action: Action, agents: &[&str]) -> CommandRequest {
    CommandRequest {
        request_id,
        action,
        cause: Reason::Operator,
        agents: agents.iter().map(|&agent| agent.to_owned()).collect(),
        reason: "it burns money".into(),
        by: "root@desk".into(),
        expect: None,
    }
}

/// An agent as the databases know it: one session, 1, healthy.
pub(crate) fn known(agent: &str) -> RestoredAgent {
    RestoredAgent {
        id: AgentRowId(7),
        agent: agent.into(),
        first_seen: START.minus_millis(9_000_000),
        identity: None,
        interval_ms: crate::say::INTERVAL_MS,
        status: AgentStatus::HEALTHY,
        since: START.minus_millis(8_000_000),
        last_live: Some(START.minus_millis(60_000)),
        starts: 1,
        sessions: vec![heartline_fleet::RestoredSession {
            session: 1,
            applied_segment: 5,
            ended: None,
        }],
        totals: heartline_vocabulary::WorkTotals {
            ok: 50,
            ..heartline_vocabulary::WorkTotals::default()
        },
        desired: None,
    }
}

/// Rules that differ from the default by this.
pub(crate) fn rules(change: impl FnOnce(&mut HealthRules)) -> HealthRules {
    let mut rules = HealthRules::default();
    change(&mut rules);
    rules
}

pub(crate) fn peer(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], port))
}

/// Milliseconds from one moment to another, before or after it.
pub(crate) fn ms(at: MonoTime, from: MonoTime) -> i64 {
    (at.nanos() - from.nanos()) / 1_000_000
}

fn words(standing: AgentStatus) -> String {
    let reason = standing.reason.map_or(String::new(), |reason| format!(" {}", reason.name()));
    format!("{}{reason}", standing.state.name())
}
