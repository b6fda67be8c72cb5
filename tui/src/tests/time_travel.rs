//! Every screen as it was at an instant.

use heartline_operator::client::AccessMode;
use heartline_operator::message::AgentEntry;
use heartline_operator::sample::NOW_MS;
use heartline_vocabulary::AgentRowId;

use super::past_harness::{HOUR, MINUTE, TimelineHarness, answer, outage_times};
use crate::state::{FleetModel, Screen};
use crate::update::{AppEffect, AppEvent};

#[test]
fn history_is_said_on_every_screen_and_at_every_size() {
    for size in [(40, 10), (60, 15), (80, 24), (120, 36), (200, 60)] {
        let mut app = TimelineHarness::new(size);
        app.keys("4 h h h");
        for key in ["1", "2", "3", "4"] {
            app.keys(key);
            let first = app.screen().lines().next().unwrap().to_owned();
            assert!(first.contains("HISTORY"), "{size:?} {key}: {first}");
        }
        app.keys(".");
        assert!(!app.screen().contains("HISTORY"), "{size:?}");
        assert_eq!(app.instant(), None);
    }
}

#[test]
fn enter_shows_the_fleet_as_it_was_at_the_cursor() {
    let mut app = TimelineHarness::new((120, 36));
    app.keys("4 {");
    let (_, _, start_ms, _) = outage_times()[3];
    assert_eq!(app.instant(), Some(start_ms), "the exact begin, not that of a cell");
    app.keys("{");
    assert_eq!(app.instant(), Some(outage_times()[2].2));
    app.keys("Enter");
    assert_eq!(app.0.state.screen, Screen::Fleet);
    let screen = app.screen();
    let line = app.0.line("email-responder");
    assert!(line.contains("LATE") && line.contains(" - "), "{line}");
    assert!(!screen.contains("UNREACH"), "what came later is not shown:\n{screen}");
    assert!(screen.contains("drop - badsig -"), "nor what is counted now");
}

#[test]
fn brackets_go_from_outage_to_outage_and_say_where_there_are_none() {
    let mut app = TimelineHarness::new((120, 36));
    app.0.state.list.cursor = Some(crate::state::SelectedRow::Agent("report-generator".into()));
    app.keys("4 [ [");
    assert_eq!(app.instant(), Some(outage_times()[1].2));
    app.keys("[");
    assert_eq!(app.instant(), Some(outage_times()[1].2), "it stays where it is");
    assert!(app.screen().contains("no earlier outage; history begins"), "{}", app.screen());
    app.keys("] }");
    assert_eq!(app.instant(), Some(outage_times()[3].2));
    assert!(app.screen().contains("no later outage"), "{}", app.screen());
    app.keys("ctrl-o");
    assert_eq!(app.instant(), Some(outage_times()[1].2));
    app.keys("ctrl-o ctrl-o ctrl-o");
    assert_eq!(app.instant(), None, "back to live, where it began");
}

#[test]
fn stepping_past_the_end_is_live_again() {
    let mut app = TimelineHarness::new((80, 24));
    app.keys("4 h h h");
    assert_eq!(app.instant(), Some(NOW_MS - 3 * MINUTE));
    app.keys("l l");
    assert!(app.instant().is_some());
    app.keys("l");
    assert_eq!(app.instant(), None);
    app.keys("l");
    assert_eq!(app.instant(), None);
}

#[test]
fn a_time_is_echoed_while_it_is_typed_and_refused_out_of_range() {
    let mut app = TimelineHarness::new((80, 24));
    app.keys("@");
    app.type_text("-2h");
    let screen = app.screen();
    assert!(screen.contains("2 h ago, 20 agents known"), "{screen}");
    app.keys("Enter");
    assert_eq!(app.instant(), Some(NOW_MS - 2 * HOUR));
    app.keys("@");
    app.type_text("-50d");
    assert!(app.screen().contains("is before the first record"), "{}", app.screen());
    app.keys("Enter");
    assert_eq!(app.instant(), Some(NOW_MS - 2 * HOUR), "not clamped in silence");
    app.keys("Esc @");
    app.type_text("+3h");
    assert!(app.screen().contains("is in the future"), "{}", app.screen());
    app.keys("Esc @");
    app.type_text("#6");
    app.keys("Enter");
    assert_eq!(app.instant(), Some(outage_times()[2].2));
    app.keys("@");
    app.type_text("#99");
    app.keys("Enter");
    assert!(app.screen().contains("there is no outage 99"), "{}", app.screen());
    app.keys(". @");
    app.type_text("-19m");
    assert!(app.screen().contains("not observed until"), "{}", app.screen());
}

