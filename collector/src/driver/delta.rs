//! What operators are sent of the fleet: pages of it as it is, and deltas since the last one.

use heartline_fleet::{Agent, AgentIndex, Fleet};
use heartline_operator::message::{
    AgentEntry, AgentVitals, CollectorStatus, CommandStatus, FleetDelta, RecentWork,
};
use heartline_vocabulary::{AgentRowId, Identity};

use super::request::PageRequest;
use crate::clock::WallClockAnchor;

/// Most agents in one page: about 100 KiB, of which a unix socket holds two, so that neither side waits
/// for the other, and less than half a millisecond of the driver's time.
const PAGE_MAX: u32 = 400;

/// Tracks what the last deltas contained, so that identities are sent only when they change.
#[derive(Default)]
pub(super) struct DeltaTracker {
    /// By index: the agent and identity that were sent last.
    last_sent: Vec<Option<(AgentRowId, Option<Identity>)>>,
    changed: Vec<AgentIndex>,
}

impl DeltaTracker {
    /// Returns everything that has changed since the call before. Work and events are left empty.
    pub(super) fn delta(
        &mut self,
        fleet: &mut Fleet,
        turn: u64,
        collector: CollectorStatus,
        anchor: WallClockAnchor,
    ) -> FleetDelta {
        let mut delta = FleetDelta { turn, collector, ..FleetDelta::default() };
        let mut changed = std::mem::take(&mut self.changed);
        fleet.drain_changed(&mut changed);
        for index in changed.drain(..) {
            if self.last_sent.len() <= index.get() {
                self.last_sent.resize(index.get() + 1, None);
            }
            let last_sent = &mut self.last_sent[index.get()];
            let view = fleet.agent(index);
            let id = view.map(Agent::id);
            if let Some((gone, _)) = last_sent.take_if(|(sent, _)| Some(*sent) != id) {
                delta.removed.push(gone);
            }
            let Some(view) = view else { continue };
            let identity = (view.id(), view.identity().cloned());
            if last_sent.as_ref() == Some(&identity) {
                delta.vitals.push((view.id(), vitals(view, anchor)));
            } else {
                *last_sent = Some(identity);
                delta.entries.push(entry(view, anchor));
            }
        }
        self.changed = changed;
        delta
    }
}

/// Returns a page of the fleet, and the start of the next one. Work is left empty.
pub(super) fn page(
    fleet: &Fleet,
    request: PageRequest,
    anchor: WallClockAnchor,
) -> (Vec<AgentEntry>, Option<u32>) {
    let entry = |agent: &Agent| entry(agent, anchor);
    match request {
        PageRequest::Range { start, limit } => {
            let until = start.saturating_add(limit.clamp(1, PAGE_MAX)).min(fleet.slot_count());
            let views = (start..until).filter_map(|index| fleet.agent(AgentIndex(index)));
            // Entries are large: growth would move them again and again.
            let mut entries = Vec::with_capacity(until.saturating_sub(start) as usize);
            entries.extend(views.map(entry));
            (entries, (until < fleet.slot_count()).then_some(until))
        }
        PageRequest::Named(names) => {
            let views = names.iter().filter_map(|name| fleet.agent(fleet.find(name)?));
            (views.map(entry).collect(), None)
        }
    }
}

/// Returns one agent. Its work is left empty.
pub(super) fn entry(view: &Agent, anchor: WallClockAnchor) -> AgentEntry {
    AgentEntry {
        id: view.id(),
        agent: view.name().to_owned(),
        identity: view.identity().cloned().unwrap_or_default(),
        vitals: vitals(view, anchor),
        work: RecentWork::default(),
    }
}

fn vitals(view: &Agent, anchor: WallClockAnchor) -> AgentVitals {
    let wall = |moment| anchor.wall_ms(moment);
    let status = view.status();
    AgentVitals {
        state: status.state,
        reason: status.reason,
        since_ms: wall(view.since()),
        last_beat_ms: view.last_live().map(wall),
        progress_ms: view.progress_at().map(wall),
        oldest_task_ms: view.oldest_task_at().map(wall),
        in_flight: view.in_flight(),
        queue: view.queue(),
        step: view.step().map(ToOwned::to_owned),
        phase: view.phase(),
        interval_ms: view.interval_ms(),
        session: view.session(),
        starts: view.starts(),
        beats: view.received(),
        lost: view.lost(),
        lost_observations: view.lost_observations(),
        process: view.process_usage().map(|usage| Box::new(*usage)),
        command: view.command().map(|command| {
            Box::new(CommandStatus {
                action: command.action,
                cause: command.desired.cause,
                generation: command.desired.generation,
                by: command.desired.by.to_string(),
                reason: command.desired.reason.to_string(),
                at_ms: wall(command.desired.at),
                delivered_ms: command.desired.delivered_ms,
                obeyed_ms: command.desired.obeyed_ms,
                draining: command.draining,
                disobeyed: command.desired.disobeyed,
            })
        }),
        total: *view.totals(),
    }
}
