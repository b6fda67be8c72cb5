//! Incident files, compared with the history that they are of.

use std::io::Read as _;

use heartline_fleet::{Transition, TransitionCause};
use heartline_operator::message::{
    AgentHistoryQuery, EventOrder, EventQuery, IncidentContents, OutageQuery, TimelineQuery,
};
use heartline_vocabulary::{AgentStatus, Identity, SharedIdentity};

use super::outages::{KILLED, LATE, SILENT, STALLED, gap, identity, recorded, to};
use super::*;
use crate::store::{IncidentFile, IncidentJob, JobProgress, NewNote};

const MINUTE_MS: i64 = 60_000;

/// Makes an incident file of a history.
pub(super) fn export(
    data_dir: &Path,
    (since_ms, until_ms): (i64, i64),
    is_redacted: bool,
    into: &Path,
) -> IncidentContents {
    let job = IncidentJob {
        data_dir: data_dir.into(),
        since_ms: ZERO_MS + since_ms,
        until_ms: ZERO_MS + until_ms,
        made_ms: ZERO_MS + until_ms,
        host: "secret-host".into(),
        is_redacted,
    };
    let (mut file, contents) = job.run(&Arc::<JobProgress>::default()).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, contents.bytes);
    std::fs::write(into, bytes).unwrap();
    let left = std::fs::read_dir(data_dir).unwrap().map(|it| it.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("incident")).collect();
    assert!(left.is_empty(), "nothing is left of it where it was made: {left:?}");
    contents
}

/// Returns everything that a history answers about a range, as text.
fn answers(reader: &mut StoreReader, since_ms: i64, until_ms: i64) -> Vec<String> {
    let (since_ms, until_ms) = (ZERO_MS + since_ms, ZERO_MS + until_ms);
    let mut answers = Vec::new();
    for step in 0..=20 {
        let at_ms = since_ms + (until_ms - since_ms) * step / 20;
        answers.push(format!("{:?}", reader.past(at_ms, true).unwrap()));
    }
    let order = EventOrder::OldestFirst;
    for agent in [None, Some("agent-1".to_owned()), Some("agent-2".to_owned())] {
        let outages = OutageQuery {
            since_ms: Some(since_ms),
            until_ms: Some(until_ms),
            agent: agent.clone(),
            limit: 1_000,
            order,
            ..OutageQuery::default()
        };
        answers.push(format!("{:?}", reader.outages(&outages, until_ms).unwrap()));
        let events = EventQuery {
            since_ms: Some(since_ms),
            until_ms: Some(until_ms),
            agent,
            limit: 5_000,
            order,
            ..EventQuery::default()
        };
        answers.push(format!("{:?}", reader.events(&events).unwrap()));
    }
    for id in 1..=3 {
        let query = AgentHistoryQuery {
            agent: format!("agent-{id}"),
            // A step begins at a whole minute, before which a file knows nothing.
            since_ms: Some((since_ms / MINUTE_MS + 1) * MINUTE_MS),
            until_ms,
            step_ms: Some(MINUTE_MS),
            chart: None,
        };
        answers.push(format!("{:?}", reader.agent_history(&query, until_ms).unwrap()));
    }
    let query = TimelineQuery {
        from_ms: since_ms,
        cell_ms: (until_ms - since_ms) / 50 + 1,
        cells: 50,
        rows: (1..=3).map(|id| vec![AgentRowId(id)]).collect(),
    };
    // The collector's own row begins where the file does, and so does what is known.
    answers.push(format!("{:?}", reader.timeline(&query, until_ms).unwrap().rows));
    answers
}

/// Rows of three agents over an hour, stamped a little out of order.
fn random_rows(rng: &mut fastrand::Rng) -> Vec<(i64, HistoryDbRow)> {
    let mut rows = vec![(0, gap(-2_000, 0))];
    let (mut now_ms, mut segments) = (1_000, [0_u64; 4]);
    while now_ms < 60 * MINUTE_MS {
        now_ms += rng.i64(500..20_000);
        let at_ms = (now_ms - rng.i64(0..4) * 1_000).max(0);
        let id = rng.i64(1..=3);
        let statuses = [LATE, STALLED, SILENT, KILLED, AgentStatus::HEALTHY, AgentStatus::HEALTHY];
        let row = match rng.u8(..20) {
            0 => gap(now_ms - 7_000, now_ms),
            1..3 => identity(id, at_ms, &format!("m{}", rng.u8(..3)), rng.u32(1..100)),
            3..7 => {
                segments[id as usize] += 1;
                let number = segments[id as usize];
                segment_at(rows.len() as u64 + 1, id, 7, number, at_ms)
            }
            _ => to(id, at_ms, *rng.choice(&statuses).unwrap()),
        };
        let at_ms = if matches!(row, HistoryDbRow::Gap { .. }) { now_ms } else { at_ms };
        rows.push((at_ms, row));
    }
    rows
}

