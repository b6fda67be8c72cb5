//! Everything that there is in one run, and the one loop that moves it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use heartline_fleet::{CommandRequest, MonoTime};

use super::agent::Agent;
use super::attacker::Attacker;
use super::collector::Collector;
use super::disk::{Disk, Notice};
use super::ledger::Ledger;
use super::network::{Network, Packet, Way, address};
use super::oracle::Oracle;
use super::plan::Plan;
use super::trace::Trace;
use super::violation::{Checked, hold};

/// What is to come.
#[derive(Debug)]
pub(super) enum Event {
    /// A datagram arrives.
    Arrives(Packet),
    /// `control.db` commits.
    CommitControl,
    /// `history.db` commits.
    CommitHistory,
    /// The store tells this start of the collector.
    Tells(u64, Notice),
    /// An operator's command reaches the collector.
    Command(CommandRequest),
    /// The collector is no longer frozen.
    CollectorThaws,
    /// The collector starts.
    CollectorStarts,
    /// An agent's process starts.
    AgentStarts(usize),
    /// Something goes wrong.
    Fault,
    /// The attacker sends this, and will so many times more.
    Attack(Packet, u32),
    /// From now on nothing goes wrong.
    Heals,
    /// All must be well by now.
    Ends,
}

/// One run.
pub(super) struct World {
    pub(super) now: MonoTime,
    pub(super) rng: Rng,
    pub(super) plan: Plan,
    pub(super) agents: Vec<Agent>,
    pub(super) network: Network,
    pub(super) attacker: Attacker,
    pub(super) collector: Collector,
    pub(super) disk: Disk,
    pub(super) oracle: Oracle,
    pub(super) ledger: Ledger,
    pub(super) trace: Trace,
    pub(super) slow_disk_until: MonoTime,
    pub(super) healed: bool,
    /// How far the wall clock was set since the collector started, in ms.
    pub(super) wall_shift_ms: i64,
    pub(super) requests: u64,
    /// Sessions that ended with everything confirmed.
    pub(super) complete: Vec<u64>,
    events: BTreeMap<(MonoTime, u64), Event>,
    serial: u64,
    steps: u64,
    /// Steps in a row at one moment.
    rush: u32,
}

/// What acts next.
enum Next {
    Event,
    Tick,
    Process { agent: usize, process: usize },
}

/// Most steps at one moment.
const RUSH_MAX: u32 = 10_000;
/// Nobody is older than the run, but ages reach back before it.
const START: MonoTime = MonoTime::from_millis(1_000_000_000);

impl World {
    pub(super) fn new(seed: u64, trace: Trace) -> Self {
        let mut rng = Rng::with_seed(seed);
        let plan = Plan::draw(&mut rng);
        let agents = (0..plan.agents).map(Agent::new).collect();
        let mut world = Self {
            now: START,
            network: Network::new(plan.agents),
            attacker: Attacker::default(),
            collector: Collector::default(),
            disk: Disk::default(),
            oracle: Oracle::new(plan.agents, plan.stall_after),
            ledger: Ledger::default(),
            slow_disk_until: START,
            healed: false,
            wall_shift_ms: 0,
            requests: 0,
            complete: Vec::new(),
            events: BTreeMap::new(),
            serial: 0,
            steps: 0,
            rush: 0,
            rng,
            plan,
            agents,
            trace,
        };
        world.schedule();
        world
    }

    fn schedule(&mut self) {
        let heals = START + self.plan.busy_for;
        let settled = Duration::from_millis(u64::from(self.plan.interval_ms) * 30 + 20_000);
        self.after_ms(0, Event::CollectorStarts);
        for agent in 0..self.plan.agents {
            let wait_ms = self.rng.u64(0..=u64::from(self.plan.interval_ms));
            self.after_ms(wait_ms, Event::AgentStarts(agent));
        }
        self.after_ms(self.plan.fault_every_ms, Event::Fault);
        self.at(heals, Event::Heals);
        self.at(heals + settled, Event::Ends);
    }

    /// Lets all of it happen. Gives back how many steps it took, and how long in its own time.
    pub(super) fn run(&mut self) -> Checked<(u64, Duration)> {
        loop {
            let (at, next) = self.next();
            hold!(at >= self.now, "time runs backwards");
            self.rush = if at == self.now { self.rush + 1 } else { 0 };
            hold!(
                self.rush < RUSH_MAX,
                "somebody wants to act again and again, and time stands still"
            );
            self.now = at;
            self.steps += 1;
            match next {
                Next::Tick => self.tick()?,
                Next::Process { agent, process } => self.act(agent, process)?,
                Next::Event => {
                    let (_, event) = self.events.pop_first().expect("it was chosen");
                    if matches!(event, Event::Ends) {
                        self.check_end()?;
                        return Ok((self.steps, self.now.since(START)));
                    }
                    self.happen(event)?;
                }
            }
        }
    }

    /// What acts next. A tick comes after everything else of its moment: the socket is drained
    /// first.
    fn next(&self) -> (MonoTime, Next) {
        let event = self.events.first_key_value().expect("the end is to come");
        let mut next = (event.0.0, Next::Event);
        for (agent, it) in self.agents.iter().enumerate() {
            for (process, it) in it.processes.iter().enumerate() {
                let due = it.due().unwrap_or(self.now).max(self.now);
                if due < next.0 {
                    next = (due, Next::Process { agent, process });
                }
            }
        }
        let tick_at = self.collector.tick_at().max(self.now);
        if tick_at < next.0 { (tick_at, Next::Tick) } else { next }
    }

    fn happen(&mut self, event: Event) -> Checked {
        match event {
            Event::Arrives(packet) => match packet.way {
                Way::Up => self.arrive_up(packet),
                Way::Down => self.arrive_down(&packet),
            },
            Event::CommitControl => self.commit_control(),
            Event::CommitHistory => self.commit_history(),
            Event::Tells(boot, notice) => self.tell(boot, notice),
            Event::Command(request) => self.command(request),
            Event::CollectorThaws => self.thaw(),
            Event::CollectorStarts => self.start_collector(),
            Event::AgentStarts(agent) => {
                self.start_agent(agent);
                Ok(())
            }
            Event::Fault => self.fault(),
            Event::Attack(packet, more) => {
                self.attack(packet, more);
                Ok(())
            }
            Event::Heals => self.heal(),
            Event::Ends => Ok(()),
        }
    }

    /// Schedules an event.
    pub(super) fn at(&mut self, at: MonoTime, event: Event) {
        self.serial += 1;
        self.events.insert((at.max(self.now), self.serial), event);
    }

    /// Schedules an event.
    pub(super) fn after_ms(&mut self, ms: u64, event: Event) {
        self.at(self.now.plus_millis(ms), event);
    }

    /// Gives a datagram to the network.
    pub(super) fn send(&mut self, packet: &Packet) {
        self.attacker.record(packet, &mut self.rng);
        for at in self.network.arrivals(packet, &self.plan, &mut self.rng, self.now) {
            self.at(at, Event::Arrives(packet.clone()));
        }
    }

    /// Sends what a process says.
    pub(super) fn send_up(&mut self, agent: usize, port: u16, said: Vec<Rc<[u8]>>) {
        for bytes in said {
            let peer = address(agent, port);
            self.send(&Packet { bytes, peer, way: Way::Up, forged: false });
        }
    }

    /// A note for whoever looks for the fault.
    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        self.trace.note(self.now.since(START), self.steps, text);
    }
}
