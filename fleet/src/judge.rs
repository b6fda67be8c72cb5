//! The judgement: a pure function of what was received from an agent and of the time since.
//!
//! The rules, first match wins, in the order of the code:
//! 1. killed by command: killed, whatever beats arrive;
//! 2. it said goodbye: killed (shutdown); its supervisor reported its exit: unreachable (crashed);
//! 3. not yet heard since the collector started: unknown, until its unreachable limit has passed;
//! 4. no live beat for `unreachable_factor` intervals: unreachable, one-way while beats arrive that
//!    echo nothing of ours and have done so for `late_factor` intervals, otherwise silent;
//! 5. no live beat for `late_factor` intervals: degraded (late);
//! 6. its last beat reported a kill that is not ours: degraded (blocked);
//! 7. it was restarted too often, and has not run for long since: degraded (crash-looping);
//! 8. its supervisor's last beat reported that the process runs and its own emitter is silent: degraded
//!    (emitter-silent);
//! 9. its last beat reported that its work, or one task of it, makes no progress: degraded (stalled);
//! 10. two processes report as this agent: degraded (conflict);
//! 11. it sends more than its budget, or did so within the last minute: degraded (flooding);
//! 12. too many of its tasks fail: degraded (failing);
//! 13. it has had nothing to do for far longer than it ever paused, or fewer tasks ended than are expected:
//!     degraded (idle);
//! 14. too many of its tasks take too long: degraded (slow), or end too soon: degraded (fast);
//! 15. healthy.
//!
//! Where these rules make it change too often, it is shown as flapping (`flapping.rs`).

use std::time::Duration;

use heartline_vocabulary::{AgentStatus, Phase, Reason};

use crate::agent::{Agent, NO_QUEUE};
use crate::cause::{BadTasks, TransitionCause};
use crate::flapping::CHANGES;
use crate::gap::ObservedTime;
use crate::pauses::LongPause;
use crate::process::{ProcessEnd, ProcessExit};
use crate::quality::TaskTally;
use crate::thresholds::{AgentThresholds, IdleRule};
use crate::time::MonoTime;

/// A judgement at one moment.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) status: AgentStatus,
    /// When to judge again if nothing is received until then.
    pub(crate) next: ObservedTime,
}

impl Verdict {
    fn lasting(status: AgentStatus) -> Self {
        Self { status, next: ObservedTime::NEVER }
    }

    fn until(status: AgentStatus, next: ObservedTime) -> Self {
        Self { status, next }
    }
}

/// Judges `agent` as of `at`, which is its deadline or the receipt of a message. The next deadline
/// is always later than `at`.
pub(crate) fn judge(agent: &Agent, thresholds: &AgentThresholds, at: ObservedTime) -> Verdict {
    if let Some(desired) = agent.desired.as_ref().filter(|desired| desired.killed) {
        return Verdict::lasting(AgentStatus::killed(desired.cause));
    }
    match agent.ended() {
        Some(ProcessEnd::Shutdown) => {
            return Verdict::lasting(AgentStatus::killed(Reason::Shutdown));
        }
        Some(ProcessEnd::Crashed(_)) => {
            return Verdict::lasting(AgentStatus::unreachable(Reason::Crashed));
        }
        None => {}
    }
    let unreachable_after = intervals(agent.interval_ms, thresholds.health.unreachable_factor);
    let unreachable_at = agent.silent_since + unreachable_after;
    if at >= unreachable_at {
        let heard_until = agent.heard_at + unreachable_after;
        let is_heard = agent.heard_at > agent.silent_since && at < heard_until;
        // The first beats of every new start prove nothing yet, nor does a recording that is played
        // once: only when they go on is it one-way.
        let heard_for = agent.heard_at.since(agent.unproven_since);
        return if is_heard && heard_for >= late_after(agent.interval_ms, thresholds) {
            Verdict::until(AgentStatus::unreachable(Reason::OneWay), heard_until)
        } else {
            Verdict::lasting(AgentStatus::unreachable(Reason::Silent))
        };
    }
    if !agent.heard_since_start {
        return Verdict::until(AgentStatus::UNKNOWN, unreachable_at);
    }
    let late_at = agent.silent_since + late_after(agent.interval_ms, thresholds);
    if at >= late_at {
        return Verdict::until(AgentStatus::degraded(Reason::Late), unreachable_at);
    }
    if is_blocked(agent) {
        return Verdict::until(AgentStatus::degraded(Reason::Blocked), late_at);
    }
    let crash_looping_until = agent.crash_looping_until();
    if at < crash_looping_until {
        let next = late_at.min(crash_looping_until);
        return Verdict::until(AgentStatus::degraded(Reason::CrashLooping), next);
    }
    if emitter_silent_ms(agent).is_some() {
        return Verdict::until(AgentStatus::degraded(Reason::EmitterSilent), late_at);
    }
    if stalled_for(agent, thresholds).is_some() {
        return Verdict::until(AgentStatus::degraded(Reason::Stalled), late_at);
    }
    if at < agent.conflict_until {
        let next = late_at.min(agent.conflict_until);
        return Verdict::until(AgentStatus::degraded(Reason::Conflict), next);
    }
    let flooding_until = agent.flooding_until();
    if at < flooding_until {
        return Verdict::until(
            AgentStatus::degraded(Reason::Flooding),
            late_at.min(flooding_until),
        );
    }
    Verdict::until(work_status(agent, thresholds), late_at)
}

