//! What a repeated datagram must not change.

use heartline_fleet::{Fleet, MonoTime};
use heartline_vocabulary::WorkTotals;

/// State that a repeated datagram must not change.
#[derive(Debug, PartialEq)]
pub(super) struct ReplaySnapshot {
    session: u64,
    address: Option<std::net::SocketAddr>,
    totals: WorkTotals,
    last_live: Option<MonoTime>,
    in_flight: u32,
    generation: u64,
}

impl ReplaySnapshot {
    pub(super) fn of(fleet: &Fleet, agent: &str) -> Option<Self> {
        let view = fleet.agent(fleet.find(agent)?)?;
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
