//! Exports of what real agents did.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use heartline_tests::harness::{TestEnvironment, rollup_totals, wait_until};
use heartline_vocabulary::State;
use rustix::process::Signal;
use serde_json::Value;

/// Runs a command of `heartline` that must succeed; returns what it printed.
#[track_caller]
fn printed(env: &TestEnvironment, args: &str) -> String {
    let output = env.heartline(args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{args}: {said}");
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

/// Runs a command that must fail; returns what was said.
#[track_caller]
fn refused(env: &TestEnvironment, args: &str, code: i32) -> String {
    let output = env.heartline(args);
    assert_eq!(output.status.code(), Some(code), "{args}");
    assert!(output.stdout.is_empty(), "{args}: nothing is printed before it is refused");
    String::from_utf8(output.stderr).expect("messages are UTF-8")
}

#[test]
fn exports_have_what_the_commands_show() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let hangs = env.start_agent("hangs", collector.address(), 100);
    let mut worker = env.start_worker("works", collector.address(), 7);
    let state = |name: &str| operator.agent(name).map(|agent| agent.vitals.state);
    wait_until("both work", || operator.collector().summary.healthy == 2);
    hangs.signal(Signal::STOP);
    wait_until("one is out", || state("hangs") == Some(State::Unreachable));
    hangs.signal(Signal::CONT);
    wait_until("it is back", || state("hangs") == Some(State::Healthy));
    let done = worker.finish();
    wait_until("all work is stored", || rollup_totals(&env.data_dir(), "works") == done);

    let between = format!(
        "--between first..{}",
        heartline_operator::text::timestamp(operator.collector().at_ms)
    );
    let all = |table: &str| printed(&env, &format!("export {table} {between}"));
    let shown = printed(&env, "events --since first --json");
    assert!(shown.starts_with(&all("events")) && all("events").contains("unreachable"));
    let outages = all("outages");
    assert_eq!(outages, printed(&env, "outages --json"));
    assert!(outages.lines().count() == 1 && outages.contains("hangs"), "{outages}");

    let rollups = printed(&env, "export rollups --between first..now --step 1m");
    let rows: Vec<Value> =
        rollups.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    let sum = |key: &str| -> u64 {
        let rows = rows.iter().filter(|row| row["agent"] == "works");
        rows.map(|row| row[key].as_u64().expect("it is a number")).sum()
    };
    assert_eq!(
        (sum("ok"), sum("failed"), sum("tokens_in")),
        (done.ok, done.failed, done.tokens_in)
    );
    assert_eq!(sum("cost_nano_usd"), done.cost_nano_usd);
    assert!(rows.iter().any(|row| row["agent"] == "hangs" && row["state_ms"]["unreachable"] != 0));
    let one = printed(&env, "export rollups --between first..now --step 1m --agent hangs");
    assert!(!one.contains("works") && !one.is_empty(), "{one}");

    for table in ["events", "outages", "rollups"] {
        let (lines, csv) =
            (all(table), printed(&env, &format!("export {table} {between} --format csv")));
        assert_eq!(
            csv.lines().count(),
            lines.lines().count() + 1,
            "{table}: titles, and a row each"
        );
        let columns = csv.lines().next().map(|titles| titles.split(',').count());
        assert!(columns > Some(10), "{csv}");
        assert_eq!(printed(&env, &format!("export {table} {between} -o {table}.jsonl")), "");
        let path = env.path().join(format!("{table}.jsonl"));
        let written = fs::read_to_string(&path).unwrap();
        match table {
            // The last step goes on until now.
            "rollups" => assert_eq!(written.lines().count(), lines.lines().count()),
            _ => assert_eq!(written, lines),
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn an_export_that_means_nothing_is_refused_and_leaves_no_file() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    assert!(refused(&env, "export events --between first..now", 2).contains("first record"));
    let _agent = env.start_agent("someone", collector.address(), 200);
    wait_until("it is healthy", || env.operator().collector().summary.healthy == 1);
    for (args, expected) in [
        ("export events --between 14:05", "--between: "),
        ("export events --between -1h..-2h", "ends before it starts"),
        ("export events --between -1h..+1h", "is in the future"),
        ("export events --between 2h..now", "\"2h\" "),
        ("export events --between -1h..now --step 1h", "only rollups have steps"),
        ("export rollups --between -1h..now --filter x", "choose one with --agent"),
        ("export rollups --between -1h..now --step 7m", "a step is whole minutes"),
        ("export everything --between -1h..now", "rollups"),
        ("export events", "--between"),
        ("export events --between -1h..now -o state", "is no regular file"),
    ] {
        let said = refused(&env, args, 2);
        assert!(said.contains(expected), "{args}: {said}");
    }
    let missing = "export rollups --between -1h..now --agent nobody -o file";
    assert!(refused(&env, missing, 1).contains("nobody"));
    assert!(
        refused(&env, "export events --between -1h..now -o no/file", 1).contains("can't write")
    );
    let left = fs::read_dir(env.path()).unwrap().map(|it| it.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("file")).collect();
    assert!(left.is_empty(), "{left:?}");
}