/// Returns what its work alone says of an agent.
fn work_status(agent: &Agent, thresholds: &AgentThresholds) -> AgentStatus {
    if agent.failing().is_some() {
        AgentStatus::degraded(Reason::Failing)
    } else if long_pause(agent, thresholds).is_some() || agent.missing_tasks().is_some() {
        AgentStatus::degraded(Reason::Idle)
    } else if agent.slow().is_some() {
        AgentStatus::degraded(Reason::Slow)
    } else if agent.fast().is_some() {
        AgentStatus::degraded(Reason::Fast)
    } else {
        AgentStatus::HEALTHY
    }
}

/// Returns whether a kill keeps the agent from work that it is not known to have from us.
fn is_blocked(agent: &Agent) -> bool {
    let is_unbelieved = agent.reported_state().killed && agent.plausible_claim().is_none();
    agent.blocked_by().is_some() || is_unbelieved
}

/// Returns for how long the process' own emitter had been silent, as its supervisor saw it last.
fn emitter_silent_ms(agent: &Agent) -> Option<u64> {
    agent.process_usage()?.emitter_silent_ms
}

/// Returns how long after its last live beat an agent of this interval is late.
pub(crate) fn late_after(interval_ms: u32, thresholds: &AgentThresholds) -> Duration {
    intervals(interval_ms, thresholds.health.late_factor)
}

/// Returns so many intervals.
pub(crate) fn intervals(interval_ms: u32, factor: f64) -> Duration {
    Duration::from_millis((f64::from(interval_ms) * factor) as u64)
}

/// Returns for how long past its limit an agent with work to do had made no progress when its last
/// live beat came. Only a beat can report that: between beats, progress may be made.
pub(crate) fn stalled_for(agent: &Agent, thresholds: &AgentThresholds) -> Option<Duration> {
    let has_work = agent.in_flight > 0 || (agent.queue != NO_QUEUE && agent.queue > 0);
    if !has_work || agent.phase == Phase::Waiting {
        return None;
    }
    let resumed = agent.desired.as_ref().map_or(MonoTime::NEVER_YET, |desired| desired.at);
    // A killed agent makes no progress.
    let progress_at = agent.least_progress_at()?.max(resumed);
    agent.last_live.since(progress_at).checked_sub(stall_after(agent, thresholds))
}

/// Returns the time without progress after which an agent counts as stalled: that of a rule for it, else
/// what it declares, else that of the fleet.
fn stall_after(agent: &Agent, thresholds: &AgentThresholds) -> Duration {
    let own = thresholds.stall_after_rule.or_else(|| agent.declared_stall_after());
    own.unwrap_or(thresholds.health.stall_after)
}

/// Returns the pause of an agent that is idle.
pub(crate) fn long_pause(agent: &Agent, thresholds: &AgentThresholds) -> Option<LongPause> {
    match thresholds.health.idle {
        IdleRule::ByPauses => agent.long_pause(stall_after(agent, thresholds)),
        IdleRule::Expected(_) | IdleRule::Off => None,
    }
}

/// Returns what of the work of a stalled agent has made no progress.
fn no_progress(agent: &Agent, thresholds: &AgentThresholds) -> TransitionCause {
    let age_ms = agent.last_live.millis_since(agent.progress_at);
    if agent.last_live.since(agent.progress_at) < stall_after(agent, thresholds) {
        let age_ms = agent.last_live.millis_since(agent.oldest_task_at);
        return TransitionCause::StuckTask { age_ms, in_flight: agent.in_flight };
    }
    TransitionCause::NoProgress { age_ms, step: agent.step.clone() }
}

