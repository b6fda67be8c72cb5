//! The steps of `control.db`.

pub(super) const CONTROL_1: &str = "
-- A forgotten agent stays for as long as anything may refer to it. Ids are never used again.
CREATE TABLE agents (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    interval_ms INTEGER NOT NULL,
    identity BLOB,
    forgotten_ms INTEGER,
    forgotten_by TEXT
) STRICT;
CREATE INDEX agents_forgotten ON agents (forgotten_ms) WHERE forgotten_ms IS NOT NULL;

-- One row: the id of the series that generations belong to, drawn when this file was created.
CREATE TABLE control (control_id INTEGER NOT NULL) STRICT;

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
    obeyed_ms INTEGER,
    lifts INTEGER
) STRICT;

-- The audit: commands and their targets.
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

-- Tokens by scope, and the audit of their changes.
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

pub(super) const CONTROL_2: &str = "
-- Of which agents nobody is told for a while. One that was ended has its end in until_ms.
CREATE TABLE silences (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    filter TEXT NOT NULL,
    from_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    \"by\" TEXT NOT NULL,
    reason TEXT NOT NULL,
    ended_by TEXT
) STRICT;
CREATE INDEX silences_by_end ON silences (until_ms);

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";
