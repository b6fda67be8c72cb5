//! What happens in the demo, and when.

use std::time::Duration;

/// Something that is done to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// `kill -9`, as the kernel's OOM killer does.
    Crash,
    /// Its worker deadlocks; its emitter goes on beating.
    Deadlock,
    /// It repeats an expensive call.
    Burn,
    /// It stops burning.
    Calm,
    /// An operator kills it, through the control socket.
    Kill,
    /// An operator resumes it.
    Resume,
    /// It ends as it should, with a goodbye.
    Stop,
    /// It is started again, from scratch.
    Restart,
}

/// A deed and its moment in each round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cue {
    pub(super) at_s: u64,
    pub(super) deed: Deed,
    pub(super) agent: &'static str,
    /// What a viewer should know of it.
    pub(super) story: &'static str,
}

/// Why the operator kills.
pub(super) const KILL_REASON: &str = "a site complained about it, INC-482";

/// How long a round takes; then everything happens again.
const ROUND_S: u64 = 120;

const fn cue(at_s: u64, deed: Deed, agent: &'static str, story: &'static str) -> Cue {
    Cue { at_s, deed, agent, story }
}

/// One round, in order.
const ROUND: [Cue; 11] = [
    cue(
        15,
        Deed::Crash,
        "report-generator",
        "is killed with kill -9 (as the kernel's OOM killer would; from outside it is just silence): \
         LATE after 3 missed beats, UNREACH after 10",
    ),
    cue(20, Deed::Burn, "research-agent", "repeats an expensive call: watch its $"),
    cue(
        25,
        Deed::Deadlock,
        "inventory-sync",
        "deadlocks in its worker and goes on beating: STALLED after 15 s without progress",
    ),
    cue(40, Deed::Kill, "scraper-eu", "is killed by an operator, and obeys"),
    cue(55, Deed::Stop, "cron-digest", "ends as it should, with a goodbye: STOPPED, no outage"),
    cue(70, Deed::Restart, "report-generator", "is started again"),
    cue(80, Deed::Restart, "inventory-sync", "is killed with kill -9 and started again"),
    cue(85, Deed::Restart, "cron-digest", "is started again"),
    cue(90, Deed::Resume, "scraper-eu", "is resumed by an operator"),
    cue(95, Deed::Calm, "research-agent", "is sensible again"),
    cue(105, Deed::Restart, "order-processor", "is restarted by a deployment"),
];

/// All cues with their time since the start, without end.
pub(super) fn cues() -> impl Iterator<Item = (Duration, Cue)> {
    (0..).step_by(ROUND_S as usize).flat_map(|start_s: u64| {
        ROUND.iter().map(move |cue| (Duration::from_secs(start_s + cue.at_s), *cue))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::cast::fleet;

    #[test]
    fn the_script_is_in_order_and_everybody_in_it_is_in_the_smallest_cast() {
        let smallest = fleet(8);
        let mut last = Duration::ZERO;
        for (at, cue) in cues().take(3 * ROUND.len()) {
            assert!(at > last, "{cue:?}");
            assert!(smallest.iter().any(|role| role.name == cue.agent), "{cue:?}");
            last = at;
        }
    }

    #[test]
    fn the_first_minute_has_everything_that_is_promised() {
        let first: Vec<_> = cues()
            .take_while(|(at, _)| *at <= Duration::from_secs(60))
            .map(|(_, cue)| cue.deed)
            .collect();
        assert_eq!(first, [Deed::Crash, Deed::Burn, Deed::Deadlock, Deed::Kill, Deed::Stop]);
    }
}
