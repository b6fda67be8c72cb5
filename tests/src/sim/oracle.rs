//! Watches the core from outside: what goes in, what comes out, and whether that is right.

use std::collections::BTreeSet;
use std::time::Duration;

use heartline_fleet::{
    AgentIndex, Fleet, HEARTBEAT, HistoryDbRow, Message, MonoTime, OutgoingAck, Output,
    RestoredAgent,
};

use heartline_protocol::Body;
use heartline_vocabulary::{AgentStatus, Reason, State};

use super::disk::Durable;
use super::violation::{Checked, hold};
use super::watched::Watched;

/// Everything that the oracle knows of one start of the collector.
#[derive(Debug)]
pub(super) struct Oracle {
    watched: Vec<Option<Watched>>,
    /// Those that were forgotten and are not back yet.
    forgotten: Vec<Option<Watched>>,
    stall_after: Duration,
    /// Tags of the datagrams that were handled, by any start.
    handled: BTreeSet<[u8; 32]>,
    swept_to: MonoTime,
    wall_was_set: bool,
}

/// Stands where the current session does of one that has none.
pub(super) const NO_SESSION: u64 = 0;
/// Sweeps of the core are at least this far apart.
const SWEEP_EVERY_MS: u64 = 20;
/// What the core lets pass without calling it an absence.
pub(super) const ABSENCE: Duration = Duration::from_millis(300);
/// So many superseded sessions are remembered whatever happens.
pub(super) const REMEMBERED: usize = 8;
/// Most answers to one agent in a second.
const ANSWERS_PER_SECOND: u32 = 64;

/// What a repeated datagram must not change.
#[derive(Debug, PartialEq)]
pub(super) struct Frozen {
    session: u64,
    address: Option<std::net::SocketAddr>,
    totals: heartline_vocabulary::WorkTotals,
    last_live: Option<MonoTime>,
    in_flight: u32,
    generation: u64,
}

impl Frozen {
    pub(super) fn of(fleet: &Fleet, agent: &str) -> Option<Self> {
        let view = fleet.view(fleet.find(agent)?)?;
        Some(Self {
            session: view.session(),
            address: view.address(),
            totals: *view.totals(),
            last_live: view.last_live(),
            in_flight: view.in_flight(),
            generation: view.desired().map_or(0, |desired| desired.generation),
        })
    }
}

/// The number in an agent's name.
pub(super) fn number_of(agent: &str) -> usize {
    agent.rsplit('-').next().and_then(|n| n.parse().ok()).expect("agents are named by number")
}

impl Oracle {
    pub(super) fn new(agents: usize, stall_after: Duration) -> Self {
        Self {
            watched: vec![None; agents],
            forgotten: vec![None; agents],
            stall_after,
            handled: BTreeSet::new(),
            swept_to: MonoTime::NEVER_YET,
            wall_was_set: false,
        }
    }

    /// The agent of that number, if it is known.
    pub(super) fn watched(&self, agent: usize) -> Option<&Watched> {
        self.watched[agent].as_ref()
    }

    /// A new start of the collector knows these.
    pub(super) fn begin(&mut self, restored: &[RestoredAgent], wall_was_set: bool, now: MonoTime) {
        self.forgotten = vec![None; self.watched.len()];
        let before = std::mem::replace(&mut self.watched, self.forgotten.clone());
        self.wall_was_set |= wall_was_set;
        self.swept_to = now;
        for agent in restored {
            let number = number_of(&agent.agent);
            let mut watched = Watched::new(agent.id.0, agent.interval_ms, now);
            watched.sessions = agent.sessions.iter().map(|it| it.session).collect();
            watched.ended = agent.sessions.first().and_then(|it| it.ended);
            watched.desired =
                agent.desired.as_ref().map(|desired| (desired.killed, desired.at.min(now)));
            watched.generation = agent.desired.as_ref().map_or(0, |desired| desired.generation);
            watched.restored = Some(agent.status);
            if let Some(before) = before[number].as_ref().filter(|it| it.id == watched.id) {
                watched.since = before.since;
            }
            self.watched[number] = Some(watched);
        }
    }

    /// The kernel dropped datagrams from `from` to `to`.
    pub(super) fn dropped(&mut self, from: MonoTime, to: MonoTime) {
        for watched in self.watched.iter_mut().flatten() {
            watched.dropped(from, to, self.stall_after);
        }
    }