/// Whatever is asked of a file, it answers as the history did when the file's last moment was now.
#[test]
fn a_file_answers_as_the_history_did_at_its_end() {
    for seed in 0..12 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let rows = random_rows(&mut rng);
        let only = |rows: &[(i64, HistoryDbRow)]| -> Vec<_> {
            rows.iter().map(|(_, row)| row.clone()).collect()
        };
        let whole = recorded(only(&rows));
        let mut tried = 0;
        while tried < 4 {
            let last = rng.usize(rows.len() / 3..rows.len());
            let until_ms = rows[..last].iter().map(|row| row.0).max().unwrap_or(0) + 1;
            // A moment that nothing is stamped across: else the history of then is not a part of this one.
            if rows[last..].iter().any(|row| row.0 < until_ms) {
                continue;
            }
            // Work is known to the minute.
            let is_of_last_minute = |at_ms: i64| at_ms / MINUTE_MS == (until_ms - 1) / MINUTE_MS;
            let is_work = |row: &HistoryDbRow| matches!(row, HistoryDbRow::Work(_));
            if rows[last..].iter().any(|row| is_work(&row.1) && is_of_last_minute(row.0)) {
                continue;
            }
            tried += 1;
            let since_ms = rng.i64(1_000..until_ms - 2 * MINUTE_MS);
            let then = recorded(only(&rows[..last]));
            let path = whole.path().join("file");
            export(whole.path(), (since_ms, until_ms), false, &path);
            let mut file = IncidentFile::open(&path).unwrap();
            let expected = answers(&mut reader(&then), since_ms, until_ms);
            let found = answers(&mut file.reader, since_ms, until_ms);
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found, expected, "seed {seed}, {since_ms} to {until_ms}");
            }
        }
    }
}

#[test]
fn a_file_says_what_it_is_and_knows_nothing_before_it() {
    let dir =
        recorded([to(1, 30_000, LATE), to(1, 90_000, AgentStatus::HEALTHY), to(2, 95_000, LATE)]);
    let path = dir.path().join("file");
    let contents = export(dir.path(), (60_000, 93_000), false, &path);
    assert_eq!((contents.events, contents.outages, contents.agents.count), (1, 1, 3));
    let mut file = IncidentFile::open(&path).unwrap();
    assert_eq!((file.info.since_ms, file.info.until_ms), (ZERO_MS + 60_000, ZERO_MS + 93_000));
    assert_eq!((file.info.host.as_str(), file.info.is_redacted), ("secret-host", false));
    let before = file.reader.past(ZERO_MS + 59_999, true).unwrap();
    assert_eq!(before, crate::store::PastReading::BeforeFirst(Some(ZERO_MS + 60_000)));
    assert!(file.reader.tokens().unwrap_err().to_string().contains("no tokens"));
    // One that begins earlier than history does begins with it.
    let contents = export(dir.path(), (-3_600_000, 93_000), false, &path);
    assert_eq!((contents.since_ms, contents.events), (ZERO_MS, 5));
}

/// A table that is new has to be written into excerpts, or left out on purpose.
#[test]
fn every_table_is_written_into_a_file_or_left_out_on_purpose() {
    const WRITTEN: [&str; 21] = [
        "agents",
        "checkpoint_fleets",
        "checkpoints",
        "days",
        "event_details",
        "events",
        "fleet_days",
        "fleet_hours",
        "fleet_minutes",
        "folds",
        "gaps",
        "hours",
        "identities",
        "incident",
        "meta",
        "minutes",
        "names",
        "notes",
        "outages",
        "sessions",
        "texts",
    ];
    const DERIVED: [&str; 3] = ["strips", "state_days", "state_day_cells"];
    // Who was told what is the collector's own.
    const LEFT_OUT: [&str; 3] = ["incidents", "notices", "deliveries"];
    let dir = recorded([to(1, 30_000, LATE)]);
    let path = dir.path().join("file");
    export(dir.path(), (10_000, 60_000), false, &path);
    let conn = rusqlite::Connection::open(&path).unwrap();
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut statement = conn.prepare(sql).unwrap();
    let tables = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let tables: std::collections::BTreeSet<String> = tables.map(Result::unwrap).collect();
    let known = WRITTEN.into_iter().chain(DERIVED).chain(LEFT_OUT).map(str::to_owned);
    assert_eq!(tables, known.collect(), "see `store/history/excerpt/`");
}

#[test]
fn a_range_of_which_nothing_is_known_is_refused() {
    let run = |dir: &TempDir, until_ms: i64| {
        let job = IncidentJob {
            data_dir: dir.path().into(),
            since_ms: ZERO_MS - 1,
            until_ms: ZERO_MS + until_ms,
            made_ms: 0,
            host: String::new(),
            is_redacted: false,
        };
        job.run(&Arc::<JobProgress>::default()).unwrap_err().to_string()
    };
    let empty = tempfile::tempdir().unwrap();
    open(empty.path()).store.close();
    assert_eq!(run(&empty, 1_000), "history is empty");
    let dir = recorded([to(1, 30_000, LATE)]);
    assert!(run(&dir, 0).contains("history begins at 2026-04-01T14:30:00.000Z"));
    let cancelled = JobProgress::default();
    cancelled.cancel();
    let job = IncidentJob {
        data_dir: dir.path().into(),
        since_ms: ZERO_MS,
        until_ms: ZERO_MS + 60_000,
        made_ms: 0,
        host: String::new(),
        is_redacted: false,
    };
    assert_eq!(job.run(&Arc::new(cancelled)).unwrap_err().to_string(), "it was cancelled");
    assert!(!dir.path().join("incident.partial").exists());
}

