//! Crash loops: an agent that is started again and again.
//!
//! 1. A restart counts where no goodbye came before it, and no kill is in force.
//! 2. So many restarts within the window as its rule says make the agent degraded (crash-looping).
//! 3. It is over when the agent has run for a whole window without another restart.

use std::collections::VecDeque;

use crate::agent::Agent;
use crate::context::AgentMut;
use crate::gap::ObservedTime;
use crate::thresholds::HealthThresholds;
use crate::time::MonoTime;

/// The restarts of one agent that are not a window old yet.
#[derive(Debug)]
pub(crate) struct CrashLoop {
    /// Oldest first; no more than the rule counts.
    restarts: VecDeque<ObservedTime>,
    /// The end of the newest restart's window.
    newest_until: ObservedTime,
    is_looping: bool,
}

impl Default for CrashLoop {
    fn default() -> Self {
        let newest_until = ObservedTime::NEVER_YET;
        Self { restarts: VecDeque::new(), newest_until, is_looping: false }
    }
}

impl CrashLoop {
    pub(crate) fn is_idle(&self, now: ObservedTime) -> bool {
        self.newest_until <= now
    }

    /// Forgets the restarts when the newest one's window is over.
    pub(crate) fn expire(&mut self, now: ObservedTime) {
        if self.is_idle(now) {
            *self = Self::default();
        }
    }

    /// Returns until when the agent counts as crash-looping if it does not restart again.
    fn looping_until(&self) -> ObservedTime {
        if self.is_looping { self.newest_until } else { ObservedTime::NEVER_YET }
    }

    fn record(&mut self, thresholds: &HealthThresholds, now: ObservedTime) {
        let HealthThresholds { crash_loop_restarts: limit, crash_loop_within: window, .. } =
            *thresholds;
        if limit == 0 {
            return;
        }
        self.is_looping &= now < self.newest_until;
        while self.restarts.front().is_some_and(|&at| at + window <= now)
            || self.restarts.len() >= limit as usize
        {
            self.restarts.pop_front();
        }
        self.restarts.push_back(now);
        self.newest_until = now + window;
        self.is_looping |= self.restarts.len() >= limit as usize;
    }
}

impl Agent {
    /// Returns until when the agent counts as crash-looping.
    pub(crate) fn crash_looping_until(&self) -> ObservedTime {
        let throttle = self.throttle.as_ref();
        throttle.map_or(ObservedTime::NEVER_YET, |it| it.crash_loop.looping_until())
    }
}

impl AgentMut<'_> {
    /// Records that the agent starts, and has started before.
    pub(crate) fn record_restart(&mut self, now: MonoTime) {
        if self.agent.has_said_goodbye() || self.agent.is_killed() {
            return;
        }
        let thresholds = self.thresholds().health;
        let observed = self.context.clock.observed(now);
        self.agent.throttle.get_or_insert_default().crash_loop.record(&thresholds, observed);
    }
}
