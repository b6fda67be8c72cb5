//! DesiredState states: kill and resume, and how far they have come.

use std::collections::BTreeSet;

use heartline_protocol::Beat;
use heartline_protocol::limits::GENERATION_MAX;

use crate::fleet::Fleet;
use crate::input::CommandRequest;
use crate::output::{ControlDbRow, HistoryDbRow, OutgoingPush, Output, WriteTicket};
use crate::roster::AgentIndex;
use crate::state::TransitionCause;
use crate::time::MonoTime;
use heartline_vocabulary::Reason;
use heartline_vocabulary::{Action, AgentRowId, CommandRefusal, CommandTarget};

/// More agents than this need their count confirmed…
const UNCONFIRMED_MAX: usize = 10;
/// …and so do more than one in so many of the fleet, if they are more than one.
const UNCONFIRMED_SHARE: usize = 5;

/// Whether a command that hits `hits` agents of `total` may go ahead.
pub(crate) fn check_count(
    hits: usize,
    total: usize,
    expected: Option<u32>,
) -> Result<(), CommandRefusal> {
    let is_large =
        hits > UNCONFIRMED_MAX || (hits > 1 && hits.saturating_mul(UNCONFIRMED_SHARE) > total);
    let hits = u32::try_from(hits).unwrap_or(u32::MAX);
    let is_wrong = expected.is_some_and(|expected| expected != hits);
    if is_wrong || (is_large && expected.is_none()) {
        return Err(CommandRefusal::CountNotConfirmed { hits, expected });
    }
    Ok(())
}

/// What an agent shall be, by whose word, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredState {
    /// Grows with every command.
    pub generation: u64,
    /// Whether it shall stop working.
    pub killed: bool,
    /// [`Reason::Operator`] or [`Reason::Policy`].
    pub cause: Reason,
    /// Who: `user@host`.
    pub by: Box<str>,
    /// Why. Scrubbed.
    pub reason: Box<str>,
    /// When it became durable.
    pub at: MonoTime,
    /// How long after, in ms, a beat reported it as applied.
    pub delivered_ms: Option<u64>,
    /// How long after, in ms, no task was in flight any more.
    pub obeyed_ms: Option<u64>,
    /// The last segment of its session that may still hold work from before it was quiet;
    /// [`u64::MAX`] while this session has not said that it is.
    pub last_segment: u64,
    /// It went on completing work after it was quiet.
    pub disobeyed: bool,
}

/// How far above ours a generation may be that an agent reports. More than that no copy of a
/// database is behind; an agent that makes one up must not use up the numbers that outrank it.
const LEAP_MAX: u64 = 1 << 20;

/// When an agent is told again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PushSchedule {
    sent: u8,
    pub(crate) next: MonoTime,
}

/// How long to wait from push to push, so that they go out 0, 100, 200, 400 and 800 ms after the
/// command; then the acks carry it alone.
const PUSH_AGAIN_MS: [u64; 4] = [100, 100, 200, 400];

impl PushSchedule {
    pub(crate) fn new(now: MonoTime) -> Self {
        Self { sent: 0, next: now }
    }

    /// Takes note that one was sent; says whether there will be another.
    pub(crate) fn sent(&mut self, now: MonoTime) -> bool {
        let wait = PUSH_AGAIN_MS.get(usize::from(self.sent));
        self.sent = self.sent.saturating_add(1);
        wait.is_some_and(|&wait| {
            self.next = now.plus_millis(wait);
            true
        })
    }
}

/// A command on its way to the disk.
#[derive(Debug)]
pub(crate) struct PendingCommand {
    request: CommandRequest,
    targets: Vec<PendingTarget>,
}

/// One agent of a pending command: where it stands, and who it is if that place is taken over.
#[derive(Debug)]
struct PendingTarget {
    index: AgentIndex,
    id: AgentRowId,
    target: CommandTarget,
}

