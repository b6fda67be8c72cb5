//! Replicas and expected agents, with real processes: who is missed, and who pages nobody.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use heartline_operator::message::{AlertQuery, Reply, Request, RosterReport};
use heartline_tests::harness::{
    CollectorProcess, TestEnvironment, TestOperator, TestProcess, TestedProgram, WebhookServer,
    wait_until,
};
use heartline_vocabulary::{ScopeKind, State};
use rustix::process::Signal;

/// Three replicas, of which so many must run, and an agent that is expected.
fn config(alert_below: u32, webhook: &WebhookServer) -> String {
    format!(
        "[health]\nlate_factor = 3\nunreachable_factor = 10\n\
         [alerts]\nrecovery_hold = \"1s\"\n\
         [[group]]\nname = \"mail\"\nexpect = 3\nalert_below = {alert_below}\nhold = \"1s\"\n\
         [[expected]]\nagents = [\"db\", \"mail.{{1..3}}\"]\nwithin = \"10s\"\n\
         [[sink]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"{}\"\n\
         [[route]]\nto = [\"hook\"]\n",
        webhook.url()
    )
}

fn start_replica(env: &TestEnvironment, collector: SocketAddr, name: &str) -> TestProcess {
    let mut command = env.command(TestedProgram::Heartline.path());
    command.args(["run", "--agent", name, "--group", "mail", "--", "sleep", "600"]);
    command.env("HEARTLINE_COLLECTOR", collector.to_string());
    command.env("HEARTLINE_INTERVAL", "200ms");
    TestProcess::start(&mut command)
}

fn roster(operator: &TestOperator) -> RosterReport {
    match operator.request(&Request::Roster) {
        Ok(Reply::Roster(report)) => *report,
        other => panic!("{other:?}"),
    }
}

fn running(operator: &TestOperator) -> u32 {
    roster(operator).groups[0].running
}

fn open_scopes(operator: &TestOperator) -> Vec<(ScopeKind, String)> {
    match operator.request(&Request::Alerts(AlertQuery::Open)) {
        Ok(Reply::Alerts(report)) => {
            let scopes = report.incidents.into_iter().map(|it| it.incident.scope);
            scopes.map(|scope| (scope.kind, scope.name)).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// Returns the titles of what has arrived, without the times, and without what came again under its id.
fn titles(webhook: &WebhookServer) -> Vec<String> {
    let title = |body: &serde_json::Value| body["data"]["title"].as_str().map(str::to_owned);
    let mut known = BTreeSet::new();
    let received = webhook.received().into_iter().filter(|it| known.insert(it.id.clone()));
    let titles = received.filter_map(|it| title(&it.body));
    let cut = |title: String| {
        let end = [" since ", " after "].iter().filter_map(|word| title.find(word)).min();
        title[..end.unwrap_or(title.len())].to_owned()
    };
    titles.map(cut).collect()
}

fn reload(env: &TestEnvironment, collector: &mut CollectorProcess, config: &str) {
    env.configure(config);
    collector.process().signal(Signal::HUP);
}

#[test]
fn one_lost_replica_pages_nobody_two_are_one_incident_and_who_never_came_is_missed() {
    let (env, webhook) = (TestEnvironment::new(), WebhookServer::start(7));
    env.configure(&config(2, &webhook));
    let mut collector = env.start_collector();
    let (operator, address) = (env.operator(), collector.address());
    let replicas: Vec<TestProcess> =
        (1..=3).map(|n| start_replica(&env, address, &format!("mail.{n}"))).collect();
    wait_until("all replicas run", || running(&operator) == 3);
    wait_until("only the database is missed", || {
        open_scopes(&operator) == [(ScopeKind::Expected, "db".to_owned())]
    });
    let missing = roster(&operator).missing;
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(operator.collector().banners.iter().any(|it| it.starts_with("db was expected")));
    assert_eq!(operator.fleet().len(), 3, "there is no agent for a name that never came");

    replicas[0].signal(Signal::KILL);
    wait_until("one is lost", || {
        operator.agent("mail.1").is_some_and(|it| it.vitals.state == State::Unreachable)
    });
    assert_eq!(running(&operator), 2);
    replicas[1].signal(Signal::TERM);
    wait_until("the group is short", || {
        open_scopes(&operator).contains(&(ScopeKind::Replicas, "mail".to_owned()))
    });
    assert!(!open_scopes(&operator).iter().any(|(kind, _)| *kind == ScopeKind::Agent));

    // It goes on over a crash, and another number ends it.
    collector.kill_9();
    let mut collector = env.start_collector_at(address);
    wait_until("the third is heard again", || running(&operator) == 1);
    assert!(open_scopes(&operator).contains(&(ScopeKind::Replicas, "mail".to_owned())));
    reload(&env, &mut collector, &config(1, &webhook));
    wait_until("enough run by the new number", || {
        open_scopes(&operator) == [(ScopeKind::Expected, "db".to_owned())]
    });
    let _database = env.start_agent("db", address, 200);
    wait_until("the database is there", || open_scopes(&operator).is_empty());
    let expected = [
        "db: NEVER SEEN",
        "group mail: 1 of 3 RUNNING, alert below 2",
        "group mail: RESOLVED",
        "db: RESOLVED",
    ];
    wait_until("everything is told once", || titles(&webhook).len() >= expected.len());
    assert_eq!(titles(&webhook), expected);
}
