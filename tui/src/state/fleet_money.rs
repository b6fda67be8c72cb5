//! What the fleet costs, and from where on one agent costs much.

use heartline_operator::FleetMirror;

/// An agent stands out that costs so many times what the one in the middle does.
const COSTLY_FACTOR: u64 = 10;
/// Below this cost of a day, in nano-dollars, nothing stands out: ten times next to nothing is next to nothing.
const COSTLY_MIN_NANO_USD: u64 = 100_000_000;

/// Sums over the whole fleet, in nano-dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FleetMoney {
    /// Since midnight UTC.
    pub today: u64,
    /// In the last hour.
    pub hour: u64,
    /// Cost of an agent's day from which on it stands out.
    pub costly: u64,
    /// An agent does.
    pub stands_out: bool,
}

impl Default for FleetMoney {
    fn default() -> Self {
        Self { today: 0, hour: 0, costly: u64::MAX, stands_out: false }
    }
}

impl FleetMoney {
    /// Adds up what is known. The middle is that of the agents that cost anything.
    pub(crate) fn of(fleet: &FleetMirror) -> Self {
        let known = || fleet.entries().filter(|entry| entry.work.is_known());
        let (mut today, mut hour) = (0_u64, 0_u64);
        let mut costs: Vec<u64> = Vec::new();
        for entry in known() {
            today = today.saturating_add(entry.work.cost_today_nano_usd);
            hour = hour.saturating_add(entry.work.cost_nano_usd);
            costs.extend(Some(entry.work.cost_today_nano_usd).filter(|cost| *cost > 0));
        }
        let middle = costs.len() / 2;
        if costs.is_empty() {
            return Self { today, hour, ..Self::default() };
        }
        let (_, median, _) = costs.select_nth_unstable(middle);
        let costly = median.saturating_mul(COSTLY_FACTOR).max(COSTLY_MIN_NANO_USD);
        let stands_out = costs.iter().any(|cost| *cost > costly);
        Self { today, hour, costly, stands_out }
    }
}
