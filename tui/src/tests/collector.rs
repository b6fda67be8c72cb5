//! The overlay with the collector's own health.

use heartline_operator::sample::collector_health;
use insta::assert_snapshot;

use super::harness::AppHarness;
use crate::update::{AppEffect, AppEvent};

fn opened(size: (u16, u16)) -> AppHarness {
    let mut app = AppHarness::connected(size);
    assert_eq!(app.keys("C"), [AppEffect::RequestCollectorHealth]);
    assert!(app.screen().contains("asking the collector"));
    app.send(AppEvent::CollectorHealthReceived(Ok(Box::new(collector_health()))));
    app
}

#[test]
fn the_collector_is_shown_and_asked_again_while_that_is_open() {
    let mut app = opened((120, 36));
    assert_snapshot!("collector_120x36", app.screen());
    assert_eq!(app.wait(1_000), [AppEffect::RequestCollectorHealth]);
    assert_eq!(app.wait(1_000), [], "the question is under way");
    let why = "the judging loop of this collector has not turned for 5 s".to_owned();
    app.send(AppEvent::CollectorHealthReceived(Err(why)));
    assert!(app.screen().contains("the judging loop of this collector has not turned"));
    app.keys("Esc");
    assert!(!app.screen().contains("judging loop"));
    assert_eq!(app.wait(1_000), []);
}

#[test]
fn all_of_it_can_be_scrolled_to() {
    let mut app = opened((60, 15));
    assert!(app.screen().contains("doubts"), "{}", app.screen());
    app.keys("G");
    let end = app.screen();
    assert!(end.contains("3 of 256 connections") && !end.contains("doubts"), "{end}");
    app.keys("g g");
    assert!(app.screen().contains("doubts"));
}
