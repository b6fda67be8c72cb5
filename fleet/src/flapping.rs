//! Flapping: an agent that changes between healthy and degraded too often is shown in one state,
//! degraded (flapping), until it is calm. So nobody drowns history and operators in changes.
//!
//! 1. Each change to healthy or degraded counts, unless it is the first one or a command made it.
//! 2. Where the rate of changes allows no more of them, the agent is held: degraded (flapping).
//! 3. While it is held, killed and unreachable come through at once; an agent that comes back from
//!    there by itself is held again, unless it was away for long.
//! 4. It ends when the judgement has been the same for a minute, or by a command.

use std::time::Duration;

use heartline_vocabulary::{AgentStatus, Reason, State};

use crate::cause::TransitionCause;
use crate::context::AgentMut;
use crate::gap::ObservedTime;
use crate::judge::Verdict;
use crate::rate_limit::{Rate, RateLimit};
use crate::time::MonoTime;

/// The changes to healthy or degraded that an agent may make.
pub(crate) const CHANGES: Rate = Rate { period_ms: 30_000, burst: 12 };
/// How long the judgement must have been the same until it is shown again.
pub(crate) const CALM_AFTER: Duration = Duration::from_secs(60);

/// The changes of an agent's state, and what is held back of them.
#[derive(Debug, Default)]
pub(crate) struct FlapDamper {
    changes: RateLimit,
    held: Option<HeldVerdict>,
}

/// The judgement of an agent that is shown as flapping.
#[derive(Clone, Copy, Debug)]
struct HeldVerdict {
    status: AgentStatus,
    since: ObservedTime,
    /// Changes of state that were not shown.
    suppressed: u32,
}

impl FlapDamper {
    pub(crate) fn is_idle(&self, now: MonoTime) -> bool {
        self.held.is_none() && self.changes.used_ms(CHANGES, now) == 0
    }

    /// Counts a change of the judgement that is held back.
    fn take_in(&mut self, status: AgentStatus, at: MonoTime, observed: ObservedTime) {
        let Some(held) = &mut self.held else { return };
        if held.status == status {
            return;
        }
        let was_away_for_long = !is_damped(held.status) && self.changes.used_ms(CHANGES, at) == 0;
        if was_away_for_long || is_commanded(status) {
            self.held = None;
            return;
        }
        self.changes.charge(CHANGES, at);
        held.suppressed = held.suppressed.saturating_add(u32::from(is_damped(status)));
        (held.status, held.since) = (status, observed);
    }
}

impl HeldVerdict {
    /// Returns the verdict that is shown instead of this one.
    fn hide(&self, verdict: &Verdict) -> Verdict {
        Verdict {
            status: AgentStatus::degraded(Reason::Flapping),
            next: verdict.next.min(self.since + CALM_AFTER),
        }
    }
}

/// Returns whether an agent of this status may flap.
fn is_damped(status: AgentStatus) -> bool {
    matches!(status.state, State::Healthy | State::Degraded)
}

/// Returns whether a command made this status.
fn is_commanded(status: AgentStatus) -> bool {
    matches!(status.reason, Some(Reason::Operator | Reason::Policy))
}

impl AgentMut<'_> {
    /// Returns the verdict that is shown where the rules of judgement give `verdict`; and the cause, if
    /// that is because the agent is calm again.
    pub(crate) fn damp(
        &mut self,
        verdict: Verdict,
        at: MonoTime,
    ) -> (Verdict, Option<TransitionCause>) {
        let (shown, observed) = (self.agent.status, self.context.clock.observed(at));
        let damper = self.agent.throttle.as_mut().map(|throttle| &mut throttle.flapping);
        if let Some(damper) = damper {
            damper.take_in(verdict.status, at, observed);
            if let Some(held) = damper.held.filter(|_| is_damped(verdict.status)) {
                if observed < held.since + CALM_AFTER {
                    return (held.hide(&verdict), None);
                }
                damper.held = None;
                return (verdict, Some(TransitionCause::Calm { suppressed: held.suppressed }));
            }
        }
        let is_change = verdict.status != shown && is_damped(verdict.status);
        if !is_change || is_commanded(shown) || shown.state == State::Unknown {
            return (verdict, None);
        }
        let damper = &mut self.agent.throttle.get_or_insert_default().flapping;
        if damper.changes.try_acquire(CHANGES, at) {
            return (verdict, None);
        }
        let held = HeldVerdict { status: verdict.status, since: observed, suppressed: 1 };
        damper.held = Some(held);
        (held.hide(&verdict), None)
    }
}
