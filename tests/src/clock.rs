//! The clocks that benchmarks and the simulation's rate are measured with. What is simulated asks
//! none of them.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// The monotonic clock.
#[must_use]
pub fn monotonic() -> Duration {
    duration(clock_gettime(ClockId::Monotonic))
}

/// CPU time that the calling thread has used.
#[must_use]
pub fn thread_cpu() -> Duration {
    duration(clock_gettime(ClockId::ThreadCPUTime))
}

/// CPU time that all threads of this process have used.
#[must_use]
pub fn process_cpu() -> Duration {
    duration(clock_gettime(ClockId::ProcessCPUTime))
}

fn duration(time: Timespec) -> Duration {
    let nanos = u32::try_from(time.tv_nsec).expect("less than a second");
    Duration::new(u64::try_from(time.tv_sec).expect("these clocks start at zero"), nanos)
}
