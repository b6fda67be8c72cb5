//! The Timeline screen.

use heartline_operator::client::AccessMode;
use heartline_operator::message::{Event, FleetDelta, NoteCommand};
use insta::assert_snapshot;

use super::harness::AppHarness;
use super::past_harness::TimelineHarness;
use crate::options::TuiConfig;
use crate::update::{AppEffect, AppEvent};

#[test]
fn timelines() {
    for (name, size) in [
        ("timeline_80x24", (80, 24)),
        ("timeline_120x36", (120, 36)),
        ("timeline_40x10", (40, 10)),
        ("timeline_200x60", (200, 60)),
    ] {
        let mut app = TimelineHarness::new(size);
        app.keys("4 h h");
        app.rest();
        assert_snapshot!(name, app.screen());
    }
    let ascii = TuiConfig { ascii: true, ..TuiConfig::default() };
    let mut app = TimelineHarness::with((100, 30), &ascii);
    app.keys("4 - - -");
    assert!(app.screen().is_ascii());
    assert_snapshot!("timeline_ascii_100x30", app.screen());
}

#[test]
fn only_what_is_missing_is_asked_for_and_next_pages_before_they_are_seen() {
    let mut app = TimelineHarness::new((80, 24));
    let (_, first) = app.keys("4");
    assert!(first >= 4, "the window, its outages, and pages around it: {first}");
    let tiles = app.0.state.timeline.tiles.len();
    // Within the window, and in pages that are there already.
    let (_, more) = app.keys("h h h h h h h h");
    assert_eq!(more, 0, "while a key is held, not the fleet of each instant");
    app.rest();
    assert_eq!(app.0.state.model().frozen_at_ms(), app.instant(), "where the cursor rests");
    assert_eq!(app.0.state.timeline.tiles.len(), tiles);
    let (_, page) = app.keys("H H H H H H H H H H");
    assert!(app.0.state.timeline.tiles.len() > tiles && page > 0);
    assert!(!app.screen().contains('░'), "nothing is left out:\n{}", app.screen());
}

#[test]
fn outages_are_asked_for_again_once_something_has_happened() {
    let mut app = TimelineHarness::new((80, 24));
    app.keys("4");
    app.rest();
    let effects = app.0.wait(1_500);
    app.answer_all(effects);
    let event = heartline_operator::sample::events().pop().unwrap();
    let events = vec![Event { cursor: event.cursor + 1, ..event }];
    app.0.update_fleet(FleetDelta { events, ..app.0.no_changes() });
    assert!(app.0.state.timeline.outages.is_stale);
    app.rest();
    assert!(app.0.state.timeline.outages.is_stale, "not at once: more may happen");
    app.0.now_ms += 1_000;
    app.rest();
    assert!(!app.0.state.timeline.outages.is_stale);
}

#[test]
fn the_future_is_blank_and_not_waited_for() {
    let mut app = TimelineHarness::new((80, 24));
    for zoom in ["+", "+", "+", "-", "-", "-", "-", "-", "-", "-", "0"] {
        app.keys("4 {");
        app.keys(zoom);
        let screen = app.screen();
        assert!(!screen.contains('░'), "{zoom}: {screen}");
        app.keys(".");
    }
}

#[test]
fn a_failure_is_said_and_asked_again_later() {
    let mut app = TimelineHarness::new((80, 24));
    let effects = app.0.keys("4");
    let Some(AppEffect::RequestHistory(question)) = effects.into_iter().last() else { panic!() };
    let result = Err("history can't be read: disk I/O error".to_owned());
    let event = AppEvent::HistoryAnswered { purpose: question.purpose, result };
    assert_eq!(app.0.send(event), [], "not at once");
    assert!(app.screen().contains("history can't be read: disk I/O error"), "{}", app.screen());
    let effects = app.0.wait(2_000);
    let (_, answered) = app.answer_all(effects);
    assert!(answered > 0);
    assert!(!app.screen().contains("can't be read"), "{}", app.screen());
}

#[test]
fn the_cursor_tells_where_the_clock_was_set() {
    let mut app = TimelineHarness::new((120, 36));
    app.keys("4");
    for _ in 0..80 {
        if app.screen().contains("clock was set back by 1m30s") {
            return;
        }
        app.keys("h");
    }
    panic!("the cursor was where the clock was set:\n{}", app.screen());
}

#[test]
fn two_marks_tell_what_was_between() {
    let mut app = TimelineHarness::new((120, 36));
    app.0.state.list.cursor = Some(crate::state::SelectedRow::Agent("report-generator".into()));
    app.keys("4 h m h h h h h h h h m");
    let screen = app.screen();
    let line = screen.lines().find(|line| line.contains("A 1") && line.contains(" B ")).unwrap();
    assert!(line.contains("report-generator: up ") && line.contains("1 outage,"), "{line}");
    assert!(line.contains("4802 ok 24 failed p50 211ms"), "{line}");
    app.keys("Esc");
    assert!(!app.screen().contains(" B 1"));
}

#[test]
fn notes_and_acknowledgements_are_sent_for_the_selected_outage() {
    let mut app = TimelineHarness::new((120, 36));
    app.keys("4 Tab j c");
    app.type_text("INC-482");
    let (effects, _) = app.keys("Enter");
    let note = |acknowledges, words: &str| {
        AppEffect::SendNote(NoteCommand { outage: 6, acknowledges, words: words.to_owned() })
    };
    assert_eq!(effects, [note(false, "INC-482")]);
    let effects = app.0.send(AppEvent::NoteAnswered(Ok(())));
    let (_, answered) = app.answer_all(effects);
    assert!(answered > 0, "the outages are asked for again");
    app.keys("a");
    let (effects, _) = app.keys("Enter");
    assert_eq!(effects, [note(true, "")]);
    app.keys("c Enter");
    assert!(app.screen().contains("the note is empty"), "{}", app.screen());
}

#[test]
fn a_read_only_connection_writes_no_notes() {
    let mut app = TimelineHarness(AppHarness::unconnected((120, 36), &TuiConfig::default()));
    let effects = app.0.connect(AccessMode::View);
    app.answer_all(effects);
    app.keys("4 Tab a");
    assert!(app.0.state.overlay.is_none());
    assert!(app.screen().contains("read-only connection"), "{}", app.screen());
}

#[test]
fn only_rows_with_outages_are_kept_where_that_is_wanted() {
    let mut app = TimelineHarness::new((120, 36));
    app.keys("4 !");
    let screen = app.screen();
    assert!(screen.contains("email-responder") && !screen.contains("ticket-triage"), "{screen}");
    app.keys("1");
    assert_eq!(app.0.state.list.matched, 20, "the fleet has all of them");
}

#[test]
fn a_list_keeps_its_order_while_the_cursor_moves() {
    let mut app = TimelineHarness::new((120, 36));
    app.keys("4");
    let rows = app.0.state.list.rows.clone();
    app.keys("{ { h h H - +");
    assert_eq!(app.0.state.list.rows, rows);
}
