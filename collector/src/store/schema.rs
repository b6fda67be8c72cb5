//! The tables of both databases, as steps from one version to the next.
//!
//! Times are milliseconds of Unix time (`_ms`). Numbers that are 64 bits wide without a sign
//! (sessions, request ids) are stored by their bits. A step is never changed after a release: what
//! comes later is a step of its own.

/// One database's steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schema {
    /// Tells Heartline's files from other SQLite files (`PRAGMA application_id`).
    pub(super) application_id: i32,
    /// SQL that leads from version *n* to *n + 1* (`PRAGMA user_version`).
    pub(super) steps: &'static [&'static str],
}

/// `control.db`.
pub(super) const CONTROL: Schema =
    Schema { application_id: i32::from_be_bytes(*b"HLNc"), steps: &[CONTROL_1] };

/// `history.db`.
pub(super) const HISTORY: Schema =
    Schema { application_id: i32::from_be_bytes(*b"HLNh"), steps: &[HISTORY_1] };

const CONTROL_1: &str = "
-- Agents stay here when they are forgotten: their ids are never used again.
CREATE TABLE agents (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    interval_ms INTEGER NOT NULL,
    identity BLOB,
    forgotten_ms INTEGER,
    forgotten_by TEXT
) STRICT;
CREATE INDEX agents_by_name ON agents (name);

-- The newest desired state of each agent that ever had one.
CREATE TABLE desired (
    agent_id INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL,
    killed INTEGER NOT NULL,
    cause TEXT NOT NULL,
    \"by\" TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    request_id INTEGER NOT NULL,
    delivered_ms INTEGER,
    obeyed_ms INTEGER
) STRICT;

-- Every command that was ever given, and whom it hit.
CREATE TABLE commands (
    id INTEGER PRIMARY KEY,
    request_id INTEGER NOT NULL UNIQUE,
    at_ms INTEGER NOT NULL,
    action TEXT NOT NULL,
    cause TEXT NOT NULL,
    \"by\" TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
CREATE TABLE command_targets (
    command_id INTEGER NOT NULL,
    agent_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    state TEXT NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (command_id, agent_id)
) STRICT, WITHOUT ROWID;

-- How each scope stands, and every change that led there.
CREATE TABLE tokens (
    scope TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    made_ms INTEGER,
    made_by TEXT,
    revoked_ms INTEGER,
    revoked_by TEXT,
    revoked_reason TEXT,
    PRIMARY KEY (scope, epoch)
) STRICT, WITHOUT ROWID;
CREATE TABLE token_changes (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    \"by\" TEXT NOT NULL,
    reason TEXT
) STRICT;
";

const HISTORY_1: &str = "
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a restart wants to know of each agent, and its totals.
CREATE TABLE agents (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    forgotten_ms INTEGER,
    state TEXT NOT NULL DEFAULT 'unknown',
    reason TEXT,
    since_ms INTEGER,
    last_beat_ms INTEGER,
    starts INTEGER NOT NULL DEFAULT 0,
    disobeyed_generation INTEGER NOT NULL DEFAULT 0,
    beats INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    ok INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    cost_nano_usd INTEGER NOT NULL DEFAULT 0,
    tokens_in INTEGER NOT NULL DEFAULT 0,
    tokens_out INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX agents_by_name ON agents (name);

CREATE TABLE sessions (
    agent_id INTEGER NOT NULL,
    session INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    starts INTEGER NOT NULL DEFAULT 0,
    applied_segment INTEGER NOT NULL DEFAULT 0,
    last_beat_ms INTEGER,
    ended TEXT,
    ended_ms INTEGER,
    PRIMARY KEY (agent_id, session)
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_end ON sessions (ended_ms) WHERE ended_ms IS NOT NULL;

-- All that happened, in the order in which it was stored. Which columns mean something depends on
-- the kind (`store/history/event.rs`).
CREATE TABLE events (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    agent_id INTEGER,
    kind TEXT NOT NULL,
    from_state TEXT,
    from_reason TEXT,
    to_state TEXT,
    to_reason TEXT,
    lasted_ms INTEGER,
    \"by\" TEXT,
    words TEXT,
    action TEXT,
    generation INTEGER,
    delivered_ms INTEGER,
    obeyed_ms INTEGER,
    session INTEGER,
    starts INTEGER,
    from_ms INTEGER
) STRICT;
CREATE INDEX events_by_agent ON events (agent_id, cursor);
CREATE INDEX events_by_time ON events (at_ms);

-- Work and beats per slot: the number of the minute, hour or day since 1970. A row only where
-- something happened. Latencies are packed as on the wire, so that they add up exactly.
CREATE TABLE minutes (
    slot INTEGER NOT NULL,
    agent_id INTEGER NOT NULL,
    beats INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cost_nano_usd INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    latency BLOB NOT NULL,
    PRIMARY KEY (slot, agent_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE hours (
    slot INTEGER NOT NULL,
    agent_id INTEGER NOT NULL,
    beats INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cost_nano_usd INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    latency BLOB NOT NULL,
    PRIMARY KEY (slot, agent_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE days (
    slot INTEGER NOT NULL,
    agent_id INTEGER NOT NULL,
    beats INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cost_nano_usd INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    latency BLOB NOT NULL,
    PRIMARY KEY (slot, agent_id)
) STRICT, WITHOUT ROWID;

-- How far folding has come, by the slots that are folded into: all before this slot, and in it the
-- agents up to this one.
CREATE TABLE folds (
    into_table TEXT PRIMARY KEY,
    slot INTEGER NOT NULL,
    agent_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";
