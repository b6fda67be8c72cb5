//! Backups of a store that is in use.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rusqlite::Connection;

use super::*;
use crate::store::{BackupError, BackupJob, JobProgress};

/// Agents of the store under load.
const AGENTS: u64 = 3;

fn job(data_dir: &Path, dir: &Path) -> BackupJob {
    let (data_dir, dir) = (data_dir.into(), dir.into());
    BackupJob { data_dir, dir, at_ms: ZERO_MS, master_keys: Some("1 00\n".into()) }
}

fn run(job: &BackupJob) -> Result<Vec<String>, BackupError> {
    let progress = Arc::<JobProgress>::default();
    let files = job.run(&progress)?;
    let (done, total) = progress.bytes();
    assert_eq!(done, total, "it says that it is done when it is");
    Ok(files.into_iter().map(|file| file.name).collect())
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Kills and work are given without a pause while one backup follows the other. Every backup has what had
/// been acknowledged before it began, and neither of its databases lacks what the other one knows.
#[test]
fn a_backup_under_load_has_what_was_acknowledged_and_nothing_twice() {
    let (dir, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let opened = open(dir.path());
    (1..=AGENTS).for_each(|id| register(&opened, id as i64, &format!("agent-{id}")));
    let acknowledged = AtomicU64::new(0);
    let before = thread::scope(|scope| {
        let backups = scope.spawn(|| {
            let make = |number: u64| {
                let before = acknowledged.load(Ordering::Acquire);
                let files = run(&job(dir.path(), &backups.path().join(number.to_string())));
                assert_eq!(files.unwrap(), ["README", "control.db", "history.db", "master.key"]);
                before
            };
            (0..12).map(make).collect::<Vec<u64>>()
        });
        let mut round = 0;
        while !backups.is_finished() {
            round += 1;
            let rows: Vec<_> = (1..=AGENTS)
                .map(|id| segment((round - 1) * AGENTS + id, id as i64, 7, round))
                .collect();
            opened.record(rows);
            opened.persist([command(round, round, Action::Kill, &[(1, round)])]);
            opened.wait_for(|event| match event {
                StoreEvent::Persisted { ticket } => (ticket.0 == round).then_some(()),
                _ => None,
            });
            opened.record([HistoryDbRow::Commanded {
                id: AgentRowId(1),
                at: at(5_000),
                action: Action::Kill,
                generation: round,
                by: "root@host".into(),
                reason: "burns money".into(),
            }]);
            opened.store.flush_history(tokio::sync::oneshot::channel().0);
            opened.wait_stored(round * AGENTS);
            acknowledged.store(round, Ordering::Release);
        }
        backups.join().unwrap()
    });
    drop(opened);
    assert!(before.is_sorted() && before.last() > Some(&0), "there was load: {before:?}");
    for (number, before) in (0_u64..).zip(before) {
        let restored = backups.path().join(number.to_string());
        let restored = open(&restored).restored;
        assert_eq!(restored.banners, [""; 0], "backup {number}: nothing is lost");
        for agent in &restored.agents {
            let session = &agent.sessions;
            let applied = session.first().map_or(0, |session| session.applied_segment);
            assert!(applied >= before, "backup {number}: {applied} segments of {before}");
            assert_eq!((agent.totals.ok, agent.totals.failed), (applied, applied));
        }
        let desired = restored.agents.first().and_then(|agent| agent.desired.as_deref());
        let generation = desired.map_or(0, |desired| desired.generation);
        assert!(generation >= before, "backup {number}: kill {generation} of {before}");
        assert!(desired.is_none_or(|desired| desired.killed));
    }
}

#[test]
fn a_backup_is_readable_by_its_owner_alone_and_has_no_key_that_was_left_out() {
    let (dir, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    let with_key = job(dir.path(), &backups.path().join("with"));
    // An empty directory is as good as none, whatever its mode.
    fs::create_dir(&with_key.dir).unwrap();
    run(&with_key).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&with_key.dir), 0o700);
    for name in names_in(&with_key.dir) {
        assert_eq!(mode(&with_key.dir.join(&name)), 0o600, "{name}");
    }
    let dir = backups.path().join("without");
    let without_key = BackupJob { master_keys: None, dir, ..with_key };
    assert_eq!(run(&without_key).unwrap(), ["README", "control.db", "history.db"]);
    let readme = fs::read_to_string(without_key.dir.join("README")).unwrap();
    assert!(readme.contains("master.key is not in it"), "{readme}");
    assert_eq!(names_in(backups.path()), ["with", "without"], "nothing else is left");
}

#[test]
fn a_place_where_no_backup_can_be_made_is_refused_with_the_reason() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let _opened = open(dir.path());
    let full = other.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("file"), "of somebody").unwrap();
    fs::write(other.path().join("file"), "").unwrap();
    std::os::unix::fs::symlink("nowhere", other.path().join("link")).unwrap();
    std::os::unix::fs::symlink(dir.path(), other.path().join("data")).unwrap();
    let before = names_in(other.path());
    for (to, expected) in [
        (PathBuf::from("backup"), "no absolute path"),
        (PathBuf::from("/"), "no absolute path"),
        (full.clone(), "is not empty: name a directory that does not exist"),
        (other.path().join("file"), "is no directory"),
        (other.path().join("link"), "is no directory"),
        (other.path().join("missing/backup"), "make the directory that it is in first"),
        (other.path().join("file/backup"), "can't make"),
        (dir.path().join("backup"), "is in the data directory"),
        (other.path().join("data/backup"), "is in the data directory"),
        (PathBuf::from("/proc"), "is not empty"),
    ] {
        let refused = run(&job(dir.path(), &to)).unwrap_err().to_string();
        assert!(refused.contains(expected), "{}: {refused}", to.display());
    }
    assert_eq!(names_in(other.path()), before, "nothing is left of what failed");
    assert_eq!(names_in(&full), ["file"]);
}

#[test]
fn a_cancelled_backup_ends_and_leaves_nothing() {
    let (dir, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(open(dir.path()));
    let conn = Connection::open(path(&dir, "history.db")).unwrap();
    conn.execute_batch("CREATE TABLE large AS SELECT zeroblob(200000000)").unwrap();
    drop(conn);
    let job = job(dir.path(), &backups.path().join("backup"));
    let progress = Arc::<JobProgress>::default();
    thread::scope(|scope| {
        let running = scope.spawn(|| job.run(&progress));
        // A small file, then the large one.
        while progress.steps() < 8 && !running.is_finished() {
            thread::yield_now();
        }
        progress.cancel();
        let cancelled = running.join().unwrap().unwrap_err();
        assert!(matches!(cancelled, BackupError::Cancelled(_)), "{cancelled}");
    });
    let (done, total) = progress.bytes();
    assert!(0 < done && done < total, "{done} of {total}");
    assert_eq!(names_in(backups.path()), [""; 0]);
}

#[test]
fn damage_is_found_before_a_backup_is_kept() {
    let (dir, backups) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let opened = open(dir.path());
    (1..=300).for_each(|id| register(&opened, id, "an agent with quite a long name"));
    drop(opened);
    let database = path(&dir, "control.db");
    let mut bytes = fs::read(&database).unwrap();
    let from = bytes.len() - 8_192;
    bytes[from..].fill(0x5a);
    fs::write(&database, bytes).unwrap();
    let refused = run(&job(dir.path(), &backups.path().join("backup"))).unwrap_err();
    assert!(matches!(refused, BackupError::Damaged { .. }), "{refused}");
    assert!(refused.to_string().contains("control.db is damaged"), "{refused}");
    assert_eq!(names_in(backups.path()), [""; 0]);
}
