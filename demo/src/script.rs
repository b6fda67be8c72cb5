//! What happens in the demo, and when.

use std::time::Duration;

/// An event of the script, at its time since the start.
#[derive(Clone, Copy, Debug)]
pub struct ScriptedEvent {
    pub at: Duration,
    pub agent: &'static str,
    /// What happens to the agent, for a viewer: a sentence without its subject.
    pub story: &'static str,
    pub(crate) action: ScriptedAction,
}

/// What is done to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScriptedAction {
    /// `kill -9`, as the kernel's OOM killer does.
    Crash,
    /// Its worker deadlocks; its emitter goes on beating.
    Deadlock,
    /// It begins to repeat an expensive call.
    Overspend,
    /// It no longer does.
    StopOverspending,
    /// An operator kills it, through the control socket.
    Kill,
    /// An operator resumes it.
    Resume,
    /// It ends in order, with a goodbye.
    Shutdown,
    /// It is started again, from scratch.
    Restart,
}

/// Reason of the operator's kill.
pub(crate) const KILL_REASON: &str = "a site complained about it, INC-482";
/// Reason of the operator's resume.
pub(crate) const RESUME_REASON: &str = "the site agreed";

/// Length of a round; then everything happens again.
const ROUND_S: u64 = 120;

const fn event(
    at_s: u64,
    action: ScriptedAction,
    agent: &'static str,
    story: &'static str,
) -> ScriptedEvent {
    ScriptedEvent { at: Duration::from_secs(at_s), agent, story, action }
}

use ScriptedAction::{
    Crash, Deadlock, Kill, Overspend, Restart, Resume, Shutdown, StopOverspending,
};

/// One round, in order.
const ROUND: [ScriptedEvent; 11] = [
    event(
        15,
        Crash,
        "report-generator",
        "is killed with kill -9 (as the kernel's OOM killer would; from outside it is just silence): \
         LATE after 3 missed beats, UNREACH after 10",
    ),
    event(
        20,
        Overspend,
        "research-agent",
        "repeats an expensive call that always fails: watch its $; FAILING after half a minute of it",
    ),
    event(
        25,
        Deadlock,
        "inventory-sync",
        "deadlocks in its worker and goes on beating: STALLED after 15 s without progress",
    ),
    event(40, Kill, "scraper-eu", "is killed by an operator, and obeys"),
    event(55, Shutdown, "cron-digest", "ends as it should, with a goodbye: STOPPED, no outage"),
    event(70, Restart, "report-generator", "is started again"),
    event(80, Restart, "inventory-sync", "is killed with kill -9 and started again"),
    event(85, Restart, "cron-digest", "is started again"),
    event(90, Resume, "scraper-eu", "is resumed by an operator"),
    event(95, StopOverspending, "research-agent", "is sensible again"),
    event(105, Restart, "order-processor", "is restarted by a deployment"),
];

impl ScriptedEvent {
    /// Returns all events in order, without end.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..).step_by(ROUND_S as usize).flat_map(|start_s: u64| {
            let start = Duration::from_secs(start_s);
            ROUND.iter().map(move |event| Self { at: start + event.at, ..*event })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::demo_fleet;

    #[test]
    fn events_are_in_order_and_about_agents_of_the_smallest_fleet() {
        let smallest = demo_fleet(8);
        let mut last = Duration::ZERO;
        for event in ScriptedEvent::all().take(3 * ROUND.len()) {
            assert!(event.at > last, "{event:?}");
            assert!(smallest.iter().any(|agent| agent.name == event.agent), "{event:?}");
            last = event.at;
        }
    }

    #[test]
    fn the_first_minute_has_everything_that_is_promised() {
        let first: Vec<_> = ScriptedEvent::all()
            .take_while(|event| event.at <= Duration::from_secs(60))
            .map(|event| event.action)
            .collect();
        assert_eq!(first, [Crash, Overspend, Deadlock, Kill, Shutdown]);
    }
}
