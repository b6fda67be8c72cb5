//! What operators are shown: pages of the fleet, and what has changed since.

use std::collections::BTreeMap;
use std::sync::Arc;

use heartline_fleet::{AgentIndex, AgentView, Fleet};

use heartline_operator::message::{AgentEntry, VitalsUpdate, WorkWindow};
use heartline_vocabulary::{AgentRowId, Identity};

use super::mailbox::{Changed, PageRequest};
use super::translate;
use crate::clock::Anchor;

/// Most agents in one page: about 300 KiB, and less than a millisecond of the driver's time.
const PAGE_MAX: u32 = 1_000;

/// What was told of the fleet so far.
#[derive(Default)]
pub(super) struct DeltaTracker {
    /// By index: whose identity was told last.
    told: Vec<Option<(AgentRowId, Option<Identity>)>>,
    changed: Vec<AgentIndex>,
    /// WorkWindow of the last hour, as far as it was computed.
    pub(super) works: Arc<BTreeMap<AgentRowId, WorkWindow>>,
}

/// What has changed, without the collector's own condition.
pub(super) struct Told {
    pub(super) entries: Vec<AgentEntry>,
    pub(super) changed: Vec<Changed>,
    pub(super) removed: Vec<u32>,
}

impl DeltaTracker {
    /// One agent, whole.
    pub(super) fn entry(&self, view: &AgentView<'_>, anchor: Anchor) -> AgentEntry {
        AgentEntry {
            key: view.index.0,
            agent: view.name().to_owned(),
            identity: view.identity().cloned().unwrap_or_default(),
            vitals: translate::vitals(view, anchor),
            work: self.works.get(&view.id()).cloned().unwrap_or_else(no_work),
            total: *view.totals(),
        }
    }

    /// Part of the fleet, and where to go on.
    pub(super) fn page(
        &self,
        fleet: &Fleet,
        request: PageRequest,
        anchor: Anchor,
    ) -> (Vec<AgentEntry>, Option<u32>) {
        let entry = |view: AgentView<'_>| self.entry(&view, anchor);
        match request {
            PageRequest::From(from, limit) => {
                let until = from.saturating_add(limit.clamp(1, PAGE_MAX)).min(fleet.places());
                let views = (from..until).filter_map(|index| fleet.view(AgentIndex(index)));
                let entries = views.map(entry).collect();
                (entries, (until < fleet.places()).then_some(until))
            }
            PageRequest::Named(names) => {
                let views = names.iter().filter_map(|name| fleet.view(fleet.find(name)?));
                (views.map(entry).collect(), None)
            }
        }
    }

    /// What has changed since the call before.
    pub(super) fn news(&mut self, fleet: &mut Fleet, anchor: Anchor) -> Told {
        let mut indices = std::mem::take(&mut self.changed);
        fleet.drain_changed(&mut indices);
        let (mut entries, mut changed, mut removed) = (Vec::new(), Vec::new(), Vec::new());
        for index in indices.drain(..) {
            if self.told.len() <= index.get() {
                self.told.resize(index.get() + 1, None);
            }
            let Some(view) = fleet.view(index) else {
                self.told[index.get()] = None;
                removed.push(index.0);
                continue;
            };
            let told = &mut self.told[index.get()];
            let telling = Some((view.id(), view.identity().cloned()));
            if *told == telling {
                changed.push(Changed {
                    change: VitalsUpdate { key: index.0, vitals: translate::vitals(&view, anchor) },
                    id: view.id(),
                    total: *view.totals(),
                });
            } else {
                *told = telling;
                entries.push(self.entry(&view, anchor));
            }
        }
        self.changed = indices;
        Told { entries, changed, removed }
    }
}

/// The work of an agent that did none in the last hour.
pub fn no_work() -> WorkWindow {
    WorkWindow { window_ms: 3_600_000, ..WorkWindow::default() }
}
