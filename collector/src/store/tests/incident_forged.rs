//! Incident files that are damaged, cut off, of another version, or made to deceive.

use std::fs;
use std::os::unix::fs::FileExt as _;

use heartline_operator::Filter;
use heartline_operator::message::{
    AgentChartQuery, AgentHistoryQuery, EventQuery, FleetHistoryQuery, HistoryContent, OutageQuery,
    TimelineQuery,
};
use heartline_vocabulary::AgentStatus;
use rusqlite::Connection;

use super::incident::export;
use super::outages::{LATE, SILENT, gap, identity, recorded, to};
use super::*;
use crate::store::IncidentFile;
use crate::store::incident::seal;

const LONG_MS: i64 = 100_000;

/// A good file, of some agents that were out.
fn good() -> (TempDir, PathBuf) {
    let mut rows = vec![gap(0, 2_000)];
    for round in 0..40 {
        rows.extend([
            identity(1, round * 1_000, "m3", 7),
            to(1, round * 1_000 + 100, LATE),
            segment_at(round as u64 + 1, 1, 7, round as u64 + 1, round * 1_000),
            to(1, round * 1_000 + 500, AgentStatus::HEALTHY),
            to(2, round * 1_000 + 600, SILENT),
            to(2, round * 1_000 + 700, AgentStatus::HEALTHY),
        ]);
    }
    let dir = recorded(rows);
    let path = dir.path().join("file");
    export(dir.path(), (2_500, LONG_MS), false, &path);
    (dir, path)
}

#[track_caller]
fn refused(path: &Path) -> String {
    match IncidentFile::open(path) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_no_incident_file_is_told_apart() {
    let (dir, path) = good();
    let other = dir.path().join("other");
    assert!(refused(&other).contains("No such file"), "{}", refused(&other));
    for (bytes, expected) in [
        (Vec::new(), "is no incident file"),
        (b"SQLite format 3\0".to_vec(), "is no incident file"),
        (vec![0x5a; 100_000], "is no incident file"),
        (fs::read(path_of(&dir, "history.db")).unwrap(), "is the history of a collector"),
        (fs::read(path_of(&dir, "control.db")).unwrap(), "is no incident file"),
    ] {
        fs::write(&other, bytes).unwrap();
        assert!(refused(&other).contains(expected), "{}", refused(&other));
    }
    assert!(refused(dir.path()).contains("is no regular file"));
    assert!(refused(Path::new("/dev/zero")).contains("is no regular file"));
    let pipe = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(refused(&pipe).contains("is no regular file"), "and nobody waits for its writer");
    IncidentFile::open(&path).unwrap();
}

fn path_of(dir: &TempDir, name: &str) -> PathBuf {
    path(dir, name)
}

#[test]
fn a_file_of_another_version_is_refused_with_both_versions() {
    let (_dir, path) = good();
    let version = crate::store::schema::INCIDENT.steps.len();
    for (found, expected) in [(version + 7, "upgrade this one"), (version - 1, "an older one")] {
        set_version(&path, found as u32);
        let said = refused(&path);
        assert!(said.contains(&format!("version {found}")) && said.contains(expected), "{said}");
        assert!(said.contains(&format!("version {version}")), "{said}");
    }
}

fn set_version(path: &Path, version: u32) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&version.to_be_bytes(), 60).unwrap();
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused() {
    let (_dir, path) = good();
    let whole = fs::read(&path).unwrap();
    for cut in [1, 100, 4_096, whole.len() / 2, whole.len() - 4_096, whole.len() - 101] {
        fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let said = refused(&path);
        assert!(said.contains("is cut off") || said.contains("is no incident file"), "{said}");
    }
}

