//! The steps of `history.db`, and what an incident file has beside its tables.

/// The columns of work.
macro_rules! work_columns {
    () => {
        "    beats INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cost_nano_usd INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    latency BLOB NOT NULL"
    };
}

macro_rules! rollup_table {
    ($name:literal) => {
        concat!(
            "CREATE TABLE ",
            $name,
            " (
    slot INTEGER NOT NULL,
    agent_id INTEGER NOT NULL,
",
            work_columns!(),
            ",
    PRIMARY KEY (slot, agent_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE fleet_",
            $name,
            " (
    slot INTEGER PRIMARY KEY,
",
            work_columns!(),
            "
) STRICT;
"
        )
    };
}

pub(super) const HISTORY_1: &str = concat!("
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the numbers in the other tables stand for: what is event, status or gap.
CREATE TABLE names (
    what TEXT NOT NULL,
    code INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (what, code)
) STRICT, WITHOUT ROWID;

-- The status of each agent for the next start, and its totals.
CREATE TABLE agents (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    forgotten_ms INTEGER,
    status INTEGER NOT NULL DEFAULT 0,
    since_ms INTEGER,
    last_beat_ms INTEGER,
    starts INTEGER NOT NULL DEFAULT 0,
    pid INTEGER,
    identity INTEGER,
    disobeyed_generation INTEGER NOT NULL DEFAULT 0,
    beats INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    ok INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    cost_nano_usd INTEGER NOT NULL DEFAULT 0,
    tokens_in INTEGER NOT NULL DEFAULT 0,
    tokens_out INTEGER NOT NULL DEFAULT 0,
    -- Whether its work goes well, as the core judges it, after its last segment.
    quality BLOB NOT NULL DEFAULT x''
) STRICT;
CREATE INDEX agents_by_name ON agents (name);
CREATE INDEX agents_forgotten ON agents (forgotten_ms) WHERE forgotten_ms IS NOT NULL;

-- What agents have reported of themselves, each identity once.
CREATE TABLE identities (
    id INTEGER PRIMARY KEY,
    body BLOB NOT NULL UNIQUE
) STRICT;

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

-- What happened, in the order in which it was stored. The kind decides which columns are set
-- (`store/history/event.rs`). Times go back a little: a transition has the time at which it became true.
CREATE TABLE events (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    agent_id INTEGER,
    kind INTEGER NOT NULL,
    was INTEGER,
    status INTEGER,
    value INTEGER
) STRICT;
CREATE INDEX events_of_identities ON events (agent_id, cursor) WHERE kind = 11;
CREATE INDEX events_of_commands ON events (agent_id, value) WHERE kind IN (2, 3);
CREATE INDEX events_of_clock ON events (at_ms) WHERE kind = 12;
-- What only some events have. Who, words and step are rows of texts.
CREATE TABLE event_details (
    cursor INTEGER PRIMARY KEY,
    \"by\" INTEGER,
    words INTEGER,
    step INTEGER,
    missed INTEGER,
    interval_ms INTEGER,
    session INTEGER,
    delivered_ms INTEGER,
    obeyed_ms INTEGER,
    last_lines TEXT
) STRICT;

-- Texts, each once. No event has one that is stored more than 65,536 events after the one that noted its use.
CREATE TABLE texts (
    id INTEGER PRIMARY KEY,
    used INTEGER NOT NULL,
    text TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX texts_by_use ON texts (used);

-- The fleet after the event at the cursor, now and then: what a moment is read from, with the events that
-- follow. Also the way from times to cursors: the latest time up to the cursor, and the earliest since the
-- checkpoint before.
CREATE TABLE checkpoints (
    cursor INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    latest_ms INTEGER NOT NULL,
    earliest_ms INTEGER NOT NULL,
    agents INTEGER NOT NULL
) STRICT;
CREATE INDEX checkpoints_by_time ON checkpoints (latest_ms, cursor);
CREATE TABLE checkpoint_fleets (
    cursor INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    fleet BLOB NOT NULL
) STRICT;

-- Derived from events, and rebuilt when they are lost or another version derived them.
-- The events of an agent in 15 days, packed (`store/history/strip.rs`).
CREATE TABLE strips (
    key INTEGER PRIMARY KEY,
    last_ms INTEGER NOT NULL,
    last_cursor INTEGER NOT NULL,
    strip BLOB NOT NULL
) STRICT;
CREATE TABLE gaps (
    cursor INTEGER PRIMARY KEY,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    cause INTEGER NOT NULL
) STRICT;
-- What each agent was on each whole day: the days, with the event up to which each was looked at and the agent that
-- is next, and the cells of an agent in 360 days, packed (`store/history/state_day.rs`).
CREATE TABLE state_days (
    day INTEGER PRIMARY KEY,
    cursor INTEGER NOT NULL,
    next_agent INTEGER
) STRICT;
CREATE TABLE state_day_cells (
    key INTEGER PRIMARY KEY,
    cells BLOB NOT NULL
) STRICT;
-- The number of an outage is the cursor of the event that began it. Cause and step are rows of texts. Beats go
-- on being missed from run_from_ms.
CREATE TABLE outages (
    cursor INTEGER PRIMARY KEY,
    agent_id INTEGER NOT NULL,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER,
    worst INTEGER NOT NULL,
    cause INTEGER,
    step INTEGER,
    missed INTEGER NOT NULL DEFAULT 0,
    run_from_ms INTEGER,
    run_interval_ms INTEGER
) STRICT;
CREATE INDEX outages_open ON outages (agent_id) WHERE end_ms IS NULL;

-- What operators wrote on outages.
CREATE TABLE notes (
    id INTEGER PRIMARY KEY,
    outage INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    \"by\" TEXT NOT NULL,
    acknowledges INTEGER NOT NULL,
    words TEXT NOT NULL
) STRICT;
CREATE INDEX notes_by_outage ON notes (outage);

-- Incidents, as they are or were in the end; the body has the members, and who was told
-- (`store/history/incident.rs`).
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY,
    opened_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    severity TEXT NOT NULL,
    worst INTEGER NOT NULL,
    members INTEGER NOT NULL,
    in_trouble INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX incidents_open ON incidents (id) WHERE ended_ms IS NULL;
CREATE INDEX incidents_by_end ON incidents (ended_ms) WHERE ended_ms IS NOT NULL;
-- The outbox: what people are told, and how far each notice has come with each sink.
CREATE TABLE notices (
    incident INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (incident, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX notices_by_time ON notices (at_ms);
CREATE TABLE deliveries (
    incident INTEGER NOT NULL,
    number INTEGER NOT NULL,
    sink TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    at_ms INTEGER NOT NULL,
    answer TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (incident, number, sink)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_by_time ON deliveries (at_ms);
CREATE INDEX deliveries_pending ON deliveries (sink, incident, number)
    WHERE state IN ('pending', 'attempted');

-- Rollups: work and beats of an agent in a slot, the number of the minute, hour or day since 1970. A row
-- only where something happened. Latencies are packed as on the wire, so that they add up exactly. Each table
-- has one with the sums of all its agents, which is rebuilt where it is lost or another version wrote it.
", rollup_table!("minutes"), rollup_table!("hours"), rollup_table!("days"), "
-- The progress of folding into a table: everything before the slot, and in it the agents up to this
-- one.
CREATE TABLE folds (
    into_table TEXT PRIMARY KEY,
    slot INTEGER NOT NULL,
    agent_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- For people with the sqlite3 shell.
CREATE VIEW readable_events AS
    SELECT e.cursor, strftime('%Y-%m-%dT%H:%M:%fZ', e.at_ms / 1000.0, 'unixepoch') AS at,
        a.name AS agent, k.name AS kind,
        iif(e.kind = 1, (SELECT name FROM names WHERE what = 'status' AND code = e.was), NULL)
            AS \"from\",
        (SELECT name FROM names WHERE what = iif(e.kind = 8, 'gap', 'status') AND code = e.status)
            AS \"to\",
        e.value, (SELECT text FROM texts WHERE id = d.\"by\") AS \"by\",
        coalesce((SELECT text FROM texts WHERE id = d.words), iif(e.kind = 1, 'a live beat', NULL))
            AS words,
        (SELECT text FROM texts WHERE id = d.step) AS step, d.last_lines
    FROM events e LEFT JOIN event_details d USING (cursor) LEFT JOIN agents a ON a.id = e.agent_id
        LEFT JOIN names k ON k.what = 'event' AND k.code = e.kind;
CREATE VIEW readable_outages AS
    SELECT o.cursor AS outage, a.name AS agent,
        strftime('%Y-%m-%dT%H:%M:%fZ', o.start_ms / 1000.0, 'unixepoch') AS start,
        strftime('%Y-%m-%dT%H:%M:%fZ', o.end_ms / 1000.0, 'unixepoch') AS \"end\",
        (o.end_ms - o.start_ms) / 1000.0 AS seconds,
        (SELECT name FROM names WHERE what = 'status' AND code = o.worst) AS worst,
        (SELECT text FROM texts WHERE id = o.cause) AS cause,
        (SELECT text FROM texts WHERE id = o.step) AS step, o.missed AS missed_beats
    FROM outages o LEFT JOIN agents a ON a.id = o.agent_id;
");

pub(super) const INCIDENT_1: &str = "
CREATE TABLE incident (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";