    /// Time passes to `now`; the core was last asked at `looked`.
    pub(super) fn look(&mut self, looked: MonoTime, now: MonoTime) {
        if now.since(looked) > ABSENCE {
            self.swept_to = self.swept_to.max(looked);
            self.watched.iter_mut().flatten().for_each(|watched| watched.put_off(looked, now));
        }
    }

    /// A tick was handled.
    pub(super) fn ticked(&mut self, now: MonoTime) {
        self.swept_to = self.swept_to.max(now.minus_millis(SWEEP_EVERY_MS));
    }

    /// Takes note of a datagram; says whether the same one was handled before.
    pub(super) fn is_repeated(&mut self, bytes: &[u8]) -> bool {
        let tag = bytes.last_chunk().expect("a verified datagram has a tag");
        !self.handled.insert(*tag)
    }

    /// An authentic datagram was handled.
    pub(super) fn heard(&mut self, message: &Message<'_>, fleet: &Fleet, now: MonoTime) -> Checked {
        let number = number_of(message.agent);
        let view = fleet.find(message.agent).and_then(|index| fleet.view(index));
        let Some(view) = view else { return Ok(()) };
        let watched = self.watched[number].get_or_insert_with(|| {
            let interval_ms = match &message.body {
                Body::Beat(beat) => beat.interval_ms,
                _ => heartline_protocol::limits::INTERVAL_DEFAULT_MS,
            };
            let mut watched = Watched::new(view.id().0, interval_ms, now);
            if let Some(before) = self.forgotten[number].take() {
                (watched.sessions, watched.taken) = (before.sessions, before.taken);
                watched.sessions.insert(0, NO_SESSION);
            }
            watched
        });
        let is_current = watched.sessions.first() == Some(&message.session);
        let is_known = watched.sessions.contains(&message.session);
        if is_known && !watched.taken.insert((message.session, message.sequence)) {
            return Ok(());
        }
        if !message.fresh {
            if !is_known && !watched.is_news_of_stranger(message.session, message.sequence) {
                return Ok(());
            }
            // A recording of before this start is new to it, and proves nothing.
            if is_current || !is_known {
                watched.heard_at = now;
                if watched.doubted_from <= watched.silent_from {
                    watched.doubted_from = now;
                }
            }
            return Ok(());
        }
        watched.live(message, &view, now)
    }

    /// Whether the core still knows a session: it never counts a segment of it twice.
    pub(super) fn remembers(&self, id: i64, session: u64) -> bool {
        let watched = self.watched.iter().flatten().find(|watched| watched.id == id);
        let at = watched.and_then(|it| it.sessions.iter().position(|&known| known == session));
        let is_newcomer = watched.is_some_and(|it| it.newcomer == Some(session));
        at.is_some_and(|at| at <= REMEMBERED) && !is_newcomer
    }

    /// Commands have become durable.
    pub(super) fn persisted(&mut self, commands: &[Durable], now: MonoTime) -> Checked {
        for command in commands.iter().filter(|command| command.changed) {
            let watched = self.watched.iter_mut().flatten().find(|it| it.id == command.id.0);
            if let Some(watched) = watched {
                hold!(
                    command.generation > watched.generation,
                    "generation {} after {}",
                    command.generation,
                    watched.generation
                );
                watched.generation = command.generation;
                watched.desired = Some((command.killed, now));
            }
        }
        Ok(())
    }

