//! What goes wrong.

use fastrand::Rng;

/// Kinds of faults, and of things that people do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The collector is killed with -9 and starts again later.
    CollectorCrash,
    /// The collector ends as it should and starts again later.
    CollectorStop,
    /// The collector is frozen; datagrams wait in the socket, as far as they fit.
    CollectorFreeze,
    /// DatagramCounters are dropped by the kernel although the collector runs.
    KernelDrops,
    /// Commits take seconds for a while.
    SlowDisk,
    /// An agent's process is killed with -9 and started again later.
    AgentCrash,
    /// An agent's process ends as it should and is started again later.
    AgentStop,
    /// An agent's process is frozen.
    AgentFreeze,
    /// A second process starts under the id of one that runs.
    SecondProcess,
    /// One of two processes under one id ends.
    SecondEnds,
    /// An agent's tasks do not end.
    Stuck,
    /// An agent waits for a person.
    Waits,
    /// One way between an agent and the collector is cut.
    CutOneWay,
    /// Both ways are cut.
    CutBothWays,
    /// Somebody sends what was recorded.
    Attack,
    /// Somebody sends one thing that was recorded, again and again.
    Flood,
    /// An operator kills.
    Kill,
    /// An operator resumes.
    Resume,
    /// An operator removes an agent.
    Forget,
    /// The wall clock is set.
    ClockStep,
}

/// All of them, the frequent ones more than once.
const ALL: [Fault; 30] = [
    Fault::CollectorCrash,
    Fault::CollectorCrash,
    Fault::CollectorStop,
    Fault::CollectorFreeze,
    Fault::CollectorFreeze,
    Fault::KernelDrops,
    Fault::SlowDisk,
    Fault::AgentCrash,
    Fault::AgentCrash,
    Fault::AgentStop,
    Fault::AgentFreeze,
    Fault::SecondProcess,
    Fault::SecondEnds,
    Fault::Stuck,
    Fault::Waits,
    Fault::CutOneWay,
    Fault::CutOneWay,
    Fault::CutBothWays,
    Fault::Attack,
    Fault::Attack,
    Fault::Attack,
    Fault::Attack,
    Fault::Attack,
    Fault::Flood,
    Fault::Kill,
    Fault::Kill,
    Fault::Kill,
    Fault::Resume,
    Fault::Resume,
    Fault::Forget,
];

impl Fault {
    /// One of those that happen in this run: bit `n` of `enabled` stands for the kind `n`.
    pub(super) fn draw(enabled: u64, rng: &mut Rng) -> Option<Self> {
        let at = rng.usize(..ALL.len() + 1);
        let fault = ALL.get(at).copied().unwrap_or(Self::ClockStep);
        (enabled >> fault as u32 & 1 == 1).then_some(fault)
    }
}