#[test]
fn what_is_not_known_of_the_past_is_said() {
    let mut app = TimelineHarness::new((120, 36));
    app.keys("@");
    app.type_text("-19m");
    app.keys("Enter");
    let screen = app.screen();
    assert!(screen.contains("was not observed, from 11:44:31.000 to 11:47:31.000 (no collector"));
    app.keys("@");
    app.type_text("-3d");
    app.keys("Enter");
    let screen = app.screen();
    assert!(screen.contains("~ work of the whole hour"), "{screen}");
    assert!(!screen.contains("was not observed"), "{screen}");
    assert!(screen.contains("HISTORY 03-29 "), "the day is said: {screen}");
}

/// The states of a large fleet are drawn as soon as they are there; reading its work takes longer.
#[test]
fn the_work_of_a_large_fleet_comes_when_the_cursor_rests() {
    let mut app = TimelineHarness::new((160, 36));
    let one = app.0.agents[0].clone();
    app.0.agents.extend((100..1_100).map(|id| AgentEntry {
        id: AgentRowId(id),
        agent: format!("worker-{id}"),
        ..one.clone()
    }));
    let effects = app.0.connect(AccessMode::Control);
    app.answer_all(effects);
    app.keys("/");
    app.type_text(&one.agent);
    app.keys("Enter @");
    app.type_text("-3d");
    app.keys("Enter");
    let row = |app: &TimelineHarness| {
        let screen = app.screen();
        let is_row = |line: &&str| line.contains(&one.agent) && !line.contains("sort STATE");
        let row = screen.lines().find(is_row);
        row.map(|row| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).unwrap()
    };
    assert!(app.screen().contains("work is being read"), "{}", app.screen());
    let without = row(&app);
    app.rest();
    assert!(app.screen().contains("~ work of the whole hour"), "{}", app.screen());
    let with = row(&app);
    let missing = |row: &[String]| row.iter().filter(|cell| *cell == "-").count();
    assert!(missing(&with) + 5 < missing(&without), "{without:?} {with:?}");
}

#[test]
fn the_same_distance_is_repeated() {
    let mut app = TimelineHarness::new((80, 24));
    app.keys("@");
    app.type_text("-90m");
    app.keys("Enter r r");
    assert_eq!(app.instant(), Some(NOW_MS - 3 * 90 * MINUTE));
}

#[test]
fn the_past_can_not_be_killed() {
    let mut app = TimelineHarness::new((80, 24));
    app.keys("f");
    for key in ["K", "R", "F"] {
        app.keys(key);
        assert!(app.0.dialog().is_none());
        assert!(app.screen().contains("HISTORY: what was can't be changed; . returns to live"));
    }
    app.keys(". K");
    assert!(app.0.dialog().is_some());
}

#[test]
fn an_answer_for_another_instant_is_not_shown() {
    let mut app = TimelineHarness::new((80, 24));
    let first = app.0.keys("@ - 1 h Enter");
    let Some(AppEffect::RequestHistory(first)) = first.into_iter().last() else { panic!("asks") };
    // The operator goes on before the answer comes.
    app.0.keys("@ - 1 h Enter");
    let reply = answer(&app.0.agents, app.now_ms(), &first.request);
    let event = AppEvent::HistoryAnswered { purpose: first.purpose, result: Ok(reply) };
    let effects = app.0.send(event);
    app.answer_all(effects);
    let model: &FleetModel = app.0.state.model();
    assert_eq!(model.frozen_at_ms(), app.instant());
}

#[test]
fn the_past_plays_until_a_key_stops_it_or_it_is_now() {
    let mut app = TimelineHarness::new((80, 24));
    app.keys("4 h h p");
    assert_eq!(app.instant(), Some(NOW_MS - 2 * MINUTE));
    for _ in 0..4 {
        app.0.now_ms += 250;
        let effects = app.0.send(AppEvent::Wake);
        app.answer_all(effects);
    }
    assert_eq!(app.instant(), Some(NOW_MS - 2 * MINUTE + 60_000), "60 times as fast");
    app.keys("j");
    app.0.now_ms += 1_000;
    let effects = app.0.send(AppEvent::Wake);
    app.answer_all(effects);
    assert_eq!(app.instant(), Some(NOW_MS - MINUTE), "a key stops it");
    app.keys("p + +");
    for _ in 0..4 {
        app.0.now_ms += 250;
        let effects = app.0.send(AppEvent::Wake);
        app.answer_all(effects);
    }
    assert_eq!(app.instant(), None, "it has come to now");
    assert!(app.screen().contains("this is live"), "{}", app.screen());
}
