//! What is kept of an agent only while something about it is limited.

use crate::crash_loop::CrashLoop;
use crate::flapping::FlapDamper;
use crate::gap::ObservedTime;
use crate::rate_limit::RateLimit;
use crate::repeat::REPEATED_ANSWERS;
use crate::return_address::ReturnAddress;
use crate::time::MonoTime;
use crate::unproven::UnprovenSessions;

/// The state of an agent's rarer limits. An agent that is well has none of it.
#[derive(Debug)]
pub(crate) struct Throttle {
    pub(crate) unproven: UnprovenSessions,
    pub(crate) flapping: FlapDamper,
    pub(crate) crash_loop: CrashLoop,
    /// Answers to sequences that were seen before.
    pub(crate) repeated_answers: RateLimit,
    /// Another address that its newest messages came from as well, and until when pushes go there, too.
    pub(crate) second_address: Option<(ReturnAddress, ObservedTime)>,
    /// End of the time in which it counts as flooding.
    pub(crate) flooding_until: ObservedTime,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            unproven: UnprovenSessions::default(),
            flapping: FlapDamper::default(),
            crash_loop: CrashLoop::default(),
            repeated_answers: RateLimit::default(),
            second_address: None,
            flooding_until: ObservedTime::NEVER_YET,
        }
    }
}

impl Throttle {
    /// Returns whether it says no more than a new one would.
    pub(crate) fn is_idle(&self, now: MonoTime, observed: ObservedTime) -> bool {
        self.unproven.is_empty()
            && self.flooding_until <= observed
            && self.flapping.is_idle(now)
            && self.second_address.is_none_or(|(_, until)| until <= observed)
            && self.crash_loop.is_idle(observed)
            && self.repeated_answers.used_ms(REPEATED_ANSWERS, now) == 0
    }
}
