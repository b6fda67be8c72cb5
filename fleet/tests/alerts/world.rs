//! A fleet of agents that beat on a simulated clock, until something befalls them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use heartline_fleet::{
    AgentFilter, AgentMessage, AlertInput, AlertRoute, AlertRules, BudgetRule, BudgetSetup,
    BudgetWindow, CommandRequest, Fleet, FleetConfig, ForgetRequest, HistoryDbRow, Incident, Input,
    MonoTime, OutgoingNotice, Output, ReachedLevels, RestoredAgent, RestoredSession, ReturnAddress,
    Silence, SinkTraits, StateSet, WriteTicket,
};
use heartline_protocol::body::{IdentityView, SegmentView};
use heartline_protocol::wire::UntrustedText;
use heartline_protocol::{Beat, Body, Goodbye};
use heartline_vocabulary::text::glob_matches;
use heartline_vocabulary::{
    Action, AgentRowId, AgentStatus, Identity, IncidentId, Reason, State, WorkTotals,
};

use crate::notice_text::notice_text;
use crate::recorder::Recorder;

/// Start of every scenario.
pub(crate) const START: MonoTime = MonoTime::from_millis(1_000_000_000);

/// A fleet of agents that beat, and what it wants to be told.
pub(crate) struct World {
    pub(crate) fleet: Fleet,
    now: MonoTime,
    agents: BTreeMap<&'static str, TestAgent>,
    beats: BTreeSet<(MonoTime, &'static str)>,
    notices: Vec<OutgoingNotice>,
    commands: u64,
    /// The newest record of each incident.
    pub(crate) incidents: BTreeMap<IncidentId, Incident>,
    recorder: Recorder,
}

/// An agent, which beats while it is not lost.
#[derive(Clone, Debug)]
pub(crate) struct TestAgent {
    interval_ms: u32,
    host: Option<&'static str>,
    pid: Option<u32>,
    group: Option<&'static str>,
    depends: Vec<&'static str>,
    session: u64,
    sequence: u64,
    is_lost: bool,
    /// Segments of work so far.
    segments: u64,
    is_identity_due: bool,
    /// Since when its task makes no progress.
    stalled: Option<MonoTime>,
    /// Tasks that succeed and that fail between two beats.
    tasks: (u64, u64),
}

impl TestAgent {
    pub(crate) fn every_s(interval_s: u32) -> Self {
        Self {
            interval_ms: interval_s * 1_000,
            host: None,
            pid: None,
            group: None,
            depends: Vec::new(),
            session: 1,
            sequence: 0,
            is_lost: false,
            segments: 0,
            is_identity_due: true,
            stalled: None,
            tasks: (0, 0),
        }
    }

    pub(crate) fn host(self, host: &'static str) -> Self {
        Self { host: Some(host), ..self }
    }

    pub(crate) fn pid(self, pid: u32) -> Self {
        Self { pid: Some(pid), ..self }
    }

    pub(crate) fn group(self, group: &'static str) -> Self {
        Self { group: Some(group), ..self }
    }

