//! What history has recorded, and the steps that a replay takes through it.

use std::collections::BTreeMap;
use std::time::Duration;

use heartline_vocabulary::{AgentStatus, GapCause, Identity};

use super::last_beat::{KnownGaps, SilentAgent};
use crate::alert::input::AlertInput;
use crate::thresholds::HealthRules;
use crate::time::MonoTime;

/// An agent as history knows it.
#[derive(Clone, Debug)]
pub struct RecordedAgent {
    pub agent: Box<str>,
    pub identity: Option<Identity>,
    /// 0: not known.
    pub interval_ms: u32,
    pub status: AgentStatus,
    pub since: MonoTime,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum RecordedEvent {
    /// An agent is there, or is another one than before: its status counts where it was not there.
    Agent(Box<RecordedAgent>),
    /// An agent's status changed.
    Transition {
        agent: Box<str>,
        from: AgentStatus,
        to: AgentStatus,
        /// The words of a [`crate::TransitionCause`].
        cause: Box<str>,
    },
    Forgotten {
        agent: Box<str>,
    },
    /// Time until here was not observed.
    Gap {
        from: MonoTime,
        cause: GapCause,
    },
    /// Silences, and what is wrong with sinks. Acknowledgements by number mean nothing here.
    Alert(Box<AlertInput>),
    /// Somebody took care of the incident in which these agents were.
    Acknowledged {
        agents: Vec<Box<str>>,
        /// `user@host`
        by: Box<str>,
    },
}

/// A step of a replay.
#[derive(Debug)]
pub(super) enum Step {
    Agent(Box<RecordedAgent>),
    /// The last beat before a silence that was judged later.
    LastBeat {
        agent: Box<str>,
    },
    /// The silence of an agent that was not heard since the collector started begins here.
    NotHeard {
        agent: Box<str>,
        last_live: MonoTime,
    },
    /// Stamped with the moment at which it became true.
    Transition {
        agent: Box<str>,
        from: AgentStatus,
        to: AgentStatus,
        at: MonoTime,
    },
    Forgotten {
        agent: Box<str>,
    },
    /// Silence is measured by a clock that stood still for so long.
    Gap {
        lost: Duration,
    },
    Alert(Box<AlertInput>),
    Acknowledged {
        agents: Vec<Box<str>>,
        by: Box<str>,
    },
}

impl RecordedAgent {
    /// Returns an agent of which nothing but its name is known.
    pub(super) fn unknown(agent: Box<str>) -> Self {
        Self {
            agent,
            identity: None,
            interval_ms: 0,
            status: AgentStatus::UNKNOWN,
            since: MonoTime::NEVER_YET,
        }
    }
}

/// Returns the steps of a recording, each with the time at which it was noticed at the earliest, in order; none is
/// before `begin`.
pub(super) fn steps(
    health: &HealthRules,
    begin: MonoTime,
    agents: &[RecordedAgent],
    events: Vec<(MonoTime, RecordedEvent)>,
) -> Vec<(MonoTime, Step)> {
    let mut gaps = KnownGaps::default();
    let mut known: BTreeMap<Box<str>, SilentAgent> = BTreeMap::new();
    for agent in agents {
        known.insert(agent.agent.clone(), SilentAgent::of(health, agent));
    }
    let mut steps = Vec::new();
    // The order of storage is that in which things were noticed: none was before what is stored before it.
    let mut noticed = begin;
    for (at, event) in events {
        noticed = noticed.max(at);
        let step = match event {
            RecordedEvent::Agent(agent) => {
                known.entry(agent.agent.clone()).or_insert_with(|| SilentAgent::of(health, &agent));
                Step::Agent(agent)
            }
            RecordedEvent::Transition { agent, from, to, cause } => {
                let silent = known.entry(agent.clone()).or_insert_with(|| {
                    SilentAgent::of(health, &RecordedAgent::unknown(agent.clone()))
                });
                if let Some(begun) = silent.enter(to, at, &cause, &gaps) {
                    let agent = agent.clone();
                    let step = match begun.last_live {
                        None => Step::LastBeat { agent },
                        Some(last_live) => Step::NotHeard { agent, last_live },
                    };
                    steps.push((begun.at.max(begin), step));
                }
                Step::Transition { agent, from, to, at }
            }
            RecordedEvent::Forgotten { agent } => {
                known.remove(&agent);
                Step::Forgotten { agent }
            }
            RecordedEvent::Gap { from, cause } => {
                gaps.push(from, at, cause);
                // After a start all silences are counted from there.
                let lost = if cause == GapCause::Down { Duration::ZERO } else { at.since(from) };
                Step::Gap { lost }
            }
            RecordedEvent::Alert(input) => Step::Alert(input),
            RecordedEvent::Acknowledged { agents, by } => Step::Acknowledged { agents, by },
        };
        steps.push((noticed, step));
    }
    // The last beat of an agent comes behind the transition that it brought about.
    steps.sort_by_key(|(at, step)| {
        (*at, matches!(step, Step::LastBeat { .. } | Step::NotHeard { .. }))
    });
    steps
}
