//! Outages and the fleet at a moment, of real agents and across crashes of the collector.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use heartline::Report;
use heartline_tests::harness::{TestEnvironment, TestedProgram, wait_until};
use heartline_vocabulary::State;
use rustix::process::Signal;
use serde_json::Value;

/// Runs a command of `heartline` that must succeed, and returns the JSON of its lines.
#[track_caller]
fn lines(env: &TestEnvironment, args: &str) -> Vec<Value> {
    let output = env.heartline(args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{args}: {said}");
    let printed = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    printed.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// Runs a command of `heartline` that must succeed, and returns the JSON document that it prints.
#[track_caller]
fn document(env: &TestEnvironment, args: &str) -> Value {
    let output = env.heartline(args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{args}: {said}");
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

/// Returns the fleet at a moment, and the state of an agent in it.
#[track_caller]
fn state_at(env: &TestEnvironment, at: &str, agent: &str) -> (Value, Option<String>) {
    let past = document(env, &format!("status --json --at {at}"));
    let agents = past["agents"].as_array().expect("it has agents");
    let state = agents.iter().find(|it| it["agent"] == agent).map(|it| it["state"].clone());
    (past, state.and_then(|state| state.as_str().map(str::to_owned)))
}

fn now(env: &TestEnvironment) -> String {
    heartline_operator::text::timestamp(env.operator().collector().at_ms)
}

/// An agent hangs, the collector crashes and is started again meanwhile, then the agent goes on.
#[test]
fn an_outage_that_spans_a_crash_of_the_collector_is_one_and_its_gap_is_none() {
    let env = TestEnvironment::new();
    let mut collector = env.start_collector();
    let address = collector.address();
    let operator = env.operator();
    let (agent, other) =
        (env.start_agent("hangs", address, 200), env.start_agent("works", address, 200));
    wait_until("both are healthy", || operator.collector().summary.healthy == 2);
    let healthy_at = now(&env);
    agent.signal(Signal::STOP);
    let is = |state: State| operator.agent("hangs").is_some_and(|it| it.vitals.state == state);
    wait_until("it is unreachable", || is(State::Unreachable));
    let unreachable_at = now(&env);
    // Its last moments are on disk at the latest when they have been asked for.
    assert_eq!(lines(&env, "outages --json").len(), 1);
    collector.kill_9();
    sleep(Duration::from_secs(2));
    let _collector = env.start_collector_at(address);
    wait_until("the other is healthy again", || {
        operator.agent("works").is_some_and(|it| it.vitals.state == State::Healthy)
    });
    let open = &lines(&env, "outages --json")[0];
    assert!(open["end"].is_null() && open["unobserved_ms"].as_u64() > Some(1_500), "{open}");
    agent.signal(Signal::CONT);
    wait_until("it is healthy again", || is(State::Healthy));

    let outages = lines(&env, "outages --json");
    let [outage] = &outages[..] else { panic!("{outages:?}") };
    assert_eq!((&outage["agent"], &outage["worst"]), (&"hangs".into(), &"unreachable".into()));
    assert_eq!(outage["cause"], "10 beats missed (interval 200ms)");
    let number = |key: &str| outage[key].as_u64().expect("it is a number");
    let (lasted_ms, unobserved_ms) = (number("lasted_ms"), number("unobserved_ms"));
    assert!((1_500..lasted_ms).contains(&unobserved_ms), "{outage}");
    let missed_ms = number("missed_beats") * 200;
    let observed_ms = lasted_ms - unobserved_ms + 600;
    assert!(missed_ms.abs_diff(observed_ms) <= 600, "{missed_ms} of {observed_ms}: {outage}");
    assert_eq!(lines(&env, "outages --json works"), [Value::Null; 0], "its gap is no outage");
    assert_eq!(lines(&env, "outages --json --filter state:degraded"), [Value::Null; 0]);

    let id = outage["id"].to_string();
    // Its number is a time, too: that at which it began.
    let begun = document(&env, &format!("agent hangs --json --at #{id}"));
    assert_eq!((&begun["at"], &begun["outage"]["id"]), (&outage["start"], &outage["id"]));
    for args in ["events --json --since #ID", "export events --between #ID..now"] {
        let events = lines(&env, &args.replace("ID", &id));
        let is_after = |event: &Value| event["at"].as_str() >= outage["start"].as_str();
        assert!(events.iter().all(is_after), "{events:?}");
        assert!(events.iter().any(|it| it["at"] == outage["start"]), "{args}: {events:?}");
    }
    assert_eq!(lines(&env, &format!("outages --json --since #{id}")).len(), 1);
    let first = document(&env, "status --json --at first");
    assert!(first["at"].as_str() <= outage["start"].as_str(), "{first}");
    for args in [
        "status --at #99999999",
        "events --since #99999999",
        "export events --between #99999999/1h",
    ] {
        let refused = env.heartline(args);
        assert_eq!(refused.status.code(), Some(1), "{args}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("there is no outage #9"));
    }
    let act = |args: &[&str]| {
        let mut command = env.command(TestedProgram::Heartline.path());
        command.args(args).output().expect("heartline can be started").status.code()
    };
    assert_eq!(act(&["ack", &id]), Some(0));
    assert_eq!(act(&["note", &format!("#{id}"), "the host hung\u{1b}[2J"]), Some(0));
    assert_eq!(act(&["note", &id, " "]), Some(1), "an empty note says nothing");
    assert_eq!(act(&["ack", "99999999"]), Some(1), "there is no such outage");
    assert_eq!(act(&["ack", "last"]), Some(2));
    assert_eq!(act(&["--read-only", "ack", &id]), Some(2), "who may only look writes nothing");
    let outage = &lines(&env, "outages --json")[0];
    assert!(outage["acknowledged_by"].as_str().is_some_and(|by| by.contains('@')), "{outage}");
    let note = outage["notes"][1]["text"].as_str().expect("it has words");
    assert!(note.starts_with("the host hung") && !note.contains('\u{1b}'), "{note:?}");

    assert_eq!(state_at(&env, &healthy_at, "hangs").1.as_deref(), Some("healthy"));
    let (past, state) = state_at(&env, &unreachable_at, "hangs");
    assert_eq!((state.as_deref(), &past["summary"]["healthy"]), (Some("unreachable"), &1.into()));
    let then = document(&env, &format!("agent hangs --json --at {unreachable_at}"));
    let outage = &then["outage"];
    assert_eq!((&then["agent"]["state"], &outage["id"].to_string()), (&"unreachable".into(), &id));
    assert!(outage["end"].is_null() && outage["acknowledged_by"].is_null(), "of later: {outage}");
    let events = then["events"].as_array().expect("it has events");
    assert_eq!(events.first().map(|it| &it["to"]), Some(&"unreachable".into()), "{events:?}");
    let then = document(&env, &format!("agent hangs --json --at {healthy_at}"));
    assert!(then["outage"].is_null() && then["agent"]["state"] == "healthy", "{then}");
    let unknown = env.heartline(&format!("agent nobody --at {healthy_at}"));
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no agent \"nobody\" was known at"));

    let screen = |args: &str| {
        let output = env.heartline(&format!("snapshot --size 120x36 {args}"));
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("a screen is UTF-8")
    };
    let row = |screen: &str, name: &str| {
        // The header of a group names the worst of its agents.
        let is_row = |line: &&str| !line.contains('#') && !line.starts_with('▾');
        let rows = screen.lines().filter(|line| line.contains(name)).filter(is_row);
        rows.map(str::to_owned).next().unwrap_or_else(|| panic!("no {name} in\n{screen}"))
    };
    let fleet = screen(&format!("--screen fleet --at {unreachable_at}"));
    assert!(fleet.lines().next().is_some_and(|line| line.contains("HISTORY")), "{fleet}");
    assert!(row(&fleet, "hangs").contains("UNREACH"), "{fleet}");
    let timeline = screen("--screen timeline");
    assert!(row(&timeline, "hangs").contains('█'), "{timeline}");
    assert!(!row(&timeline, "works").contains('█'), "{timeline}");
    assert!(row(&timeline, "(collector)").contains('·'), "every gap is shown: {timeline}");
    assert!(timeline.contains("1 outage in view"), "{timeline}");

    let gap = lines(&env, "events --json --filter kind:gap");
    let in_gap = gap[0]["from"].as_str().expect("a gap has a begin");
    let (past, state) = state_at(&env, in_gap, "works");
    assert_eq!((state.as_deref(), &past["gap"]["cause"]), (Some("healthy"), &"down".into()));
    drop(other);
}

#[test]
fn a_moment_that_can_not_be_shown_is_refused_with_the_reason() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let refused = |at: &str, code| {
        let output = env.heartline(&format!("status --at {at}"));
        assert_eq!(output.status.code(), Some(code), "{at}");
        String::from_utf8(output.stderr).expect("messages are UTF-8")
    };
    assert!(refused("1h", 1).contains("history is empty"));
    assert!(refused("first", 1).contains("there is no first record yet"));
    let _agent = env.start_agent("someone", collector.address(), 200);
    wait_until("it is healthy", || env.operator().collector().summary.healthy == 1);
    assert!(refused("2020-01-01", 1).contains("history begins at 2"));
    assert!(refused("+1h", 2).contains("is in the future"));
    assert!(refused("25:99", 2).contains("hours go from 00 to 23"));
    assert!(refused("#7", 1).contains("there is no outage #7"));
}

/// Percentiles, counts and states of the fleet and of a part of it, and the log of its latencies, against what
/// two agents reported.
#[test]
fn the_history_of_the_fleet_is_what_its_agents_reported() {
    let env = TestEnvironment::new();
    let collector = env.start_collector();
    let operator = env.operator();
    let workers = ["mail.1", "mail.2"].map(|name| {
        let emitter = env.emitter(name, collector.address(), 100).group("mail").start();
        for number in 1..=50_u64 {
            emitter.report(Report::ok().latency(Duration::from_millis(10 * number)).cost_usd(0.5));
        }
        emitter
    });
    let _idle = env.emitter("idle", collector.address(), 100).start();
    wait_until("all work has arrived", || {
        let done = |name| operator.agent(name).is_some_and(|it| it.vitals.total.ok == 50);
        done("mail.1") && done("mail.2") && operator.collector().summary.healthy == 3
    });
    let history = |args: &str| -> Value {
        let output = env.heartline(&format!("history --json --since 1h --step 1h{args}"));
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("it is JSON")
    };
    for (args, agents, tasks) in
        [("", 3, 100), (" --filter group:mail", 2, 100), (" --filter agent:mail.1", 1, 50)]
    {
        let found = history(args);
        let total = &found["total"];
        assert_eq!((&found["agents"], &total["ok"]), (&agents.into(), &tasks.into()), "{args}");
        assert_eq!(total["cost_nano_usd"], tasks * 500_000_000_u64, "{args}");
        let p90_us = total["latency_us"]["p90"].as_u64().expect("there were tasks");
        assert!(p90_us.abs_diff(450_000) <= 450_000 / 60, "{args}: {p90_us}");
        assert_eq!((&total["outages"]["count"], &total["availability"]), (&0.into(), &1.0.into()));
        assert_eq!(total["observed"], 1.0, "{args}");
    }
    let one = history(" mail.1");
    assert_eq!((&one["agent"], &one["total"]["ok"]), (&"mail.1".into(), &50.into()));
    assert_eq!(one["total"]["outages"]["mttr_ms"], Value::Null, "nothing was out");
    drop(workers);

    let log = env.path().join("latencies.hlog");
    let output = env.heartline(&format!("history --since 1h --step 1h --hdr {}", log.display()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("intervals"), "{said}");
    let log = fs::read_to_string(log).expect("the log is there");
    let intervals: Vec<_> = log.lines().filter(|line| line.contains(",HISTF")).collect();
    assert!((1..=2).contains(&intervals.len()), "{log}");
    assert!(
        log.starts_with("#Heartline: latencies in microseconds, the whole fleet, 3 agents"),
        "{log}"
    );

    let refused = |args: &str, code| {
        let output = env.heartline(&format!("history {args}"));
        assert_eq!(output.status.code(), Some(code), "{args}");
        String::from_utf8(output.stderr).expect("messages are UTF-8")
    };
    assert!(refused("--filter state:degraded", 2).contains("state changes from moment to moment"));
    assert!(refused("mail.1 --filter group:mail", 2).contains("give one of them"));
    assert!(refused("mail.9", 1).contains("mail.9"));
    assert!(refused("--hdr /no/such/dir/file", 1).contains("can't write /no/such/dir/file"));
    assert!(refused("--step 7m", 2).contains("whole minutes that divide a day"));
}
