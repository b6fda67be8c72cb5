//! A full disk.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use heartline_collector::clock::{WallClockAnchor, wall_ms};
use heartline_collector::store::{Store, StoreConfig, StoreSinks};
use heartline_config::Retention;
use heartline_operator::message::{AgentCommand, AgentSelector, HistoryHealth, Reply, Request};

use heartline_tests::harness::{
    CollectorProcess, TestEnvironment, TestOperator, TestedProgram, rollup_totals, task_count,
    wait_for, wait_until,
};
use heartline_vocabulary::{Action, State, WorkTotals};
use rusqlite::Connection;

/// Size of the disk.
const SIZE: &str = "size=16m";

/// A collector whose data directory is a small tmpfs in a mount namespace of its own.
struct SmallDiskCollector {
    collector: CollectorProcess,
    /// The data directory as seen from outside the namespace.
    data_dir: PathBuf,
}

impl SmallDiskCollector {
    fn start(env: &TestEnvironment) -> Self {
        Self::start_after(env, "true")
    }

    /// Starts it after a command of the shell, for which `$0` is the data directory.
    fn start_after(env: &TestEnvironment, command: &str) -> Self {
        let data_dir = env.data_dir();
        fs::create_dir_all(&data_dir).unwrap();
        let script = format!(
            "mount -t tmpfs -o {SIZE},mode=700 tmpfs \"$0\" && {command} && exec {} --listen 127.0.0.1:0",
            TestedProgram::Heartlined.path().display()
        );
        let mut command = env.command("unshare");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.args(["--mount", "sh", "-c", &script]).arg(&data_dir);
        assert!(
            can_mount(),
            "this test mounts a small disk, and this machine does not let it: run it as root, or \
             allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1)"
        );
        let mut collector = CollectorProcess::start(&mut command);
        let root = PathBuf::from(format!("/proc/{}/root", collector.process().pid()));
        let data_dir = root.join(data_dir.strip_prefix("/").unwrap());
        Self { collector, data_dir }
    }

    /// Fills the disk up to `free_kib`.
    fn fill(&self, free_kib: usize) {
        let mut ballast = File::create(self.ballast()).unwrap();
        while ballast.write_all(&[0; 4_096]).is_ok() {}
        let len = ballast.metadata().unwrap().len();
        ballast.set_len(len.saturating_sub(free_kib as u64 * 1_024)).unwrap();
    }

    fn empty(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.data_dir.join("ballast")
    }
}

pub(crate) fn can_mount() -> bool {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    let script = "mount -t tmpfs tmpfs /mnt";
    command.args(["--mount", "sh", "-c", script]).status().is_ok_and(|status| status.success())
}

fn is_paused(operator: &TestOperator) -> bool {
    matches!(operator.collector().history, HistoryHealth::Paused(_))
}

#[test]
fn a_full_disk_pauses_history_and_nothing_else() {
    let env = TestEnvironment::new();
    let small_disk = SmallDiskCollector::start(&env);
    fs::write(env.path().join("token"), fs::read(small_disk.data_dir.join("local.token")).unwrap())
        .unwrap();
    let address = small_disk.collector.address();
    let emitter = |name: &str| {
        heartline::Builder::new(name)
            .collector(address.to_string())
            .token_file(env.path().join("token"))
            .interval(std::time::Duration::from_millis(100))
            .state_dir(env.path().join("agents"))
            .start()
    };
    let (worker, _doomed, other) = (emitter("worker"), emitter("doomed"), emitter("other"));
    let operator = env.operator();
    wait_until("all are healthy", || operator.collector().summary.healthy == 3);

    // Too little for history, which leaves the rest to `control.db`.
    small_disk.fill(160);
    let mut done = WorkTotals::default();
    let mut work = |count: u64| {
        for _ in 0..count {
            worker.report(heartline::Report::ok().cost_nano_usd(3));
            done.ok += 1;
            done.cost_nano_usd += 3;
        }
        done
    };
    work(1_000);
    wait_until("history pauses, visibly", || is_paused(&operator));
    let checked = env.heartline("status --fail-on collector").status;
    assert_eq!(checked.code(), Some(1), "a check of the collector itself fails");
    operator.command(Action::Kill, &["doomed"], 1);
    wait_until("a kill is still obeyed", || {
        let vitals = operator.agent("doomed").unwrap().vitals;
        vitals.state == State::Killed && vitals.command.is_some_and(|it| it.obeyed_ms.is_some())
    });
    drop(other);
    wait_until("a state still changes", || {
        operator.agent("other").unwrap().vitals.state == State::Killed
    });

    // Nothing at all: a command that can't be stored is refused.
    small_disk.fill(0);
    work(1_000);
    let command = AgentCommand {
        request_id: 2,
        action: Action::Kill,
        agents: AgentSelector::Names(vec!["worker".to_owned()]),
        reason: "x".repeat(512),
        expect: Some(1),
        fingerprint: None,
    };
    let answer = operator.request(&Request::Command(command));
    let is_acknowledged = matches!(answer, Ok(Reply::Command(_)));
    let is_killed = operator.agent("worker").unwrap().vitals.state == State::Killed;
    assert_eq!(is_acknowledged, is_killed, "{answer:?}");
    assert_eq!(worker.status().lost_observations, 0);

    small_disk.empty();
    wait_until("history resumed", || !is_paused(&operator));
    if is_killed {
        operator.command(Action::Resume, &["worker"], 3);
    }
    let done = work(1_000);
    let copies = env.path().join("copies");
    fs::create_dir(&copies).unwrap();
    wait_until("all of the work is stored", || {
        for file in ["history.db", "history.db-wal"] {
            fs::copy(small_disk.data_dir.join(file), copies.join(file)).unwrap();
        }
        let _ = fs::remove_file(copies.join("history.db-shm"));
        task_count(&rollup_totals(&copies, "worker")) >= task_count(&done)
    });
    assert_eq!(rollup_totals(&copies, "worker"), done);
    assert_eq!(operator.agent("worker").unwrap().vitals.total, done);
    let events = operator.events_of("other");
    assert!(!events.is_empty(), "events of that time were not lost");
}

