//! What leads the eye: new failures, money that stands out, and what is worst in a group.

use heartline_operator::message::{Event, EventKind, FleetDelta};
use heartline_operator::sample::NOW_MS;
use heartline_vocabulary::{Reason, State};

use super::harness::AppHarness;
use crate::columns::FleetColumn;
use crate::options::TuiConfig;
use crate::state::Screen;
use crate::update::{AppEffect, AppEvent, MouseInput};

impl AppHarness {
    /// An agent falls into trouble, or out of it, now.
    fn fall(&mut self, agent: &str, to: State, reason: Option<Reason>) -> Vec<AppEffect> {
        let at_ms = NOW_MS + i64::try_from(self.now_ms).unwrap() - 10_000;
        let entry = self.agents.iter_mut().find(|entry| entry.agent == agent).unwrap();
        (entry.vitals.state, entry.vitals.reason, entry.vitals.since_ms) = (to, reason, at_ms);
        let vitals = vec![(entry.id, entry.vitals.clone())];
        let kind = EventKind::Transition {
            from: State::Healthy,
            from_reason: None,
            to,
            reason,
            lasted_ms: None,
            by: None,
            cause: Some("its process ended with exit code 1".to_owned()),
            last_lines: Vec::new(),
        };
        let event = Event { cursor: at_ms, at_ms, agent: Some(agent.to_owned()), kind };
        let effects = self.update(FleetDelta { vitals, events: vec![event], ..self.no_changes() });
        self.wait(1_000);
        effects
    }

    fn crash(&mut self, agent: &str) -> Vec<AppEffect> {
        self.fall(agent, State::Unreachable, Some(Reason::Crashed))
    }
}

/// Returns the line above the hints.
fn announced(app: &AppHarness) -> String {
    app.screen().lines().rev().nth(1).unwrap_or_default().trim().to_owned()
}

#[test]
fn a_new_failure_is_announced_on_every_screen_for_a_minute() {
    for size in [(80, 24), (120, 36)] {
        let mut app = AppHarness::connected(size);
        app.crash("mail.2");
        for keys in ["1", "3", "4", "5", "1 2"] {
            app.keys(keys);
            let line = announced(&app);
            assert!(line.starts_with("✖ mail.2 CRASHED 1s ago: its process ended"), "{line}");
            assert!(line.ends_with("(i shows it)"), "{line}");
        }
        app.crash("mail.3");
        assert!(announced(&app).contains("mail.3") && announced(&app).contains("and 1 more"));
        app.fall("mail.3", State::Healthy, None);
        assert!(announced(&app).starts_with("✖ mail.2"), "the other is well again");
        app.wait(60_000);
        assert!(!app.screen().contains("shows it)"), "{}", app.screen());
    }
}

#[test]
fn the_key_finds_the_newest_whatever_hides_it() {
    let mut app = AppHarness::connected((120, 36));
    app.keys("*");
    app.keys("/");
    app.type_text("edge");
    app.keys("Enter");
    app.crash("mail.2");
    app.keys("3 i");
    assert_eq!(app.state.screen, Screen::Fleet);
    assert_eq!(app.state.list.selected_agent(), Some("mail.2"));
    let line = app.line("mail.2 ");
    assert!(line.starts_with(">•✖ CRASHED"), "{line}");
    assert!(app.screen().contains("the filter is off, as it hid mail.2"));
    // What is not new any more is found all the same.
    app.wait(90_000);
    app.keys("g g i");
    assert_eq!(app.state.list.selected_agent(), Some("mail.2"));
    assert!(!app.line("mail.2 ").contains('•'));
}

#[test]
fn the_terminal_rings_for_failures_only_if_it_is_told_to() {
    let rings = |ring_on_trouble| {
        let config = TuiConfig { ring_on_trouble, ..TuiConfig::default() };
        let mut app = AppHarness::with((80, 24), &config);
        app.crash("mail.2").into_iter().any(|effect| matches!(effect, AppEffect::Ring(_)))
    };
    assert_eq!([false, true].map(rings), [false, true]);
}

#[test]
fn within_a_state_the_newest_comes_first() {
    let mut app = AppHarness::connected((120, 36));
    app.keys("v v v");
    app.crash("mail.2");
    app.wait(1_000);
    app.crash("mail.1");
    app.update_fleet(app.no_changes());
    let screen = app.screen();
    let place = |name: &str| screen.find(name).unwrap_or_else(|| panic!("{name}: {screen}"));
    let places = ["mail.1 ", "mail.2 ", "report-generator "].map(place);
    assert!(places.is_sorted(), "{screen}");
}

#[test]
fn an_agent_that_costs_much_more_than_others_is_seen_on_a_narrow_screen() {
    let mut app = AppHarness::unconnected((80, 24), &TuiConfig::default());
    for entry in &mut app.agents {
        entry.work.cost_today_nano_usd = 1_000_000_000;
    }
    let calm = {
        app.connect(heartline_operator::client::AccessMode::Control);
        app.screen()
    };
    assert!(calm.contains("15 MIN") && !calm.contains("$ DAY"), "{calm}");
    app.agents[1].work.cost_today_nano_usd = 72_000_000_000;
    app.connect(heartline_operator::client::AccessMode::Control);
    let screen = app.screen();
    assert!(screen.contains("$ DAY") && screen.contains("72.00"), "{screen}");
    assert!(!screen.contains("15 MIN"), "{screen}");
}

#[test]
fn a_click_on_a_title_sorts_and_a_second_one_inverts() {
    let mut app = AppHarness::connected((120, 36));
    app.keys("M");
    let titles = app.line("STATE      AGENT");
    let at = |title: &str| u16::try_from(titles.find(title).unwrap()).unwrap();
    let click = |app: &mut AppHarness, title| {
        let row = app.screen().lines().position(|line| line.contains("STATE      AGENT")).unwrap();
        let (column, row) = (at(title), u16::try_from(row).unwrap());
        app.send(AppEvent::Mouse(MouseInput::Click { column, row }));
    };
    click(&mut app, "OK%");
    assert_eq!((app.state.list.sort, app.state.list.is_inverted), (FleetColumn::Ok, false));
    click(&mut app, "OK%");
    assert_eq!((app.state.list.sort, app.state.list.is_inverted), (FleetColumn::Ok, true));
    click(&mut app, "AGENT");
    assert_eq!((app.state.list.sort, app.state.list.is_inverted), (FleetColumn::Agent, false));
}

#[test]
fn the_first_look_says_how_to_connect_an_agent_and_gives_way_to_it() {
    for (name, size) in [("first_look_80x24", (80, 24)), ("first_look_40x12", (40, 12))] {
        let mut app = AppHarness::unconnected(size, &TuiConfig::default());
        let agents = std::mem::take(&mut app.agents);
        app.connect(heartline_operator::client::AccessMode::Control);
        insta::assert_snapshot!(name, app.screen());
        app.agents = agents;
        app.connect(heartline_operator::client::AccessMode::Control);
        assert!(!app.screen().contains("heartline run"), "{}", app.screen());
    }
}
