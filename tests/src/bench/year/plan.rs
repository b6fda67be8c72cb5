//! What befalls the site in the year, drawn from the seed.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::site::{
    AGENTS, Arrivals, DAY_MS, GROUPS, HOSTS, HOUR_MS, MINUTE_MS, SECOND_MS, agents_of_group,
    agents_of_host, group_of,
};
use super::truth::{Attention, FaultKind};

/// Something that happens to the site.
#[derive(Clone, Debug)]
pub(super) enum SiteEvent {
    /// A new version of a group: its agents are started again one by one.
    Deploy {
        group: usize,
    },
    /// A process ends.
    Stop {
        agent: usize,
        how: StopKind,
    },
    /// Its successor starts.
    Start {
        agent: usize,
    },
    /// Nothing of these agents arrives for so long.
    Cut {
        agents: Vec<usize>,
        for_ms: u64,
    },
    /// That again and again until then.
    CutAgain {
        agent: usize,
        until_ms: u64,
    },
    /// A process ends, and a supervisor or the system starts it again after so long.
    Crash {
        agent: usize,
        down_ms: u64,
    },
    /// That again and again until then.
    CrashAgain {
        agent: usize,
        until_ms: u64,
    },
    /// What a group calls fails as a whole for so long.
    UpstreamOut {
        group: usize,
        for_ms: u64,
    },
    FaultBegins(PlannedFault),
    FaultEnds(PlannedFault),
    CollectorStops {
        is_clean: bool,
        for_ms: u64,
    },
    CollectorStarts,
    OperatorKills {
        agents: Vec<usize>,
        for_ms: u64,
    },
    OperatorResumes {
        agents: Vec<usize>,
    },
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopKind {
    Goodbye,
    /// Without a word.
    Killed,
    /// Its supervisor reports it, if it has one.
    Crashed,
}

/// A fault that lasts, and that somebody must be told of.
#[derive(Clone, Debug)]
pub(super) struct PlannedFault {
    pub(super) kind: FaultKind,
    pub(super) members: Vec<usize>,
    pub(super) begin_ms: u64,
    pub(super) end_ms: u64,
}

/// Events by time, in the order in which they were added.
#[derive(Default)]
pub(super) struct EventQueue {
    events: BTreeMap<(u64, u64), SiteEvent>,
    serial: u64,
}

impl EventQueue {
    pub(super) fn add(&mut self, at_ms: u64, event: SiteEvent) {
        self.serial += 1;
        self.events.insert((at_ms, self.serial), event);
    }

    /// Takes the next event that is due.
    pub(super) fn pop_due(&mut self, now_ms: u64) -> Option<SiteEvent> {
        let first = self.events.first_entry()?;
        (first.key().0 <= now_ms).then(|| first.remove())
    }
}

/// Draws the events of so many days.
pub(super) fn draw(days: u64, rng: &mut Rng) -> EventQueue {
    let mut planner =
        Planner { queue: EventQueue::default(), rng, days, ill: vec![Vec::new(); AGENTS] };
    planner.draw_faults();
    planner.draw_disturbances();
    planner.draw_operations();
    planner.queue
}

struct Planner<'a> {
    queue: EventQueue,
    rng: &'a mut Rng,
    days: u64,
    /// When each agent has a fault.
    ill: Vec<Vec<(u64, u64)>>,
}

/// How often a fault happens, and for how long.
struct FaultRate {
    kind: FaultKind,
    a_year: u64,
    minutes: std::ops::Range<u64>,
}

/// Faults of single agents.
const SINGLE: [FaultRate; 7] = [
    FaultRate { kind: FaultKind::Silence, a_year: 52, minutes: 30..480 },
    FaultRate { kind: FaultKind::Flapping, a_year: 12, minutes: 120..240 },
    FaultRate { kind: FaultKind::CrashLoop, a_year: 12, minutes: 30..120 },
    FaultRate { kind: FaultKind::Hang, a_year: 26, minutes: 30..180 },
    FaultRate { kind: FaultKind::Failing, a_year: 26, minutes: 120..360 },
    FaultRate { kind: FaultKind::Slow, a_year: 12, minutes: 1_440..1_441 },
    FaultRate { kind: FaultKind::NoWork, a_year: 12, minutes: 4_320..5_760 },
];

/// Agents have a past of their own by then.
const FIRST_FAULT_MS: u64 = 15 * DAY_MS;