/// Makes a history with 60,000 old minutes that are folded, which take 8 MB.
fn write_old_minutes(dir: &Path) {
    let retention = Retention::default();
    let anchor = WallClockAnchor::read();
    let config = StoreConfig { data_dir: dir.to_owned(), retention };
    let (store, _) =
        Store::open(&config, anchor, StoreSinks::without_alerts(Arc::new(drop))).unwrap();
    store.close();
    let conn = Connection::open(dir.join("history.db")).unwrap();
    let first = wall_ms() / 60_000 - 24 * 60;
    conn.execute_batch(&format!(
        "INSERT INTO minutes WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT 60000) \
            SELECT {first} + i / 100, 1 + i % 100, 2, 0, 60, 0, 0, 0, 0, zeroblob(100) FROM n;
         INSERT OR REPLACE INTO folds VALUES ('hours', ({first} + 700) / 60, 0);
         PRAGMA wal_checkpoint(TRUNCATE)",
    ))
    .unwrap();
}

/// Starts a collector with a history of old minutes.
fn start_with_old_minutes(env: &TestEnvironment) -> SmallDiskCollector {
    let prepared = env.path().join("prepared");
    fs::create_dir(&prepared).unwrap();
    write_old_minutes(&prepared);
    let copy = format!("cp -a {}/. \"$0\"", prepared.display());
    SmallDiskCollector::start_after(env, &copy)
}

/// Returns how many bytes of a history are free, and how many minutes it has; `None` while it changes, or where it
/// is damaged.
fn kept(data_dir: &Path, copies: &Path) -> Option<(i64, i64)> {
    // SQLite follows links by itself, and would look for the file on the disk of this process.
    for file in ["history.db", "history.db-wal"] {
        fs::copy(data_dir.join(file), copies.join(file)).ok()?;
    }
    let _ = fs::remove_file(copies.join("history.db-shm"));
    let conn = Connection::open(copies.join("history.db")).ok()?;
    let verdict =
        conn.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).ok()?;
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).ok();
    let free = number("SELECT freelist_count FROM pragma_freelist_count")? * 4_096;
    let minutes = number("SELECT count(*) FROM minutes")?;
    (verdict == "ok").then_some((free, minutes))
}

/// The disk fills up while old rows are removed for room: nothing is damaged, and it goes on when there is space.
#[test]
fn a_disk_that_is_full_while_old_rows_are_removed_damages_nothing() {
    let env = TestEnvironment::new();
    let small_disk = start_with_old_minutes(&env);
    let operator = env.operator();
    for round in 0..3 {
        small_disk.fill(500);
        wait_until("it removes old records", || {
            let banners = operator.collector().banners;
            banners.iter().any(|banner| banner.contains("removes its oldest records"))
        });
        small_disk.fill(0);
        wait_until("history pauses", || is_paused(&operator));
        small_disk.empty();
        wait_until("history resumed", || !is_paused(&operator));
        let (_, minutes) = wait_for("it is whole", || kept(&small_disk.data_dir, env.path()));
        assert!((11_900..=60_000).contains(&minutes), "{minutes} are left in round {round}");
    }
}

#[test]
fn history_gives_up_its_oldest_before_the_disk_is_full() {
    let env = TestEnvironment::new();
    let small_disk = start_with_old_minutes(&env);
    let operator = env.operator();
    let database = small_disk.data_dir.join("history.db");
    let len = fs::metadata(&database).unwrap().len();
    let is_told = || {
        let banners = operator.collector().banners;
        banners.iter().any(|banner| banner.contains("removes its oldest records"))
    };
    assert!(!is_told(), "there is enough space");

    // Less than two shares of what history leaves to `control.db`, which are 655 KiB, and more than one.
    small_disk.fill(500);
    wait_until("it says that it removes old records", is_told);
    let kept = || kept(&small_disk.data_dir, env.path());
    let has_room = |(free, _): (i64, i64)| free >= 320 << 10;
    wait_until("there is room in the file", || kept().is_some_and(has_room));
    let (_, minutes) = wait_for("its rows can be counted", &kept);
    assert!((40_000..60_000).contains(&minutes), "no more than is needed: {minutes} are left");
    assert!(fs::metadata(&database).unwrap().len() <= len + (64 << 10), "the file has not grown");
    assert!(!is_paused(&operator), "and history goes on");

    small_disk.empty();
    wait_until("it is over", || !is_told());
}
