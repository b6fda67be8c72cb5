//! Every screen as text.

use heartline_operator::client::AccessMode;
use heartline_operator::message::{AgentBudget, AgentDetail, AgentEntry, Event};
use heartline_operator::sample::{self, NOW_MS, agent_budget, agent_detail};
use insta::assert_snapshot;

use super::harness::AppHarness;
use crate::options::TuiConfig;
use crate::update::AppEvent;

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (120, 36);

fn agent(size: (u16, u16), id: &str) -> AppHarness {
    let mut app = AppHarness::connected(size);
    app.keys("/");
    app.type_text(&format!("agent={id}"));
    app.keys("Enter 2");
    let result = Ok(Box::new(agent_detail(id)));
    app.send(AppEvent::AgentReceived { id: id.to_owned(), result });
    app
}

#[test]
fn fleet() {
    for (name, size) in [
        ("fleet_80x24", SMALL),
        ("fleet_100x30", (100, 30)),
        ("fleet_120x36", LARGE),
        ("fleet_160x40", (160, 40)),
        ("fleet_200x60", (200, 60)),
    ] {
        assert_snapshot!(name, AppHarness::connected(size).screen());
    }
}

#[test]
fn agent_screen() {
    assert_snapshot!("agent_80x24", agent(SMALL, "scraper-eu").screen());
    assert_snapshot!("agent_120x36", agent(LARGE, "report-generator").screen());
}

#[test]
fn budgets_of_an_agent() {
    for (name, size) in [("agent_budgets_80x24", SMALL), ("agent_budgets_120x36", LARGE)] {
        let mut app = agent(size, "report-generator");
        let used_up = AgentBudget { own: 51_000_000_000, used: 51_000_000_000, ..agent_budget() };
        let budgets = vec![agent_budget(), used_up];
        let detail = AgentDetail { budgets, ..agent_detail("report-generator") };
        let id = "report-generator".to_owned();
        app.send(AppEvent::AgentReceived { id, result: Ok(Box::new(detail)) });
        assert_snapshot!(name, app.screen());
    }
}

/// Opens the screen of one more agent, which crashed a minute ago.
fn agent_that_crashed(size: (u16, u16), entry: AgentEntry) -> AppHarness {
    let crash = Event { cursor: 90, at_ms: NOW_MS - 61_000, agent: None, kind: sample::crash() };
    let crash = Event { agent: Some(entry.agent.clone()), ..crash };
    let mut app = AppHarness::unconnected(size, &TuiConfig::default());
    app.agents.push(entry.clone());
    app.connect(AccessMode::Control);
    let (id, events) = (entry.agent.clone(), vec![crash.clone()]);
    app.send(AppEvent::EventsReceived { events: vec![crash], next: None });
    app.keys("/");
    app.type_text(&format!("agent={id}"));
    app.keys("Enter 2");
    let detail = AgentDetail { entry, events, ..agent_detail("mail.1") };
    app.send(AppEvent::AgentReceived { id, result: Ok(Box::new(detail)) });
    app
}

#[test]
fn agents_under_a_supervisor() {
    let silent = || sample::emitter_silent_agent(30, "invoice-totals");
    let crashed = || sample::crashed_agent(30, "invoice-totals");
    assert_snapshot!("emitter_silent_80x24", agent_that_crashed(SMALL, silent()).screen());
    assert_snapshot!("emitter_silent_120x36", agent_that_crashed(LARGE, silent()).screen());
    assert_snapshot!("crashed_80x24", agent_that_crashed(SMALL, crashed()).screen());
    let mut app = agent_that_crashed(LARGE, crashed());
    assert_snapshot!("crashed_120x36", app.screen());
    app.keys("1");
    assert!(app.line("│ process").contains("gone"));
    app.keys("3 G");
    let screen = app.screen();
    let below = screen.lines().skip_while(|line| !line.contains("KeyError"));
    let below: Vec<_> = below.take(6).map(str::trim_end).collect();
    assert_snapshot!("crash_among_transitions", below.join("\n"));
}

#[test]
fn transitions() {
    for (name, size) in [("transitions_80x24", SMALL), ("transitions_120x36", LARGE)] {
        let mut app = AppHarness::connected(size);
        app.keys("3 k");
        assert_snapshot!(name, app.screen());
    }
}

#[test]
fn dialogs() {
    for (name, size) in [("kill_80x24", SMALL), ("kill_120x36", LARGE)] {
        let mut app = AppHarness::connected(size);
        app.keys("Space Space K");
        app.keys("Tab");
        app.type_text("INC-482 stuck on invoices");
        assert_snapshot!(name, app.screen());
    }
    for (name, size) in [("forget_80x24", SMALL), ("forget_120x36", LARGE)] {
        let mut app = AppHarness::connected(size);
        app.keys("A F Tab");
        app.type_text("forget");
        assert_snapshot!(name, app.screen());
    }
    let mut app = AppHarness::connected(SMALL);
    app.keys("/");
    app.type_text("scraper");
    app.keys("Enter R");
    assert_snapshot!("resume_80x24", app.screen());
}

#[test]
fn overlays() {
    let mut small = AppHarness::connected(SMALL);
    small.keys("?");
    assert_snapshot!("help_80x24", small.screen());
    let mut large = AppHarness::connected(LARGE);
    large.keys("?");
    assert_snapshot!("help_120x36", large.screen());
    let mut picker = AppHarness::connected(SMALL);
    picker.keys("s");
    assert_snapshot!("sort_80x24", picker.screen());
    let mut palette = AppHarness::connected(SMALL);
    palette.keys(":");
    palette.type_text("mar");
    assert_snapshot!("palette_80x24", palette.screen());
}

#[test]
fn a_lost_link() {
    let mut app = AppHarness::connected(SMALL);
    app.disconnect();
    app.wait(43_000);
    assert_snapshot!("lost_80x24", app.screen());
}

#[test]
fn before_the_first_connection() {
    let mut app = AppHarness::unconnected(SMALL, &TuiConfig::default());
    app.disconnect();
    assert_snapshot!("connecting_80x24", app.screen());
}

#[test]
fn ascii_and_counts() {
    let ascii = TuiConfig { ascii: true, ..TuiConfig::default() };
    let screen = AppHarness::with(LARGE, &ascii).screen();
    assert!(screen.is_ascii());
    assert_snapshot!("fleet_ascii_120x36", screen);
    assert_snapshot!("counts_29x3", AppHarness::connected((29, 3)).screen());
}