    /// Checks one output.
    pub(super) fn check_output(&mut self, output: &Output, now: MonoTime) -> Checked {
        match output {
            Output::Transition(heartline_fleet::Transition { id, at, from, to, .. }) => {
                let (stall_after, was_set) = (self.stall_after, self.wall_was_set);
                let Some(watched) = self.by_id(id.0) else {
                    return Ok(());
                };
                watched.restored = None;
                hold!(
                    *from == watched.status,
                    "{from:?} → {to:?} although it was {:?}",
                    watched.status
                );
                hold!(from != to, "{from:?} became itself");
                hold!(*at <= now, "{to:?} became true in the future");
                hold!(
                    *at >= watched.since || was_set,
                    "{to:?} became true at {at:?}, before {from:?}"
                );
                // From unreachable to late: drops that became known since then excuse the silence,
                // and the next word of the agent shows it.
                let is_deadline = !matches!(from.state, State::Killed | State::Unreachable);
                match to.reason {
                    Some(Reason::Late) if is_deadline => hold!(
                        watched.is_late_moment(*at),
                        "late at {at:?} and not at its deadline {:?}",
                        watched.late_at()
                    ),
                    Some(Reason::Silent | Reason::OneWay) if is_deadline => hold!(
                        watched.is_unreachable_moment(*at),
                        "unreachable at {at:?} and not at its deadline {:?}",
                        watched.unreachable_at()
                    ),
                    Some(Reason::Stalled) if *from == AgentStatus::HEALTHY => {
                        let due = watched.stalled_at(stall_after).unwrap_or(MonoTime::NEVER);
                        hold!(*at == due.max(watched.since), "stalled at {at:?}, not at {due:?}");
                    }
                    _ => {}
                }
                watched.since = *at;
                watched.status = *to;
            }
            Output::Record(HistoryDbRow::Disobeyed { .. }) => {
                hold!(false, "an obedient agent was called disobedient");
            }
            Output::Record(HistoryDbRow::Forgotten { id, .. }) => {
                for (watched, forgotten) in self.watched.iter_mut().zip(&mut self.forgotten) {
                    if let Some(gone) = watched.take_if(|watched| watched.id == id.0) {
                        let is_killed = gone.desired.is_some_and(|(killed, _)| killed);
                        hold!(!is_killed, "a killed agent was forgotten");
                        *forgotten = Some(gone);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// An answer goes out; `len` bytes long.
    pub(super) fn answered(
        &mut self,
        agent: usize,
        answer: &OutgoingAck,
        len: usize,
        now: MonoTime,
    ) -> Checked {
        hold!(len <= usize::from(answer.message_len), "an answer is longer than its question");
        let Some(watched) = self.watched[agent].as_mut() else { return Ok(()) };
        let second = now.nanos().div_euclid(1_000_000_000);
        let (of, count) = watched.answers;
        watched.answers = (second, if of == second { count + 1 } else { 1 });
        hold!(watched.answers.1 <= ANSWERS_PER_SECOND, "too many answers in one second");
        Ok(())
    }

    /// Checks everybody's state as it is shown now.
    pub(super) fn check(
        &mut self,
        fleet: &Fleet,
        changed: &[AgentIndex],
        now: MonoTime,
    ) -> Checked {
        let (stall_after, swept_to) = (self.stall_after, self.swept_to.min(now));
        let mut of = [0; State::ALL.len()];
        let (mut views, mut next) = (0, MonoTime::NEVER);
        for view in fleet.views() {
            views += 1;
            of[view.status().state as usize] += 1;
            let Some(watched) = self.watched[number_of(view.name())].as_mut() else {
                hold!(false, "{} is known to nobody", view.name());
                return Ok(());
            };
            watched.check(&view, stall_after, swept_to, now)?;
            let shown = (view.status(), *view.totals(), view.last_live());
            let was = watched.shown.replace(shown);
            hold!(
                was == Some(shown) || changed.contains(&view.index),
                "{} changed and operators are not told",
                view.name()
            );
            let boundaries = watched.boundaries();
            let to_come = boundaries.into_iter().filter(|&at| at > now);
            let changes = |at: &MonoTime| watched.expected(*at, stall_after) != view.status();
            next = next.min(to_come.filter(changes).min().unwrap_or(MonoTime::NEVER));
        }
        hold!(views == self.watched.iter().flatten().count(), "somebody is missing");
        let summary = fleet.state_counts();
        hold!(summary.total == views as u32, "{} in all states, {views} agents", summary.total);
        for state in State::ALL {
            hold!(summary.of(state) == of[state as usize], "the sum of {state:?} is wrong");
        }
        let timeout = fleet.poll_timeout();
        hold!(timeout <= now + HEARTBEAT, "it would sleep for longer than a heartbeat");
        hold!(
            timeout <= next.max(now.plus_millis(SWEEP_EVERY_MS)),
            "it would sleep until {timeout:?}, past a deadline at {next:?}"
        );
        Ok(())
    }

    fn by_id(&mut self, id: i64) -> Option<&mut Watched> {
        self.watched.iter_mut().flatten().find(|watched| watched.id == id)
    }
}
