//! The process of an agent, as its supervisor sees it.

/// What a supervisor measures of the process that it has started, and of its children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ProcessUsage {
    /// CPU time since the beat before, in thousandths of one core.
    pub cpu_permille: u32,
    /// Resident memory, in bytes.
    pub memory_bytes: u64,
    /// For how long the process' own emitter has said nothing, in ms, if that is longer than three of
    /// its intervals. `None` where it has none, too.
    pub emitter_silent_ms: Option<u64>,
}