impl Fleet {
    pub(crate) fn on_command(&mut self, request: CommandRequest, now: MonoTime) {
        let request_id = request.request_id;
        let targets = match self.targets(&request) {
            Ok(targets) => targets,
            Err(refusal) => {
                self.outputs.push_back(Output::Refused { request_id, refusal });
                return;
            }
        };
        self.last_command.0 += 1;
        let ticket = self.last_command;
        self.outputs.push_back(Output::Persist(ControlDbRow::Command {
            ticket,
            request_id,
            at: now,
            action: request.action,
            cause: request.cause,
            by: request.by.clone(),
            reason: request.reason.clone(),
            targets: targets.iter().map(|it| (it.id, it.target.clone())).collect(),
        }));
        self.commands.insert(ticket, PendingCommand { request, targets });
    }

    /// Finds the agents of a command, checks it, and gives out their generations.
    fn targets(&mut self, request: &CommandRequest) -> Result<Vec<PendingTarget>, CommandRefusal> {
        if request.agents.is_empty() {
            return Err(CommandRefusal::NoAgents);
        }
        if request.action.kills() && request.reason.trim().is_empty() {
            return Err(CommandRefusal::NoReason);
        }
        let (mut found, mut unknown) = (BTreeSet::new(), Vec::new());
        for agent in &request.agents {
            match self.roster.find(agent) {
                Some(index) => drop(found.insert(index)),
                None => unknown.push(agent.clone()),
            }
        }
        if !unknown.is_empty() {
            return Err(CommandRefusal::UnknownAgents(unknown));
        }
        check_count(found.len(), self.roster.len(), request.expect)?;
        let target = |index| {
            let agent = self.roster.get_mut(index)?;
            let durable = agent.desired.as_ref().map_or(0, |desired| desired.generation);
            // With another command on its way to the disk, only a further one can be sure to win.
            let changed = agent.generation > durable || agent.is_killed() != request.action.kills();
            agent.generation = (agent.generation + u64::from(changed)).min(GENERATION_MAX);
            let (name, generation) = (agent.name.clone(), agent.generation);
            let state = agent.standing.state;
            let target = CommandTarget { agent: name, generation, state, changed };
            Some(PendingTarget { index, id: agent.id, target })
        };
        Ok(found.into_iter().filter_map(target).collect())
    }

    /// A command is on disk: from here on it is true.
    pub(crate) fn on_persisted(&mut self, ticket: WriteTicket, now: MonoTime) {
        while let Some(entry) = self.commands.first_entry().filter(|it| *it.key() <= ticket) {
            let PendingCommand { request, targets } = entry.remove();
            for pending in targets.iter().filter(|it| it.target.changed) {
                self.set_desired(pending, &request, now);
            }
            self.outputs.push_back(Output::Commanded {
                request_id: request.request_id,
                at: now,
                targets: targets.into_iter().map(|it| it.target).collect(),
            });
        }
    }

    fn set_desired(&mut self, pending: &PendingTarget, request: &CommandRequest, now: MonoTime) {
        let &PendingTarget { index, id, ref target } = pending;
        if self.roster.get(index).is_none_or(|agent| agent.id != id) {
            return;
        }
        self.catch_up(index, now);
        let Some(agent) = self.roster.get_mut(index) else { return };
        let (by, reason) = (request.by.clone(), request.reason.clone());
        agent.desired = Some(Box::new(DesiredState {
            generation: target.generation,
            killed: request.action.kills(),
            cause: request.cause,
            by: by.clone(),
            reason: reason.clone(),
            at: now,
            delivered_ms: None,
            obeyed_ms: None,
            last_segment: u64::MAX,
            disobeyed: false,
        }));
        if let Some(before) = agent.pushes.replace(Box::new(PushSchedule::new(now))) {
            self.pushing.remove(&(before.next, index));
        }
        self.pushing.insert((now, index));
        self.outputs.push_back(Output::Record(HistoryDbRow::Commanded {
            id,
            at: now,
            action: request.action,
            generation: target.generation,
            by: by.clone(),
            reason: reason.clone(),
        }));
        self.rejudge(index, now, Some(TransitionCause::Command { by, reason }));
        self.note_changed(index);
        self.push_due(now);
    }