impl Planner<'_> {
    /// Draws faults that somebody must be told of.
    fn draw_faults(&mut self) {
        for &FaultRate { kind, a_year, ref minutes } in &SINGLE {
            for begin_ms in self.times(a_year as f64 / 365.0, FIRST_FAULT_MS) {
                let for_ms = self.rng.u64(minutes.clone()) * MINUTE_MS;
                let candidates: Vec<usize> =
                    (0..AGENTS).filter(|&agent| can_have(kind, agent)).collect();
                self.plan_fault(kind, begin_ms, for_ms, |rng| {
                    vec![candidates[rng.usize(..candidates.len())]]
                });
            }
        }
        for begin_ms in self.times(12.0 / 365.0, FIRST_FAULT_MS) {
            let for_ms = self.rng.u64(60..360) * MINUTE_MS;
            self.plan_fault(FaultKind::Silence, begin_ms, for_ms, |rng| {
                agents_of_host(rng.usize(..HOSTS)).collect()
            });
        }
    }

    fn plan_fault(
        &mut self,
        kind: FaultKind,
        begin_ms: u64,
        for_ms: u64,
        draw: impl Fn(&mut Rng) -> Vec<usize>,
    ) {
        let end_ms = begin_ms + for_ms;
        for _ in 0..50 {
            let members = draw(self.rng);
            let is_free = |&agent: &usize| {
                let mut ill = self.ill[agent].iter();
                ill.all(|&(from, to)| end_ms + DAY_MS < from || to + DAY_MS < begin_ms)
            };
            if members.iter().all(is_free) {
                members.iter().for_each(|&agent| self.ill[agent].push((begin_ms, end_ms)));
                let fault = PlannedFault { kind, members, begin_ms, end_ms };
                self.queue.add(begin_ms, SiteEvent::FaultBegins(fault.clone()));
                self.queue.add(end_ms, SiteEvent::FaultEnds(fault));
                return;
            }
        }
    }

    /// Draws what is over before anybody could do anything, and what all groups call.
    fn draw_disturbances(&mut self) {
        for agent in 0..AGENTS {
            for at_ms in self.times(1.0 / 14.0, 0) {
                let for_ms = self.rng.u64(30..=120) * SECOND_MS;
                self.queue.add(at_ms, SiteEvent::Cut { agents: vec![agent], for_ms });
            }
            for at_ms in self.times(1.0 / 60.0, 0) {
                let down_ms = self.rng.u64(5..=30) * SECOND_MS;
                self.queue.add(at_ms, SiteEvent::Crash { agent, down_ms });
            }
        }
        for host in 0..HOSTS {
            for at_ms in self.times(1.0 / 30.0, 0) {
                let for_ms = self.rng.u64(30..=120) * SECOND_MS;
                let agents = agents_of_host(host).collect();
                self.queue.add(at_ms, SiteEvent::Cut { agents, for_ms });
            }
        }
        for group in 0..GROUPS.len() {
            for day in 0..self.days {
                let at_ms = day * DAY_MS + self.rng.u64(..DAY_MS);
                let for_ms = 30 * SECOND_MS;
                self.queue.add(at_ms, SiteEvent::UpstreamOut { group, for_ms });
            }
            for at_ms in self.times(3.0 / 365.0, FIRST_FAULT_MS) {
                self.queue.add(at_ms, SiteEvent::UpstreamOut { group, for_ms: HOUR_MS });
            }
        }
    }

    /// Draws what people do on purpose.
    fn draw_operations(&mut self) {
        for group in 0..GROUPS.len() {
            for at_ms in self.times(3.0 / 7.0, 0) {
                self.queue.add(at_ms, SiteEvent::Deploy { group });
            }
        }
        for at_ms in self.times(1.0 / 7.0, DAY_MS) {
            let for_ms = self.rng.u64(3..=60) * SECOND_MS;
            let is_clean = self.rng.bool();
            self.queue.add(at_ms, SiteEvent::CollectorStops { is_clean, for_ms });
        }
        for at_ms in self.times(1.0 / 7.0, DAY_MS) {
            let group = self.rng.usize(..GROUPS.len());
            let mut agents: Vec<usize> = agents_of_group(group).collect();
            self.rng.shuffle(&mut agents);
            agents.truncate(self.rng.usize(1..=5));
            let for_ms = self.rng.u64(10..=60) * MINUTE_MS;
            self.queue.add(at_ms, SiteEvent::OperatorKills { agents, for_ms });
        }
    }

    /// Draws the times of something that happens so often a day.
    fn times(&mut self, a_day: f64, first_ms: u64) -> Vec<u64> {
        let end_ms = self.days * DAY_MS;
        let mut times = Vec::new();
        let mut at_ms = first_ms;
        loop {
            let wait_days = -(1.0 - self.rng.f64()).ln() / a_day;
            at_ms += (wait_days * DAY_MS as f64) as u64;
            if at_ms >= end_ms {
                return times;
            }
            times.push(at_ms);
        }
    }
}

/// Returns whether a fault of that kind makes a difference to an agent, so that it can be found at all: with work of
/// one task an hour, or on working days only, some of them don't.
fn can_have(kind: FaultKind, agent: usize) -> bool {
    let arrivals = GROUPS[group_of(agent)].arrivals;
    let is_steady = matches!(arrivals, Arrivals::Random(rate) if rate > 0.01);
    match kind {
        FaultKind::Failing => is_steady || matches!(arrivals, Arrivals::Bursts { .. }),
        FaultKind::Slow => is_steady,
        FaultKind::NoWork => !matches!(arrivals, Arrivals::OfficeHours(_)),
        _ => true,
    }
}

/// Returns who wants to be told of something that lasts so long.
pub(super) const fn attention_for(for_ms: u64) -> Attention {
    if for_ms > 10 * MINUTE_MS { Attention::Needed } else { Attention::Unwanted }
}