/// Returns which tasks are why an agent's work is not well.
fn bad_tasks(agent: &Agent, kind: BadTasks, tally: Option<TaskTally>) -> TransitionCause {
    let (bad, tasks) = tally.map_or((0, 0), |tally| (tally.bad, tally.tasks));
    let within_ms = tally.map_or(0, |tally| agent.last_live.millis_since(tally.since));
    TransitionCause::BadTasks { kind, bad, tasks, within_ms }
}

/// Returns why an agent is idle.
fn no_work(agent: &Agent, thresholds: &AgentThresholds) -> TransitionCause {
    if let Some(LongPause { lasted, longest, .. }) = long_pause(agent, thresholds) {
        return TransitionCause::Idle {
            for_ms: lasted.as_millis() as u64,
            longest_ms: longest.as_millis() as u64,
        };
    }
    agent.missing_tasks().map_or(TransitionCause::Beat, |missing| TransitionCause::TooFewTasks {
        tasks: missing.ended,
        within_ms: missing.expected.within.as_millis() as u64,
        at_least: missing.expected.at_least,
        during: missing.expected.during.clone(),
    })
}

/// Returns why `agent` came into `status`, where no message caused it directly.
pub(crate) fn cause_of(
    agent: &Agent,
    thresholds: &AgentThresholds,
    status: AgentStatus,
    at: ObservedTime,
) -> TransitionCause {
    let waited = at.since(agent.silent_since);
    match status.reason {
        Some(Reason::Late) => TransitionCause::Missed {
            beats: thresholds.health.late_factor.floor() as u32,
            interval_ms: agent.interval_ms,
        },
        Some(Reason::Silent) if agent.heard_since_start => TransitionCause::Missed {
            beats: thresholds.health.unreachable_factor.floor() as u32,
            interval_ms: agent.interval_ms,
        },
        Some(Reason::Silent) => {
            TransitionCause::NotHeardSinceStart { waited_ms: waited.as_millis() as u64 }
        }
        Some(Reason::OneWay) => TransitionCause::OneWay,
        Some(Reason::EmitterSilent) => {
            TransitionCause::EmitterSilent { silent_ms: emitter_silent_ms(agent).unwrap_or(0) }
        }
        Some(Reason::Stalled) => no_progress(agent, thresholds),
        Some(Reason::Conflict) => TransitionCause::TwoProcesses,
        Some(Reason::Blocked) => TransitionCause::Blocked { by: agent.blocked_by() },
        Some(Reason::CrashLooping) => TransitionCause::CrashLoop {
            restarts: thresholds.health.crash_loop_restarts,
            within_ms: thresholds.health.crash_loop_within.as_millis() as u64,
        },
        Some(Reason::Flooding) => TransitionCause::OverBudget,
        Some(Reason::Failing) => bad_tasks(agent, BadTasks::Failed, agent.failing()),
        Some(Reason::Idle) => no_work(agent, thresholds),
        Some(Reason::Slow) => {
            let rule = thresholds.health.slow;
            let above_us = rule.limit_us(agent.own_latency_limits.slow_above);
            bad_tasks(agent, BadTasks::Slow { above_us }, agent.slow())
        }
        Some(Reason::Fast) => {
            let rule = thresholds.health.fast;
            let below_us = rule.limit_us(agent.own_latency_limits.fast_below);
            bad_tasks(agent, BadTasks::Fast { below_us }, agent.fast())
        }
        Some(Reason::Flapping) => TransitionCause::ChangesTooOften {
            changes: CHANGES.burst,
            within_ms: CHANGES.window().as_millis() as u64,
        },
        Some(Reason::Crashed) => TransitionCause::Exited(match agent.ended() {
            Some(ProcessEnd::Crashed(exit)) => exit.clone(),
            _ => ProcessExit::default(),
        }),
        Some(Reason::Shutdown) => TransitionCause::Goodbye,
        Some(Reason::Operator | Reason::Policy) => {
            let desired = agent.desired.as_ref();
            let (by, reason) =
                desired.map_or_else(Default::default, |it| (it.by.clone(), it.reason.clone()));
            TransitionCause::Command { by, reason }
        }
        None => TransitionCause::Beat,
    }
}