    /// Tells those agents their desired state whose time for it has come.
    pub(crate) fn push_due(&mut self, now: MonoTime) {
        while let Some(&(at, index)) = self.pushing.first().filter(|&&(at, _)| at <= now) {
            self.pushing.remove(&(at, index));
            let Some(agent) = self.roster.get_mut(index) else { continue };
            let Some(desired) = agent.desired.as_ref().filter(|it| it.delivered_ms.is_none())
            else {
                agent.pushes = None;
                continue;
            };
            // Without a live message there is nowhere to send it to: the next answer carries it.
            if let Some(to) = agent.address {
                self.outputs.push_back(Output::Push(OutgoingPush {
                    index,
                    to: to.into(),
                    session: agent.session.id,
                    generation: desired.generation,
                    killed: desired.killed,
                }));
            }
            let Some(pushes) = agent.pushes.as_deref_mut() else { continue };
            if pushes.sent(now) {
                self.pushing.insert((pushes.next, index));
            } else {
                agent.pushes = None;
            }
        }
    }

    /// What a live beat says about the newest command.
    pub(crate) fn note_obedience(&mut self, index: AgentIndex, beat: &Beat<'_>, now: MonoTime) {
        let Some(agent) = self.roster.get_mut(index) else { return };
        // A copy of `control.db` from before the newest command may have been restored: whatever
        // comes next must outrank what the agent has applied.
        if beat.applied_generation <= agent.generation.saturating_add(LEAP_MAX) {
            agent.generation = agent.generation.max(beat.applied_generation);
        }
        // One that applied a generation above ours has not applied ours.
        if agent.desired.as_ref().is_none_or(|it| it.generation != beat.applied_generation) {
            return;
        }
        self.note_progress(index, now);
        let Some(agent) = self.roster.get_mut(index) else { return };
        let Some(desired) = agent.desired.as_mut().filter(|desired| desired.killed) else { return };
        if desired.last_segment == u64::MAX {
            if beat.in_flight == 0 {
                // The pending segment, and the open one behind it, hold work from before.
                let pending = beat.segment.map_or(0, |segment| segment.number);
                desired.last_segment = agent.session.applied.max(pending) + 1;
            }
            return;
        }
        let worked = beat.segment.is_some_and(|segment| {
            segment.number > desired.last_segment && segment.ok + segment.failed > 0
        });
        if worked && !desired.disobeyed {
            desired.disobeyed = true;
            let (id, generation) = (agent.id, desired.generation);
            let row = HistoryDbRow::Disobeyed { id, at: now, generation };
            self.outputs.push_back(Output::Record(row));
        }
    }

    /// The agent has applied the newest command; whether it is quiet, too, its vitals say.
    pub(crate) fn note_progress(&mut self, index: AgentIndex, now: MonoTime) {
        let Some(agent) = self.roster.get_mut(index) else { return };
        let Some(desired) = agent.desired.as_mut() else { return };
        if desired.obeyed_ms.is_some() {
            return;
        }
        let so_far_ms = now.millis_since(desired.at);
        let is_news = desired.delivered_ms.is_none();
        let delivered_ms = *desired.delivered_ms.get_or_insert(so_far_ms);
        let is_quiet = !desired.killed || agent.in_flight == 0;
        if is_quiet {
            desired.obeyed_ms = Some(so_far_ms);
        }
        let (id, generation, obeyed_ms) = (agent.id, desired.generation, desired.obeyed_ms);
        let action = if desired.killed { Action::Kill } else { Action::Resume };
        if is_news || is_quiet {
            let row = ControlDbRow::Progress { id, generation, delivered_ms, obeyed_ms };
            self.outputs.push_back(Output::Persist(row));
        }
        if let Some(obeyed_ms) = obeyed_ms {
            self.outputs.push_back(Output::Record(HistoryDbRow::Obeyed {
                id,
                at: now,
                action,
                generation,
                delivered_ms,
                obeyed_ms,
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_commands_need_their_count() {
        assert!(check_count(1, 1, None).is_ok(), "one agent is named in full");
        assert!(check_count(2, 9, None).is_err(), "more than a fifth");
        assert!(check_count(2, 10, None).is_ok());
        assert!(check_count(11, 1_000, None).is_err(), "more than ten");
        assert!(check_count(11, 1_000, Some(11)).is_ok());
        assert!(check_count(1, 1_000, Some(2)).is_err(), "not what the operator was told");
    }
}