/// Nothing of what people and agents wrote is in the bytes of a redacted file, and the same words stand for the
/// same texts everywhere.
#[test]
fn a_redacted_file_has_no_text_of_its_own() {
    const SECRETS: [&str; 14] = [
        "agent-secret",
        "host-secret",
        "group-secret",
        "version-secret",
        "key-secret",
        "value-secret",
        "depends-secret",
        "step-secret",
        "reason-secret",
        "operator-secret",
        "line-secret",
        "note-secret",
        "secret-host",
        "lastword-secret",
    ];
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-secret");
    register(&opened, 2, "depends-secret");
    let shared = SharedIdentity {
        host: Some("host-secret".into()),
        group: Some("group-secret".into()),
        version: Some("version-secret".into()),
        framework: Some("langgraph 1.0".into()),
        labels: vec![("key-secret".into(), "value-secret".into())],
        depends: vec!["depends-secret".into()],
        ..SharedIdentity::default()
    };
    let identity = Identity { pid: Some(1), shared: shared.into() };
    let transition = |at_ms: i64, to, cause| {
        let step = Some("step-secret".into());
        let (id, from) = (AgentRowId(1), AgentStatus::HEALTHY);
        HistoryDbRow::Transition(Transition {
            id,
            at: at(at_ms),
            from,
            to,
            lasted: None,
            cause,
            step,
        })
    };
    let step = Some("step-secret".into());
    let (by, reason) = ("operator-secret@host-secret", "reason-secret");
    opened.record([
        HistoryDbRow::Identity { id: AgentRowId(1), at: at(1_000), identity },
        transition(20_000, STALLED, TransitionCause::NoProgress { age_ms: 15_000, step }),
        transition(25_000, SILENT, TransitionCause::Missed { beats: 10, interval_ms: 1_000 }),
        transition(
            30_000,
            KILLED,
            TransitionCause::Command { by: by.into(), reason: reason.into() },
        ),
        HistoryDbRow::Commanded {
            id: AgentRowId(1),
            at: at(30_000),
            action: Action::Kill,
            generation: 1,
            by: by.into(),
            reason: reason.into(),
        },
        HistoryDbRow::Forgotten { id: AgentRowId(2), at: at(31_000), by: by.into() },
    ]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let outage = {
        let (flushed, wait) = tokio::sync::oneshot::channel();
        opened.store.flush_history(flushed);
        wait.blocking_recv().unwrap();
        let query = OutageQuery { limit: 1, ..OutageQuery::default() };
        reader(&dir).outages(&query, ZERO_MS).unwrap().0[0].id
    };
    let words = "note-secret".to_owned();
    let note = NewNote { outage, at_ms: ZERO_MS, by: by.into(), acknowledges: true, words };
    runtime.block_on(opened.store.handle().add_note(note)).unwrap();
    opened.store.close();
    let path = dir.path().join("file");

    export(dir.path(), (10_000, 60_000), false, &path);
    let bytes = std::fs::read(&path).unwrap();
    let has = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|at| at == text.as_bytes());
    for secret in SECRETS.iter().filter(|it| !["line-secret", "lastword-secret"].contains(it)) {
        assert!(has(&bytes, secret), "{secret} is in one that is not redacted");
    }
    let contents = export(dir.path(), (10_000, 60_000), true, &path);
    let bytes = std::fs::read(&path).unwrap();
    for secret in SECRETS {
        assert!(!has(&bytes, secret), "{secret}");
    }
    assert!(!format!("{contents:?}").contains("secret"), "{contents:?}");
    let mut file = IncidentFile::open(&path).unwrap();
    let query = OutageQuery { limit: 9, ..OutageQuery::default() };
    let (outages, _) = file.reader.outages(&query, ZERO_MS + 60_000).unwrap();
    let [outage] = &outages[..] else { panic!("{outages:?}") };
    assert_eq!((&*outage.agent, outage.step.as_deref()), ("agent-1", Some("step-1")));
    assert_eq!(outage.cause.as_deref(), Some("10 beats missed (interval 1s)"), "its own sentence");
    assert_eq!(outage.identity.shared.host.as_deref(), Some("host-1"));
    assert_eq!(outage.identity.shared.framework.as_deref(), Some("langgraph 1.0"));
    assert_eq!(&*outage.identity.shared.depends[0], "agent-2", "the agent that it is elsewhere");
    let note = &outage.notes[0];
    let query = EventQuery { limit: 99, ..EventQuery::default() };
    let (events, _) = file.reader.events(&query).unwrap();
    let events = format!("{events:?}");
    assert!(events.contains("agent-1") && events.contains(&note.by), "{events}");
    assert!(events.contains("no progress for 15s; step step-1"), "{events}");
}