    pub(crate) fn depends(self, depends: &[&'static str]) -> Self {
        Self { depends: depends.to_vec(), ..self }
    }
}

/// Selects agents by a glob over their names.
#[derive(Debug)]
pub(crate) struct Named(pub(crate) &'static str);

impl AgentFilter for Named {
    fn matches(&self, agent: &str, _: Option<&Identity>, _: AgentStatus) -> bool {
        glob_matches(self.0, agent)
    }
}

/// Returns a route of what needs somebody, for agents of a glob.
pub(crate) fn route(glob: &'static str, sinks: &[&str]) -> AlertRoute {
    AlertRoute {
        filter: Arc::new(Named(glob)),
        states: StateSet::default(),
        sinks: sinks.iter().map(|&sink| sink.into()).collect(),
        hold: Duration::ZERO,
        repeat: None,
        escalation: None,
        is_last: false,
    }
}

/// Returns rules of one route of all agents to `chat`.
pub(crate) fn chat_rules() -> AlertRules {
    AlertRules { routes: vec![route("*", &["chat"])], ..AlertRules::default() }
}

/// Returns what a pager does by itself.
pub(crate) fn pager_traits() -> (Box<str>, SinkTraits) {
    ("pager".into(), SinkTraits { reminds: true, groups: false })
}

impl World {
    /// A fleet without agents whose alerts go to `chat`.
    pub(crate) fn new() -> Self {
        Self::with(chat_rules())
    }

    pub(crate) fn with(alerts: AlertRules) -> Self {
        let mut world = Self::restored(alerts, &BTreeMap::new(), START);
        world.handle(Input::Begin { last_alive: None, next_id: AgentRowId(1) });
        world
    }

    fn restored(
        alerts: AlertRules,
        incidents: &BTreeMap<IncidentId, Incident>,
        now: MonoTime,
    ) -> Self {
        let next_incident = incidents.keys().max().map_or(IncidentId(1), |id| IncidentId(id.0 + 1));
        let config = FleetConfig { alerts, next_incident, ..FleetConfig::default() };
        Self {
            fleet: Fleet::new(config, now),
            now,
            agents: BTreeMap::new(),
            beats: BTreeSet::new(),
            notices: Vec::new(),
            commands: 0,
            incidents: incidents.clone(),
            recorder: Recorder::default(),
        }
    }

    /// Adds agents, whose beats are spread over their intervals.
    pub(crate) fn add(&mut self, names: &[&'static str], agent: &TestAgent) {
        for (n, &name) in names.iter().enumerate() {
            let offset_ms = u64::from(agent.interval_ms) * n as u64 / names.len() as u64;
            self.agents.insert(name, agent.clone());
            self.beats.insert((self.now.plus_millis(offset_ms), name));
        }
        let longest = self.agents.values().map(|agent| agent.interval_ms).max().unwrap_or(0);
        self.run_ms(u64::from(longest) + 1_000);
        self.notices.clear();
    }

    /// Adds agents, and keeps the notices.
    pub(crate) fn add_now(&mut self, names: &[&'static str], agent: &TestAgent) {
        let mut notices = std::mem::take(&mut self.notices);
        for &name in names {
            self.agents.insert(name, agent.clone());
            self.beat(name);
            let next = self.now.plus_millis(u64::from(agent.interval_ms));
            self.beats.insert((next, name));
        }
        notices.append(&mut self.notices);
        self.notices = notices;
    }

    /// Lets an agent report another group.
    pub(crate) fn regroup(&mut self, name: &'static str, group: &'static str) {
        let agent = self.agents.get_mut(name).expect("known");
        agent.group = Some(group);
        agent.is_identity_due = true;
        self.beat(name);
    }

    /// Lets the collector see nothing for so long.
    pub(crate) fn freeze_s(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
        self.handle(Input::Tick);
    }

    /// Runs for so many seconds.
    pub(crate) fn run_s(&mut self, seconds: u64) {
        self.run_ms(seconds * 1_000);
    }

    /// Runs for so many milliseconds.
    pub(crate) fn run_ms(&mut self, ms: u64) {
        let end = self.now.plus_millis(ms);
        while self.now < end {
            let beat = self.beats.first().map_or(MonoTime::NEVER, |&(at, _)| at);
            let tick = self.fleet.poll_timeout().max(self.now.plus_millis(1));
            self.now = beat.min(tick).min(end);
            while let Some(&(at, name)) = self.beats.first().filter(|(at, _)| *at <= self.now) {
                self.beats.remove(&(at, name));
                self.beat(name);
                let interval_ms = u64::from(self.agents[name].interval_ms);
                self.beats.insert((at.plus_millis(interval_ms), name));
            }
            self.handle(Input::Tick);
        }
    }

    fn beat(&mut self, name: &'static str) {
        let now = self.now;
        let agent = self.agents.get_mut(name).expect("known");
        if agent.is_lost {
            return;
        }
        agent.sequence += 1;
        let text = |text: Option<&'static str>| text.map(UntrustedText::new);
        let identity = IdentityView {
            host: text(agent.host),
            pid: agent.pid,
            group: text(agent.group),
            depends: agent.depends.clone(),
            ..IdentityView::default()
        };
        let (ok, failed) = agent.tasks;
        let segment = (ok + failed > 0).then(|| SegmentView {
            number: agent.sequence,
            ok,
            failed,
            ..SegmentView::default()
        });
        let beat = Beat {
            segment,
            interval_ms: agent.interval_ms,
            in_flight: 1,
            progress_age_ms: Some(agent.stalled.map_or(0, |at| now.millis_since(at))),
            identity: std::mem::take(&mut agent.is_identity_due).then(|| Box::new(identity)),
            ..Beat::default()
        };
        self.send(name, Body::Beat(beat));
    }

    /// Lets an agent beat with tasks that have ended, which are durable at once.
    pub(crate) fn spend(&mut self, name: &'static str, tasks: u64) {
        let agent = self.agents.get_mut(name).expect("known");
        agent.sequence += 1;
        agent.segments += 1;
        let segment = SegmentView { number: agent.segments, ok: tasks, ..SegmentView::default() };
        let interval_ms = agent.interval_ms;
        let beat = Beat { interval_ms, segment: Some(segment), ..Beat::default() };
        self.send(name, Body::Beat(beat));
        let ticket = WriteTicket(u64::MAX);
        self.handle(Input::HistoryCommitted { ticket, known: Vec::new() });
        self.handle(Input::ControlCommitted { ticket });
    }

    /// Sets budgets, whose windows begin now.
    pub(crate) fn budgets(&mut self, rules: &[BudgetRule]) {
        let window = self.window(0);
        let budgets = rules.iter().map(|rule| (rule.clone(), window.clone())).collect();
        let setup = BudgetSetup { budgets, bases: Vec::new(), reached: ReachedLevels::Told };
        self.handle(Input::Budgets(Box::new(setup)));
    }

    /// Begins the next window of the first budget.
    pub(crate) fn next_window(&mut self) {
        let window = self.window(1);
        self.handle(Input::BudgetWindow { budget: 0, window });
        self.handle(Input::ControlCommitted { ticket: WriteTicket(u64::MAX) });
    }

    fn window(&self, number: i64) -> BudgetWindow {
        BudgetWindow { begins: self.now, from_ms: number, to_ms: number + 1, ends: "18:00".into() }
    }

    fn send(&mut self, name: &'static str, body: Body<'_>) {
        let agent = &self.agents[name];
        let message = AgentMessage {
            index: self.fleet.find(name),
            agent: name,
            scope: "",
            session: agent.session,
            sequence: agent.sequence,
            tag_prefix: 1,
            fresh: true,
            from: ReturnAddress { peer: SocketAddr::from(([10, 0, 0, 1], 1)), via: 0 },
            len: 190,
            body,
        };
        self.handle(Input::Message(&message));
    }

    pub(crate) fn handle(&mut self, input: Input<'_>) {
        self.fleet.handle(input, self.now);
        while let Some(output) = self.fleet.poll_output() {
            self.recorder
                .take(&output, |name| self.agents.get(name).map_or(0, |it| it.interval_ms));
            match output {
                Output::WriteHistory(HistoryDbRow::Notice(notice)) => {
                    let id = notice.id.incident;
                    let is_known = self.incidents.contains_key(&id) || !notice.listed.is_empty();
                    assert!(is_known, "a notice of an incident that was not recorded");
                    self.notices.push(*notice);
                }
                Output::WriteHistory(HistoryDbRow::Incident(incident)) => {
                    self.incidents.insert(incident.id, *incident);
                }
                _ => {}
            }
        }
    }

    /// Lets so many tasks of agents succeed, and so many fail, between two beats.
    pub(crate) fn work(&mut self, names: &[&'static str], ok: u64, failed: u64) {
        for &name in names {
            self.agents.get_mut(name).expect("known").tasks = (ok, failed);
        }
    }

    /// Lets agents go silent.
    pub(crate) fn lose(&mut self, names: &[&'static str]) {
        for &name in names {
            self.agents.get_mut(name).expect("known").is_lost = true;
        }
    }

    /// Lets agents beat again, at once.
    pub(crate) fn heal(&mut self, names: &[&'static str]) {
        for &name in names {
            let agent = self.agents.get_mut(name).expect("known");
            (agent.is_lost, agent.stalled) = (false, None);
            self.beat(name);
        }
    }

    /// Lets the tasks of agents hang.
    pub(crate) fn stall(&mut self, names: &[&'static str]) {
        let now = self.now;
        for &name in names {
            self.agents.get_mut(name).expect("known").stalled = Some(now);
        }
    }

    /// Lets an agent say goodbye, and end.
    pub(crate) fn stop(&mut self, name: &'static str) {
        let agent = self.agents.get_mut(name).expect("known");
        agent.is_lost = true;
        agent.sequence += 1;
        self.send(name, Body::Goodbye(Goodbye::default()));
    }

    /// Lets an agent that has ended start again.
    pub(crate) fn start(&mut self, name: &'static str, session: u64) {
        let agent = self.agents.get_mut(name).expect("known");
        (agent.session, agent.sequence, agent.is_lost) = (session, 0, false);
        agent.is_identity_due = true;
        self.beat(name);
    }

    /// Kills an agent by an operator's command, durably.
    pub(crate) fn kill(&mut self, name: &str) {
        self.command(Action::Kill, name);
    }

    /// Resumes an agent by an operator's command, durably.
    pub(crate) fn resume(&mut self, name: &str) {
        self.command(Action::Resume, name);
    }

    fn command(&mut self, action: Action, name: &str) {
        self.commands += 1;
        self.handle(Input::Command(CommandRequest {
            request_id: self.commands,
            action,
            cause: Reason::Operator,
            agents: vec![name.to_owned()],
            reason: "over budget".into(),
            by: "ops@desk".into(),
            expect: None,
        }));
        self.handle(Input::ControlCommitted { ticket: WriteTicket(u64::MAX) });
    }

    pub(crate) fn forget(&mut self, name: &str) {
        let agents = vec![name.to_owned()];
        self.handle(Input::Forget(ForgetRequest { request_id: 1, agents, by: "ops@desk".into() }));
    }

    pub(crate) fn alert(&mut self, input: AlertInput) {
        if !matches!(input, AlertInput::Acknowledge { .. } | AlertInput::Restore(_)) {
            self.recorder.alert(input.clone(), self.now);
        }
        self.handle(Input::Alert(input));
    }

    /// Silences agents of a glob.
    pub(crate) fn silence(&mut self, glob: &'static str, for_s: u64) {
        let until = self.now + Duration::from_secs(for_s);
        let silence = Silence { filter: Arc::new(Named(glob)), until };
        self.alert(AlertInput::Silences(vec![silence]));
    }

    pub(crate) fn acknowledge(&mut self) {
        let incident = self.fleet.incidents().next().expect("one goes on");
        let in_trouble = incident.members.iter().filter(|(_, member)| member.left.is_none());
        let members: Vec<AgentRowId> = in_trouble.map(|(&id, _)| id).collect();
        let id = incident.id;
        self.recorder.acknowledge(&members, self.now);
        self.alert(AlertInput::Acknowledge { id, by: "ops@desk".into() });
    }

    /// Kills the collector, and starts another one `down_s` later with what is stored.
    pub(crate) fn restart(&mut self, alerts: AlertRules, down_s: u64) {
        let agents: Vec<RestoredAgent> = self.stored_agents();
        self.now = self.now + Duration::from_secs(down_s);
        let stored = std::mem::take(&mut self.incidents);
        let mut next = Self::restored(alerts, &stored, self.now);
        for agent in agents {
            next.handle(Input::Restore(Box::new(agent)));
        }
        for incident in stored.values().filter(|incident| incident.ended.is_none()) {
            next.alert(AlertInput::Restore(Box::new(incident.as_stored())));
        }
        next.handle(Input::Begin { last_alive: None, next_id: AgentRowId(1) });
        next.agents = std::mem::take(&mut self.agents);
        let beats = std::mem::take(&mut self.beats);
        next.beats = beats.into_iter().map(|(at, name)| (at.max(self.now), name)).collect();
        *self = next;
    }

    fn stored_agents(&self) -> Vec<RestoredAgent> {
        let stored = |agent: &heartline_fleet::Agent| RestoredAgent {
            id: agent.id(),
            agent: agent.name().into(),
            first_seen: START,
            identity: agent.identity().cloned(),
            interval_ms: agent.interval_ms(),
            status: agent.status(),
            since: agent.since(),
            last_live: None,
            starts: 1,
            sessions: vec![RestoredSession { session: 1, applied_segment: 0, ended: None }],
            totals: WorkTotals::default(),
            quality: heartline_fleet::QualityRecord::default(),
            desired: None,
        };
        self.fleet.agents().map(|(_, agent)| stored(agent)).collect()
    }

    /// Takes the notices, as `300 opened agent a: unreachable silent, 1 of 1 → chat`: seconds since the
    /// start, kind, scope, worst state, members in trouble of all, sinks.
    pub(crate) fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices).iter().map(notice_text).collect()
    }

    /// Returns what rules would have told of all that has happened.
    pub(crate) fn replay(&self, rules: AlertRules) -> Vec<OutgoingNotice> {
        self.recorder.replay(rules, START, self.now)
    }

    /// Takes the notices as they are.
    pub(crate) fn raw_notices(&mut self) -> Vec<OutgoingNotice> {
        std::mem::take(&mut self.notices)
    }
}

/// Returns a set of one state and reason.
pub(crate) fn only(states: &[State], reasons: &[Reason]) -> StateSet {
    StateSet { states: states.to_vec(), reasons: reasons.to_vec(), budgets: false }
}