/// A byte is changed in a thousand places. The file is refused, or it is as it was: what lies in no row is free.
#[test]
fn a_file_with_a_changed_byte_is_refused_or_answers_as_before() {
    let (_dir, path) = good();
    let answers = |mut file: IncidentFile| {
        let outages = OutageQuery { limit: 1_000, ..OutageQuery::default() };
        let events = EventQuery { limit: 5_000, ..EventQuery::default() };
        let past = file.reader.past(ZERO_MS + 20_000, true).unwrap();
        let outages = file.reader.outages(&outages, ZERO_MS + LONG_MS).unwrap();
        format!("{past:?} {outages:?} {:?}", file.reader.events(&events).unwrap())
    };
    let expected = answers(IncidentFile::open(&path).unwrap());
    let whole = fs::read(&path).unwrap();
    let mut rng = fastrand::Rng::with_seed(7);
    let mut refused = 0;
    for _ in 0..1_000 {
        let mut bytes = whole.clone();
        let at = rng.usize(..bytes.len());
        bytes[at] ^= rng.u8(1..);
        fs::write(&path, bytes).unwrap();
        match IncidentFile::open(&path) {
            Ok(file) => assert_eq!(answers(file), expected, "byte {at}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 100, "{refused} of 1000 were seen");
}

/// Whoever makes a file can make its digest as well. What is in it must be refused for what it is.
#[test]
fn a_file_that_was_made_to_deceive_is_refused_with_what_is_wrong_in_it() {
    for (sql, expected) in [
        ("CREATE VIEW v AS SELECT 1", "view v"),
        ("CREATE TRIGGER t AFTER INSERT ON names BEGIN SELECT 1; END", "trigger t"),
        ("CREATE TABLE more (a)", "table more"),
        ("CREATE INDEX i ON events (at_ms)", "index i"),
        (
            "DROP VIEW readable_events; CREATE VIEW readable_events AS SELECT 1",
            "view readable_events",
        ),
        ("DROP TABLE gaps", "table gaps"),
        (
            "DROP TABLE gaps; CREATE VIEW gaps AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 \
             FROM n) SELECT i AS cursor, i AS from_ms, i AS to_ms, 1 AS cause FROM n",
            "gaps",
        ),
        ("UPDATE agents SET name = 'a' || char(27) || '[2J'", "name of agents"),
        ("UPDATE agents SET name = char(8238)", "name of agents"),
        ("UPDATE agents SET name = printf('%.*c', 20000, 'x')", "name of agents"),
        ("UPDATE agents SET id = 1 << 40 WHERE id = 3", "id of agents"),
        ("UPDATE agents SET status = 5", "status of agents"),
        ("UPDATE agents SET since_ms = 9223372036854775807", "since_ms of agents"),
        ("UPDATE outages SET worst = 99999", "worst of outages"),
        ("UPDATE outages SET missed = -1", "missed of outages"),
        ("UPDATE outages SET start_ms = -9223372036854775808", "start_ms of outages"),
        ("UPDATE events SET kind = 77 WHERE kind = 1", "kind of events"),
        ("UPDATE events SET status = 77777 WHERE kind = 1", "status of events"),
        ("UPDATE texts SET text = text || char(10) || 'x'", "text of texts"),
        ("UPDATE event_details SET words = -1", "words of event_details"),
        ("UPDATE fleet_minutes SET ok = -1", "ok of fleet_minutes"),
        ("UPDATE strips SET strip = x'ff'", "strip of strips"),
        ("UPDATE strips SET strip = zeroblob(70000)", "strip of strips"),
        (
            "UPDATE strips SET strip = x'ffffffffffffffffff0102ffffffffffffffffff01'",
            "strip of strips",
        ),
        ("UPDATE strips SET key = -1 WHERE key = (SELECT min(key) FROM strips)", "key of strips"),
        ("INSERT INTO state_days VALUES (20000, 1, NULL)", "day of state_days"),
        ("INSERT INTO state_day_cells VALUES (236223201281, x'00')", "key of state_day_cells"),
        ("UPDATE checkpoint_fleets SET fleet = x'dfffffffff'", "fleet of checkpoint_fleets"),
        ("UPDATE checkpoint_fleets SET fleet = x'dd7fffffff'", "fleet of checkpoint_fleets"),
        ("UPDATE identities SET body = x'81a4686f7374a31b5b41'", "body of identities"),
        (
            "UPDATE minutes SET slot = 9223372036854775807 - rowid_free FROM (SELECT 0 AS rowid_free)",
            "slot of minutes",
        ),
        ("UPDATE minutes SET ok = -5", "ok of minutes"),
        ("UPDATE minutes SET latency = x'ffff'", "latency of minutes"),
        ("INSERT INTO folds VALUES ('hours', -9223372036854775808, 0)", "slot of folds"),
        ("DELETE FROM incident WHERE key = 'sha256'", "its digest is another one"),
        ("UPDATE incident SET value = '0' WHERE key = 'until_ms'", "its digest is another one"),
        ("DELETE FROM events", "its digest is another one"),
    ] {
        let (_dir, path) = good();
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        drop(conn);
        let said = match IncidentFile::open(&path) {
            Ok(_) => panic!("{sql}: it was opened"),
            Err(error) => error.to_string(),
        };
        assert!(said.contains(expected), "{sql}: {said}");
    }
}

/// Values are changed at random, and the digest is made right again. A file whose values are sane is opened,
/// and whatever it is asked has an answer.
#[test]
fn a_file_with_any_values_is_refused_or_answers() {
    let (_dir, path) = good();
    let whole = fs::read(&path).unwrap();
    let mut rng = fastrand::Rng::with_seed(0xf11e);
    let tables: Vec<(String, Vec<String>)> = {
        let conn = Connection::open(&path).unwrap();
        let sql = "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c \
                   WHERE m.type = 'table' AND m.name NOT IN ('incident', 'sqlite_sequence')";
        let mut found = std::collections::BTreeMap::<String, Vec<String>>::new();
        let mut statement = conn.prepare(sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            found.entry(row.get(0).unwrap()).or_default().push(row.get(1).unwrap());
        }
        found.into_iter().collect()
    };
    let (mut opened, mut changed) = (0, 0);
    for _ in 0..1_000 {
        fs::write(&path, &whole).unwrap();
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY").unwrap();
        for _ in 0..rng.u8(1..4) {
            let (table, columns) = &tables[rng.usize(..tables.len())];
            let column = &columns[rng.usize(..columns.len())];
            let value = random_value(&mut rng, column);
            let condition = match rng.bool() {
                true => "random() % 8 = 0",
                false => "true",
            };
            let sql =
                format!("UPDATE OR IGNORE {table} SET \"{column}\" = {value} WHERE {condition}");
            // What the schema does not take is no file.
            changed += conn.execute(&sql, []).unwrap_or(0);
        }
        let is_sane = seal(&conn);
        drop(conn);
        match IncidentFile::open(&path) {
            Ok(file) => {
                assert!(is_sane);
                opened += 1;
                ask_everything(file);
            }
            // A value that is sane may still be none of the row that it is in.
            Err(error) => assert!(!is_sane || !error.to_string().contains("digest"), "{error}"),
        }
    }
    assert!(opened > 300 && changed > 5_000, "{opened} were opened, {changed} values changed");
}

fn random_value(rng: &mut fastrand::Rng, column: &str) -> String {
    let near = ZERO_MS + rng.i64(-LONG_MS..2 * LONG_MS);
    match rng.u8(..8) {
        0 => i64::MAX.to_string(),
        1 => "-1".to_owned(),
        2 => "NULL".to_owned(),
        3 => (rng.i64(0..1 << 53) >> rng.u8(..53)).to_string(),
        4 => near.to_string(),
        // Nearly what it was.
        5 | 6 => format!("\"{column}\" + {}", rng.i64(-3..4)),
        _ => {
            let length = rng.usize(..40);
            let bytes: Vec<u8> = (0..length).map(|_| rng.u8(..)).collect();
            format!("x'{}'", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
    }
}

/// Asks all that screens and commands ask. An answer may be an error, never a panic.
fn ask_everything(mut file: IncidentFile) {
    let until_ms = ZERO_MS + LONG_MS;
    let reader = &mut file.reader;
    let outages = OutageQuery { limit: 1_000, ..OutageQuery::default() };
    drop(reader.outages(&outages, until_ms));
    for agent in [None, Some("agent-1".to_owned())] {
        let events = EventQuery { limit: 5_000, agent, ..EventQuery::default() };
        drop(reader.events(&events));
    }
    for at_ms in [0, ZERO_MS + 20_000, until_ms] {
        drop(reader.past(at_ms, true));
        drop(reader.moment(at_ms));
    }
    for (cell_ms, cells) in [(1_000, 100), (86_400_000, 200)] {
        let rows = vec![vec![AgentRowId(1)], vec![AgentRowId(1), AgentRowId(2)]];
        let from_ms = ZERO_MS / 86_400_000 * 86_400_000;
        drop(reader.timeline(&TimelineQuery { from_ms, cell_ms, cells, rows }, until_ms));
    }
    for chart in [None, Some(AgentChartQuery::default())] {
        let query = AgentHistoryQuery {
            agent: "agent-1".into(),
            since_ms: Some(ZERO_MS - LONG_MS),
            until_ms,
            step_ms: None,
            chart,
        };
        drop(reader.agent_history(&query, until_ms));
    }
    let content = HistoryContent::WorkAndStates;
    let query = FleetHistoryQuery {
        since_ms: Some(ZERO_MS - LONG_MS),
        until_ms,
        step_ms: None,
        agent: None,
        filter: String::new(),
        content,
    };
    for filter in ["", "host:m3"] {
        drop(reader.fleet_history(&query, &Filter::parse(filter).unwrap(), until_ms));
    }
    drop(reader.sessions(AgentRowId(1), 10));
}

/// A value of a gigabyte takes no memory to be refused.
#[test]
fn a_value_that_is_too_long_is_not_read() {
    let (_dir, path) = good();
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("UPDATE checkpoint_fleets SET fleet = zeroblob(900000000)").unwrap();
    drop(conn);
    assert!(refused(&path).contains("too big"), "{}", refused(&path));
}
