//! Files that are lost, replaced or damaged, and what the databases know of each other.

use std::fs;

use rusqlite::Connection;

use super::*;

/// Copies the databases without their WALs, as a killed process and somebody with `rm` leave them.
pub(super) fn copy_without(dir: &TempDir, without: &[&str]) -> TempDir {
    let left = tempfile::tempdir().unwrap();
    for file in ["history.db-wal", "control.db-wal", "history.db", "control.db"] {
        if !without.contains(&file) {
            fs::copy(path(dir, file), path(&left, file)).unwrap();
        }
    }
    left
}

/// Waits until a database stores at least this number of the other one's commits.
fn wait_for_number(dir: &TempDir, file: &str, least: i64) {
    let deadline = crate::clock::now() + EVENT_TIMEOUT;
    loop {
        let conn = Connection::open(path(dir, file)).unwrap();
        let sql = "SELECT value FROM meta WHERE key = 'other_commits'";
        let number: i64 = conn.query_row(sql, [], |row| row.get(0)).unwrap_or(0);
        if number >= least {
            return;
        }
        assert!(crate::clock::now() < deadline, "{file} knows {number} commits");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A store with one killed agent and its work, all of which both databases know.
pub(super) fn store_with_a_kill(dir: &TempDir) -> OpenStore {
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    opened.record([segment(1, 1, 7, 1)]);
    opened.wait_stored(1);
    opened.persist([command(1, 1, Action::Kill, &[(1, 1)])]);
    opened.wait_persisted(1);
    opened.record([HistoryDbRow::Commanded {
        id: AgentRowId(1),
        at: at(5_000),
        action: Action::Kill,
        generation: 1,
        by: "root@host".into(),
        reason: "burns money".into(),
    }]);
    opened
}

#[test]
fn a_history_that_is_gone_is_said_at_the_start() {
    for way in ["removed", "emptied", "its wal removed"] {
        let dir = tempfile::tempdir().unwrap();
        let opened = store_with_a_kill(&dir);
        wait_for_number(&dir, "control.db", 1);
        let without: &[&str] = match way {
            "removed" => &["history.db", "history.db-wal"],
            _ => &["history.db-wal"],
        };
        let left = copy_without(&dir, without);
        if way == "emptied" {
            fs::write(path(&left, "history.db"), "").unwrap();
        }
        drop(opened);
        let after = open(left.path());
        let [banner] = &after.restored.banners[..] else { panic!("{:?}", after.restored.banners) };
        assert!(banner.contains("history.db lacks its last"), "{way}: {banner}");
        assert!(after.agent(1).desired.as_deref().unwrap().killed, "control.db is whole: {way}");
        let after = after.again(&left);
        assert_eq!(after.restored.banners, [""; 0], "{way}: a banner once");
    }
}

#[test]
fn kills_that_control_db_lost_are_taken_from_history() {
    let dir = tempfile::tempdir().unwrap();
    // In the WAL alone, as it is until nothing was written for a second.
    let before = {
        let opened = open(dir.path());
        register(&opened, 1, "agent-1");
        opened.store.close();
        fs::read(path(&dir, "control.db")).unwrap()
    };
    let opened = store_with_a_kill(&dir);
    wait_for_number(&dir, "history.db", 2);
    opened.store.close();
    fs::write(path(&dir, "control.db"), before).unwrap();

    let opened = open(dir.path());
    let [banner] = &opened.restored.banners[..] else { panic!("{:?}", opened.restored.banners) };
    assert!(banner.contains("control.db lacks its last"), "{banner}");
    assert!(banner.contains("1 kills and resumes"), "{banner}");
    let desired = opened.agent(1).desired.as_deref().unwrap();
    assert_eq!((desired.killed, desired.generation, &*desired.by), (true, 1, "root@host"));
    assert_eq!(&*desired.reason, "burns money");
    let opened = opened.again(&dir);
    assert_eq!(opened.restored.banners, [""; 0], "a banner once");
    assert!(opened.agent(1).desired.as_deref().unwrap().killed);
}

#[test]
fn nothing_is_said_after_a_crash_that_lost_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store_with_a_kill(&dir);
    wait_for_number(&dir, "control.db", 1);
    opened.store.close();
    for _ in 0..3 {
        let opened = open(dir.path());
        assert_eq!(opened.restored.banners, [""; 0]);
        opened.store.close();
    }
}

#[test]
fn control_db_alone_has_everything_soon_after_the_last_command() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store_with_a_kill(&dir);
    let deadline = crate::clock::now() + EVENT_TIMEOUT;
    loop {
        let copy = tempfile::tempdir().unwrap();
        fs::copy(path(&dir, "control.db"), path(&copy, "control.db")).unwrap();
        let conn = Connection::open(path(&copy, "control.db")).unwrap();
        let sql = "SELECT killed FROM desired WHERE agent_id = 1";
        if conn.query_row(sql, [], |row| row.get(0)).unwrap_or(false) {
            break;
        }
        assert!(crate::clock::now() < deadline);
        std::thread::sleep(Duration::from_millis(10));
    }
    opened.store.close();
}

