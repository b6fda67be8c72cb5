//! Limits of the wire format (`SPEC.md`, "Limits").

/// Longest datagram, in bytes.
pub const DATAGRAM_MAX: usize = 1_200;
/// Longest beat without work or identity, in bytes: up to here the Linux kernel charges a datagram
/// to the receive buffer at the smaller of two sizes.
pub const EVERYDAY_BEAT_MAX: usize = 197;
/// Longest agent id, in bytes.
pub const AGENT_MAX: usize = 63;
/// Length of the authentication tag, in bytes (HMAC-SHA256, not truncated).
pub const TAG_LEN: usize = 32;
/// Length of a challenge, in bytes.
pub const CHALLENGE_LEN: usize = 16;
/// Header bytes before the agent id.
pub const HEADER_FIXED: usize = 4 + 1 + 1 + 2 + 1 + 1;
/// Header bytes after the agent id: session, sequence, challenge.
pub const HEADER_TAIL: usize = 8 + 8 + CHALLENGE_LEN;
/// Bytes of a datagram that are neither agent id nor body.
pub const OVERHEAD: usize = HEADER_FIXED + HEADER_TAIL + TAG_LEN;

/// Longest name of a step, in bytes of UTF-8.
pub const STEP_MAX: usize = 64;
/// Longest other free text (host, version, label value), in bytes of UTF-8.
pub const TEXT_MAX: usize = 128;
/// Longest label key, in bytes of UTF-8.
pub const LABEL_KEY_MAX: usize = 32;
/// Most labels of one agent.
pub const LABELS_MAX: usize = 16;
/// Most agents that one agent depends on.
pub const DEPENDS_MAX: usize = 16;
/// Most lines of standard error in an exit report.
pub const LAST_LINES_MAX: u32 = 5;
/// Most fields of what a beat tells of a process.
pub const PROCESS_FIELDS_MAX: u32 = 16;
/// Deepest nesting of MessagePack arrays and maps in a body, the body's own array included.
pub const DEPTH_MAX: usize = 4;
/// Most elements of any array or map in a body.
pub const ELEMENTS_MAX: u32 = 64;

/// Largest count in a field of a segment: sums never overflow in practice, fit SQLite's signed
/// integers, and are exact in every language's numbers.
pub const COUNT_MAX: u64 = 1 << 53;

/// Shortest and longest interval between beats, in milliseconds.
pub const INTERVAL_MS: std::ops::RangeInclusive<u32> = 100..=3_600_000;
/// Default interval between beats, in milliseconds.
pub const INTERVAL_DEFAULT_MS: u32 = 30_000;
/// Largest generation of a desired state: what SQLite's signed integers hold.
pub const GENERATION_MAX: u64 = i64::MAX as u64;

/// Shortest body of a message from an agent, in bytes, so that an ack has room for what it may come
/// to carry and is still never longer than the message that it answers.
pub const BODY_MIN: usize = 64;
