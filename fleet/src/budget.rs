//! The budget of judged messages: what one agent may make the collector do.
//!
//! An emitter that keeps to `SPEC.md` sends its regular beats and at most 10 a second beyond them.
//! Whoever sends more (a loop in an agent, somebody with its key) is known to live, and is answered;
//! what it says beyond the budget is not taken.

use std::time::Duration;

use heartline_protocol::Body;

use crate::ack::{Freshness, PendingAck};
use crate::agent::{Agent, SessionKind};
use crate::context::AgentMut;
use crate::fleet::Fleet;
use crate::gap::ObservedTime;
use crate::input::AgentMessage;
use crate::rate_limit::Rate;
use crate::time::MonoTime;

/// Messages that an emitter may send beyond its regular ones (`SPEC.md`, "At once, within limits").
const OUT_OF_TURN_PER_SECOND: u64 = 10;
/// The time in which a burst that was used up comes back: datagrams that a network or a frozen
/// collector held back for as long are judged all the same.
const BURST_WINDOW_MS: u32 = 10_000;
/// How long an agent counts as flooding after a message beyond its budget.
const FLOODING_FOR: Duration = Duration::from_secs(60);
/// For how long after a freeze nobody is called flooding: what waited in the socket comes at once.
const EXCUSED_AFTER_FREEZE: Duration = Duration::from_secs(1);

/// Returns the rate of messages that are judged: those out of turn, and twice the regular ones, as two
/// processes may report as one agent.
fn judged_rate(interval_ms: u32) -> Rate {
    // Two in each shortest interval, which is 0.9 of the declared one.
    let regular_per_million_s = 2 * 10_000_000_000 / (9 * u64::from(interval_ms.max(1)));
    let per_million_s = OUT_OF_TURN_PER_SECOND * 1_000_000 + regular_per_million_s;
    let period_ms = u32::try_from(1_000_000_000 / per_million_s).unwrap_or(u32::MAX).max(1);
    Rate { period_ms, burst: BURST_WINDOW_MS / period_ms }
}

impl Agent {
    /// Returns until when the agent counts as flooding.
    pub(crate) fn flooding_until(&self) -> ObservedTime {
        self.throttle.as_ref().map_or(ObservedTime::NEVER_YET, |it| it.flooding_until)
    }
}

impl AgentMut<'_> {
    /// Takes a live message out of the agent's budget; returns whether it is to be judged. The first
    /// message of a new start always is.
    pub(crate) fn take_from_budget(&mut self, kind: SessionKind, now: MonoTime) -> bool {
        let rate = judged_rate(self.agent.interval_ms);
        if kind == SessionKind::Unknown {
            self.agent.judged.charge(rate, now);
            return true;
        }
        self.agent.judged.try_acquire(rate, now)
    }

    /// Handles a live message beyond the budget: it shows that the agent lives, is answered, and
    /// does nothing else.
    pub(crate) fn on_over_budget(
        &mut self,
        kind: SessionKind,
        message: &AgentMessage<'_>,
        pending_ack: &PendingAck,
        now: MonoTime,
    ) {
        self.context.counters.over_budget += 1;
        let observed = self.context.clock.observed(now);
        if now >= self.context.flooding_excused_until {
            let throttle = self.agent.throttle.get_or_insert_default();
            throttle.flooding_until = observed + FLOODING_FOR;
            self.context.flooding.insert(self.index);
        }
        if kind == SessionKind::Current {
            self.agent.silent_since = observed;
            self.agent.heard_since_start = true;
        }
        self.catch_up(now);
        self.rejudge(now, None);
        // A goodbye or an exit report was not taken: its emitter is to send it again.
        let freshness = match message.body {
            Body::Beat(_) => Freshness::Live,
            _ => Freshness::Unconfirmed,
        };
        self.send_ack(pending_ack, freshness, now);
    }
}

impl Fleet {
    /// Returns the agents that send more than their budget, or did so within the last minute.
    pub fn flooding_agents(&self, now: MonoTime) -> impl Iterator<Item = &Agent> {
        let observed = self.context.clock.observed(now);
        let flagged = self.context.flooding.iter().filter_map(|&index| self.agents.get(index));
        flagged.filter(move |agent| agent.flooding_until() > observed)
    }

    /// Excuses the agents whose messages waited in the socket until `now`.
    pub(crate) fn excuse_flooding(&mut self, now: MonoTime) {
        self.context.flooding_excused_until = now + EXCUSED_AFTER_FREEZE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_covers_two_processes_that_keep_to_the_rules() {
        for interval_ms in [100, 300, 1_000, 30_000, 3_600_000] {
            let Rate { period_ms, burst } = judged_rate(interval_ms);
            let allowed = 1e3 / f64::from(period_ms);
            let needed = 10.0 + 2.0 * 1e3 / (0.9 * f64::from(interval_ms));
            assert!((needed..needed + 1.0).contains(&allowed), "{interval_ms} ms: {allowed}");
            assert!(f64::from(burst) >= 9.9 * needed, "{interval_ms} ms: {burst}");
        }
    }
}