#[test]
fn a_removed_control_db_takes_no_command_and_is_saved() {
    for way in ["removed", "replaced"] {
        let dir = tempfile::tempdir().unwrap();
        let opened = store_with_a_kill(&dir);
        let control = path(&dir, "control.db");
        fs::rename(&control, path(&dir, "aside")).unwrap();
        if way == "replaced" {
            fs::copy(path(&dir, "aside"), &control).unwrap();
        }
        opened.persist([command(2, 2, Action::Resume, &[(1, 2)])]);
        let (mut failed, mut told) = (None, None);
        let (why, sentence) = opened.wait_for(|event| {
            match event {
                StoreEvent::CommandFailed { ticket: WriteTicket(2), why } => failed = Some(why),
                StoreEvent::Condition { about: "control.db", sentence } => told = sentence,
                StoreEvent::Persisted { ticket: WriteTicket(2) } => panic!("acknowledged: {way}"),
                _ => {}
            }
            failed.clone().zip(told.clone())
        });
        assert!(why.contains(&format!("it was {way} while heartlined runs")), "{why}");
        assert!(sentence.contains(&format!("was {way} while")), "{sentence}");
        assert!(sentence.contains("control.db.copy-"), "{sentence}");

        fs::rename(path(&dir, "aside"), &control).unwrap();
        opened.wait_for(|event| match event {
            StoreEvent::Condition { about: "control.db", sentence } => {
                sentence.is_none().then_some(())
            }
            _ => None,
        });
        opened.persist([command(3, 3, Action::Resume, &[(1, 2)])]);
        opened.wait_persisted(3);
        let opened = opened.again(&dir);
        assert!(!opened.agent(1).desired.as_deref().unwrap().killed, "{way}");
    }
}

#[test]
fn what_was_saved_of_a_removed_control_db_is_started_with() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store_with_a_kill(&dir);
    for file in ["control.db", "control.db-wal", "control.db-shm"] {
        fs::remove_file(path(&dir, file)).unwrap();
    }
    opened.wait_for(|event| match event {
        StoreEvent::Condition { about: "control.db", sentence } => sentence,
        _ => None,
    });
    opened.store.close();
    let refused = try_open(dir.path()).err().unwrap().to_string();
    let from = refused.find("copy: ").unwrap() + "copy: ".len();
    let to = refused.find(". Kills given").unwrap();
    let shell = std::process::Command::new("sh").args(["-ec", &refused[from..to]]).status();
    assert!(shell.unwrap().success(), "{refused}");
    let opened = open(dir.path());
    assert!(opened.agent(1).desired.as_deref().unwrap().killed);
}

#[test]
fn a_removed_wal_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store_with_a_kill(&dir);
    for file in ["control.db-wal", "history.db-wal"] {
        fs::remove_file(path(&dir, file)).unwrap();
    }
    opened.persist([command(2, 2, Action::Resume, &[(1, 2)])]);
    opened.record([segment(2, 1, 7, 2)]);
    let mut left = ["control.db-wal removed", "history.db"].to_vec();
    let (mut is_persisted, mut is_stored) = (false, false);
    opened.wait_for(|event| {
        match event {
            StoreEvent::Condition { about, sentence: Some(_) } => left.retain(|it| *it != about),
            StoreEvent::Persisted { ticket: WriteTicket(2) } => is_persisted = true,
            StoreEvent::HistoryStored { ticket: WriteTicket(2), .. } => is_stored = true,
            StoreEvent::CommandFailed { why, .. } => panic!("{why}"),
            _ => {}
        }
        (left.is_empty() && is_persisted && is_stored).then_some(())
    });
    // As a killed process leaves the files.
    let after = open(copy_without(&dir, &[]).path());
    assert_eq!(after.restored.banners, [""; 0]);
    assert_eq!(after.agent(1).totals.ok, 2);
    assert!(!after.agent(1).desired.as_deref().unwrap().killed);
}

#[test]
fn a_removed_history_is_written_again() {
    for without in [&["history.db"][..], &["history.db", "history.db-wal", "history.db-shm"]] {
        let dir = tempfile::tempdir().unwrap();
        let opened = store_with_a_kill(&dir);
        let mut reader = reader(&dir);
        for file in without {
            fs::remove_file(path(&dir, file)).unwrap();
        }
        opened.record([segment(2, 1, 7, 2)]);
        let sentence = opened.wait_for(|event| match event {
            StoreEvent::Condition { about: "history.db", sentence } => sentence,
            _ => None,
        });
        assert!(sentence.contains("written again, whole"), "{sentence}");
        opened.wait_stored(2);
        assert_eq!(reader.sessions(AgentRowId(1), 9).unwrap().len(), 1, "a reader follows");
        let after = open(copy_without(&dir, &[]).path());
        assert_eq!(after.restored.banners, [""; 0]);
        assert_eq!(after.agent(1).totals.ok, 2);
        let opened = opened.again(&dir);
        assert_eq!(opened.agent(1).totals.ok, 2);
    }
}

#[test]
fn a_replaced_history_is_left_alone_and_nothing_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store_with_a_kill(&dir);
    let (history, aside) = (path(&dir, "history.db"), path(&dir, "aside"));
    fs::rename(&history, &aside).unwrap();
    fs::write(&history, "of somebody else").unwrap();
    opened.record([segment(2, 1, 7, 2)]);
    let why = opened.wait_for(|event| match event {
        StoreEvent::HistoryPaused { why } => Some(why),
        StoreEvent::HistoryStored { ticket: WriteTicket(2), .. } => panic!("acknowledged"),
        _ => None,
    });
    assert!(why.contains("it was replaced while heartlined runs"), "{why}");
    assert_eq!(fs::read_to_string(&history).unwrap(), "of somebody else");
    fs::rename(&aside, &history).unwrap();
    opened.wait_stored(2);
    assert_eq!(opened.again(&dir).agent(1).totals.ok, 2);
}

#[test]
fn a_history_that_is_no_database_of_ours_is_set_aside() {
    let make_dir = |path: &Path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
        fs::write(path.join("notes"), "notes").unwrap();
    };
    let sql = |path: &Path, sql: &str| Connection::open(path).unwrap().execute_batch(sql).unwrap();
    let drop_table = |path: &Path| sql(path, "DROP TABLE minutes");
    let drop_meta = |path: &Path| sql(path, "DROP TABLE meta");
    let drop_column = |path: &Path| sql(path, "ALTER TABLE agents DROP COLUMN tokens_out");
    let link = |path: &Path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("nowhere", path).unwrap();
    };
    let link_wal = |path: &Path| {
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        std::os::unix::fs::symlink("nowhere", wal).unwrap();
    };
    let damages: [&dyn Fn(&Path); 6] =
        [&make_dir, &drop_table, &drop_meta, &drop_column, &link, &link_wal];
    for damage in damages {
        let dir = tempfile::tempdir().unwrap();
        store_with_a_kill(&dir).store.close();
        damage(&path(&dir, "history.db"));
        let opened = open(dir.path());
        let [banner] = &opened.restored.banners[..] else {
            panic!("{:?}", opened.restored.banners)
        };
        assert!(banner.contains("history.db.corrupt-20"), "{banner}");
        assert!(opened.agent(1).desired.as_deref().unwrap().killed);
        opened.record([segment(1, 1, 7, 2)]);
        opened.wait_stored(1);
    }
}

#[test]
fn a_database_that_is_emptied_while_it_is_open_is_noticed() {
    let empty = |path: PathBuf| {
        fs::OpenOptions::new().write(true).open(path).unwrap().set_len(0).unwrap();
    };
    let dir = tempfile::tempdir().unwrap();
    let opened = store_with_a_kill(&dir);
    empty(path(&dir, "history.db"));
    let why = opened.wait_for(|event| match event {
        StoreEvent::HistorySetAside { why } => Some(why),
        _ => None,
    });
    assert!(why.contains("history.db.corrupt-20"), "{why}");
    opened.record([segment(2, 1, 7, 2)]);
    opened.wait_stored(2);

    empty(path(&dir, "control.db"));
    let sentence = opened.wait_for(|event| match event {
        StoreEvent::Condition { about: "control.db", sentence } => sentence,
        _ => None,
    });
    assert!(sentence.contains("control.db was emptied"), "{sentence}");
    opened.persist([command(2, 2, Action::Resume, &[(1, 2)])]);
    opened.wait_for(|event| match event {
        StoreEvent::CommandFailed { ticket: WriteTicket(2), .. } => Some(()),
        StoreEvent::Persisted { ticket: WriteTicket(2) } => panic!("acknowledged"),
        _ => None,
    });
}

#[test]
fn a_database_of_another_user_is_not_used() {
    for file in ["control.db", "history.db"] {
        let dir = tempfile::tempdir().unwrap();
        store_with_a_kill(&dir).store.close();
        // Only root can give a file away, and only for root this is a danger: others can't open it.
        let given = std::os::unix::fs::chown(path(&dir, file), Some(65_534), None).is_ok();
        assert_eq!(given, rustix::process::geteuid().is_root());
        if !given {
            continue;
        }
        match try_open(dir.path()) {
            Ok(opened) => {
                assert_eq!(file, "history.db");
                assert!(opened.restored.banners[0].contains("belongs to uid 65534"));
            }
            Err(refused) => {
                assert_eq!((file, refused.exit_code()), ("control.db", 4));
                assert!(refused.to_string().contains("belongs to uid 65534"), "{refused}");
            }
        }
    }
}

#[test]
fn the_copy_of_the_day_outlives_a_control_db_that_is_emptied() {
    let dir = tempfile::tempdir().unwrap();
    let opened = store_with_a_kill(&dir);
    let control = path(&dir, "control.db");
    // With the kill in it.
    let (control_path, copy) = (control.clone(), path(&dir, "control.db.copy-29990101"));
    crate::store::copy::make(&control_path, &copy).unwrap();
    fs::OpenOptions::new().write(true).open(&control).unwrap().set_len(0).unwrap();
    opened.wait_for(|event| match event {
        StoreEvent::Condition { about: "control.db", sentence } => sentence,
        _ => None,
    });
    opened.store.close();
    let refused = try_open(dir.path()).err().unwrap().to_string();
    assert!(refused.contains("copy-29990101"), "{refused}");
    fs::remove_file(&control).unwrap();
    fs::copy(&copy, &control).unwrap();
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(path(&dir, &format!("control.db{suffix}")));
    }
    assert!(open(dir.path()).agent(1).desired.as_deref().unwrap().killed);
}
